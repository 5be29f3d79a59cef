//! What a command answers: the same facts as text for people and as one JSON object for machines.
//! Both end with what was left out.

use super::left_out::{self, LeftOut};
use serde_json::{Value, json};
use simdetr::Result;
use simdetr::data::folder::BrokenImage;
use simdetr::evaluation::Evaluation;
use simdetr::pipeline::cluster::ClusterReport;
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::demo::DemoReport;
use simdetr::pipeline::export::ExportReport;
use simdetr::pipeline::finetune::FinetuneReport;
use simdetr::pipeline::folder_extraction::FolderReport;
use simdetr::pipeline::measure::{MeasuredImages, table};
use simdetr::pipeline::predict_report::PredictReport;
use simdetr::pipeline::pretrain::PretrainReport;
use std::fmt::Write;
use std::path::Path;

/// The answer of a command in both forms.
pub struct Answer {
    text: String,
    value: Value,
}

impl Answer {
    /// An answer that ends with what was left out.
    pub fn new(mut text: String, mut value: Value, left_out: &[LeftOut]) -> Answer {
        text += &left_out::text(left_out);
        value["left_out"] = left_out::value(left_out);
        Answer { text, value }
    }

    /// Beside the facts: the preset that was chosen.
    pub fn with_preset(mut self, preset: Option<&str>) -> Answer {
        if let Some(preset) = preset {
            self.value["preset"] = json!(preset);
        }
        self
    }

    /// What is printed, without a newline at its end.
    pub fn printed(&self, as_json: bool) -> String {
        match as_json {
            true => self.value.to_string(),
            false => self.text.trim_end().to_string(),
        }
    }
}

/// What a command says that found its work done.
const NOTHING_TO_DO: &str = "nothing to do: an earlier call has done it all\n";

/// The answer of `extract`.
pub fn extracted(report: &FolderReport, out: &Path) -> Answer {
    let mut text = format!(
        "{} images ({} done before), {} skipped as broken; {} proposals in {}\n",
        report.images_count,
        report.images_resumed,
        report.broken.len(),
        report.proposals_count,
        out.display()
    );
    if report.nothing_to_do {
        text += NOTHING_TO_DO;
    }
    if report.counts.clusterings_skipped > 0 {
        let skipped = report.counts.clusterings_skipped;
        line(&mut text, format_args!("  {skipped} clusterings had too few cells for their K"));
    }
    let value = json!({
        "run": out,
        "images_count": report.images_count,
        "images_resumed": report.images_resumed,
        "broken": broken_images(&report.broken),
        "proposals_count": report.proposals_count,
        "clusterings_skipped": report.counts.clusterings_skipped,
        "nothing_to_do": report.nothing_to_do,
    });
    Answer::new(text, value, &LeftOut::files(&report.broken, &report.left_out))
}

/// The answer of `cluster`.
pub fn clustered(report: &ClusterReport, file: &Path) -> Answer {
    let centroids = &report.fit.centroids;
    let (classes, dimensions) = (centroids.classes(), centroids.dimensions());
    let mut text =
        format!("{classes} pseudo-classes of {dimensions} numbers in {}\n", file.display());
    if report.nothing_to_do {
        text += NOTHING_TO_DO;
    }
    let value = json!({
        "file": file,
        "classes": classes,
        "dimensions": dimensions,
        "nothing_to_do": report.nothing_to_do,
    });
    Answer::new(text, value, &[])
}

/// The answer of `export`.
pub fn exported(report: &ExportReport, out: &Path) -> Answer {
    let text = format!(
        "{} boxes of {} pseudo-classes on {} images in {}\n",
        report.boxes_count,
        report.classes_count,
        report.images_count,
        out.display()
    );
    let value = json!({
        "file": out,
        "boxes_count": report.boxes_count,
        "classes_count": report.classes_count,
        "images_count": report.images_count,
    });
    Answer::new(text, value, &[])
}

/// The answer of `pretrain`.
pub fn pretrained(report: &PretrainReport) -> Answer {
    let mut text = String::new();
    if report.nothing_to_do {
        text += NOTHING_TO_DO;
    }
    for images in [MeasuredImages::HeldOut, MeasuredImages::Training] {
        text += &table::text(&report.measured, images);
    }
    // Without true boxes there is no table to say it.
    for labels in report.labels.iter().filter(|_| report.measured.is_empty()) {
        let (stage, images) = (labels.stage, labels.images_count);
        let per_image = labels.boxes_count as f64 / images.max(1) as f64;
        line(&mut text, format_args!("T{stage}: {per_image:.1} boxes an image on {images} images"));
    }
    line(&mut text, format_args!("detector: {}", report.detector.display()));
    let labels: Vec<Value> = report
        .labels
        .iter()
        .map(|labels| {
            json!({
                "stage": labels.stage,
                "file": labels.path,
                "images_count": labels.images_count,
                "boxes_count": labels.boxes_count,
                "recalls": labels.recalls,
            })
        })
        .collect();
    let value = json!({
        "labels": labels,
        "measured": report.measured,
        "detector": report.detector,
        "broken": broken_images(&report.broken),
        "nothing_to_do": report.nothing_to_do,
    });
    Answer::new(text, value, &LeftOut::files(&report.broken, &report.left_out))
}

