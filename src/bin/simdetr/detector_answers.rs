//! What commands about a detector answer, as text and as JSON.

use super::output::{Answer, line};
use serde_json::{Value, json};
use simdetr::data::coco::CocoCategory;
use simdetr::detector::host_guide::{Fact, host_guide};
use simdetr::detector::whole_detector::Detector;
use std::path::Path;

/// The answer of `export` for a detector; `guide` is what a host has to do that runs the file.
pub fn converted(detector: &Detector, guide: &[Fact], out: &Path) -> Answer {
    let (classes, parameters) = (detector.config().classes_count, detector.parameters().len());
    let mut text =
        format!("detector of {classes} classes, {parameters} parameters, in {}\n", out.display());
    let mut value =
        json!({ "file": out, "classes_count": classes, "parameters_count": parameters });
    if !guide.is_empty() {
        value["host_guide"] = facts(guide, &mut text);
    }
    Answer::new(text, value, &[])
}

/// The answer of `describe`.
pub fn described(detector: &Detector) -> Answer {
    let (config, parameters) = (detector.config(), detector.parameters().len());
    let (classes, queries) = (config.classes_count, config.queries_count);
    let mut text =
        format!("detector of {classes} classes, {queries} queries, {parameters} parameters\n");
    let guide = facts(&host_guide(detector.description(), None, None), &mut text);
    let named = detector.categories().iter().filter(|category| !category.name.is_empty());
    for category in named {
        line(&mut text, format_args!("  category {}: {}", category.id, category.name));
    }
    let category = |one: &CocoCategory| json!({ "id": one.id, "name": one.name });
    let value = json!({
        "classes_count": classes,
        "queries_count": queries,
        "parameters_count": parameters,
        "host_guide": guide,
        "categories": detector.categories().iter().map(category).collect::<Vec<Value>>(),
    });
    Answer::new(text, value, &[])
}

/// Facts as lines of `text` and as an object.
fn facts(guide: &[Fact], text: &mut String) -> Value {
    guide.iter().for_each(|(name, fact)| line(text, format_args!("  {name}: {fact}")));
    guide.iter().map(|(name, fact)| (name.to_string(), json!(fact))).collect()
}