/// The answer of `finetune`: the figures beside what was done.
pub fn finetuned(report: &FinetuneReport) -> Answer {
    let mut text = format!(
        "{} steps on {} images with {} boxes of {} classes\n",
        report.steps_count, report.images_count, report.boxes_count, report.classes_count
    );
    let mut value = json!({
        "detector": report.detector,
        "images_count": report.images_count,
        "boxes_count": report.boxes_count,
        "classes_count": report.classes_count,
        "steps_count": report.steps_count,
        "broken": broken_images(&report.broken),
        "nothing_to_do": report.nothing_to_do,
    });
    if report.nothing_to_do {
        text += "nothing to train: an earlier call has trained this detector\n";
    }
    if let Some(evaluation) = &report.evaluation {
        text += &figures_table(evaluation);
        for (name, figure) in evaluation.figures() {
            value[name] = json!(figure);
        }
        value["evaluation"] = json!(evaluation);
    }
    line(&mut text, format_args!("detector: {}", report.detector.display()));
    let mut left_out = LeftOut::boxes(&report.dropped, &report.left_out);
    left_out.insert(0, LeftOut::broken_images(&report.broken));
    Answer::new(text, value, &left_out)
}

/// The answer of `predict`.
pub fn predicted(report: &PredictReport, out: &Path) -> Answer {
    let PredictReport { images_count, boxes_count, broken, .. } = report;
    let PredictReport { images_unlisted, images_nameless, categories_unknown, .. } = report;
    let text = format!("{boxes_count} boxes on {images_count} images in {}\n", out.display());
    let value = json!({
        "file": out,
        "images_count": images_count,
        "boxes_count": boxes_count,
        "broken": broken_images(broken),
        "images_unlisted": images_unlisted,
        "images_nameless": images_nameless,
        "categories_unknown": categories_unknown,
    });
    let mut left_out = LeftOut::files(broken, &report.left_out);
    left_out.push(LeftOut {
        reason: "images that the annotations do not list".into(),
        count: *images_unlisted as u64,
        examples: Vec::new(),
        examples_more: 0,
    });
    for (problems, what) in [
        (images_nameless, "images of the annotations without a file_name"),
        (
            categories_unknown,
            "classes of the detector that the annotations lack, with their own ids",
        ),
    ] {
        left_out.push(LeftOut::problems(what, problems.count(), problems));
    }
    Answer::new(text, value, &left_out)
}

fn broken_images(broken: &[BrokenImage]) -> Vec<Value> {
    broken.iter().map(|one| json!({ "path": one.path, "reason": one.reason })).collect()
}

/// The answer of `evaluate`.
pub fn evaluated(evaluation: &Evaluation) -> Answer {
    let notes = &evaluation.notes;
    let mut text = figures_table(evaluation);
    notes.doubtful().iter().chain(&notes.remarks()).for_each(|note| {
        line(&mut text, format_args!("{note}"));
    });
    let left_out: Vec<LeftOut> = notes
        .left_out(evaluation.class_agnostic)
        .iter()
        .map(|note| LeftOut::problems(note.what, note.count, note.problems))
        .collect();
    Answer::new(text, json!(evaluation), &left_out)
}

fn figures_table(evaluation: &Evaluation) -> String {
    let mut text = format!(
        "{} detections, {} objects, {} images{}\n",
        evaluation.detections_count,
        evaluation.objects_count,
        evaluation.images_count,
        if evaluation.class_agnostic { ", class-agnostic" } else { "" }
    );
    for (name, value) in evaluation.figures() {
        line(&mut text, format_args!("{name:>8} {value:.4}"));
    }
    text
}

/// The answer of `report`.
pub fn reported(path: &Path) -> Answer {
    Answer { text: format!("report: {}", path.display()), value: json!({ "report": path }) }
}

/// The answer of `demo`.
pub fn demonstrated(report: &DemoReport) -> Answer {
    let mut answer = pretrained(&report.pretraining);
    line(&mut answer.text, format_args!("report:   {}", report.report.display()));
    answer.value["report"] = json!(report.report);
    answer
}

/// The answer of `config`: the document with every key.
///
/// # Errors
/// [`simdetr::Error::Internal`] if it cannot be written as TOML.
pub fn configuration(config: &RunConfig) -> Result<Answer> {
    let text = simdetr::config::to_text(config, "configuration")?;
    Ok(Answer { text, value: json!(config) })
}

/// Writing into a string cannot fail.
pub fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{arguments}");
}
