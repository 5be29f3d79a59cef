//! COCO files as other programs write them, against pycocotools (`golden/coco_joins/make.py`): ids
//! of every kind, names of every spelling, numbers that are none; and predictions under the ids of
//! a ground truth.

mod support;

use serde_json::{Value, json};
use simdetr::control::Control;
use simdetr::data::coco::foreign_ids::IdForm;
use simdetr::data::coco::{CocoCategory, read::read_dataset, read::read_detections};
use simdetr::data::image::{Normalisation, ResizeRule};
use simdetr::detector::config::DetectorConfig;
use simdetr::detector::description::DetectorDescription;
use simdetr::detector::naming::Naming;
use simdetr::detector::parameters::initialise;
use simdetr::detector::parameters::parameter_table;
use simdetr::detector::whole_detector::Detector;
use simdetr::evaluation::{EvaluationInput, EvaluationOptions, FileNotes, evaluate};
use simdetr::workers::Workers;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::scenes;

struct Case {
    folder: tempfile::TempDir,
    expected: Value,
}

impl Case {
    fn all() -> Vec<Case> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/coco_joins/cases.json");
        let document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let text = |place: &Value| {
            document["texts"][place.as_u64().unwrap() as usize].as_str().unwrap().to_string()
        };
        let cases = document["cases"].as_array().unwrap().iter();
        let made = cases.map(|expected| {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("gt.json"), text(&expected["ground_truth"])).unwrap();
            fs::write(folder.path().join("dt.json"), text(&expected["detections"])).unwrap();
            Case { folder, expected: expected.clone() }
        });
        made.collect()
    }

    fn named(name: &str) -> Case {
        Case::all().into_iter().find(|case| case.name() == name).unwrap()
    }

    fn name(&self) -> &str {
        self.expected["name"].as_str().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn input(&self) -> simdetr::Result<EvaluationInput> {
        EvaluationInput::from_files(&self.path("gt.json"), &self.path("dt.json"))
    }

    fn notes(name: &str) -> FileNotes {
        Case::named(name).input().unwrap().notes().clone()
    }

    fn evaluate_command(&self, more: &[&str]) -> Output {
        let (truth, found) = (self.path("gt.json"), self.path("dt.json"));
        let arguments = ["evaluate", "--ground-truth", text(&truth), "--detections", text(&found)];
        simdetr(&[&arguments[..], more].concat())
    }
}

fn simdetr(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simdetr")).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn files_of_every_kind_give_the_bits_of_pycocotools_or_a_named_error() {
    let cases = Case::all();
    assert!(cases.len() > 45);
    for case in cases {
        let name = case.name();
        match (case.input(), &case.expected["error"]) {
            (Ok(input), Value::Null) => {
                let options = EvaluationOptions::default();
                let (workers, control) = (Workers::caller(), Control::default());
                let found = evaluate(&input, &options, &workers, &control).unwrap();
                let figures: Vec<f64> = found.figures().into_iter().map(|(_, one)| one).collect();
                let expected = case.expected["figures"].as_array().unwrap().iter();
                let expected: Vec<f64> = expected.map(|one| one.as_f64().unwrap()).collect();
                assert_eq!(figures, expected, "{name}");
            }
            (Err(error), Value::Array(parts)) => {
                let error = error.to_string();
                for part in parts {
                    assert!(error.contains(part.as_str().unwrap()), "{name}: {part} in {error}");
                }
            }
            (Ok(_), parts) => panic!("{name}: not refused with {parts}"),
            (Err(error), _) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn what_two_files_do_not_say_alike_is_counted() {
    for quiet in ["plain", "names_windows", "text_image_ids", "same_name_on_two_ids"] {
        assert_eq!(Case::notes(quiet), FileNotes::default(), "{quiet}");
    }
    assert_eq!(Case::notes("unknown_images").images_unknown.detections_count, 2);
    let notes = Case::notes("unknown_categories");
    assert_eq!(notes.categories_unknown.detections_count, 5);
    assert!(notes.categories_unknown.ids.to_string().contains("category 100"));
    assert_eq!(Case::notes("no_category_known").categories_unknown.detections_count, 24);
    assert_eq!(Case::notes("boxes_that_are_none").boxes_bad.count(), 10);
    assert_eq!(Case::notes("nan_scores").scores_nan.count(), 5);
    assert_eq!(Case::notes("one_name_missing"), FileNotes::default());
    let notes = Case::notes("one_name_missing_renumbered");
    assert_eq!((notes.images_nameless.count(), notes.images_unknown.detections_count), (1, 6));
    let notes = Case::notes("categories_permuted");
    assert_eq!(notes.categories_renumbered.count(), 3);
    let first = &notes.categories_renumbered.described()[0];
    assert_eq!(first, "\"c1\" is 3 here, 1 in the ground truth");
}

#[test]
fn evaluate_prints_what_was_left_out_and_strict_refuses_it() {
    for (name, wanted, refused) in [
        (
            "unknown_images",
            "left out: detections on images without ground truth (2)\n    image 98 (1)",
            "2 detections on images without ground truth: image 98 (1)",
        ),
        (
            "unknown_categories",
            "left out: detections of categories that the ground truth lacks (5)",
            "5 detections of categories that the ground truth lacks: category 100",
        ),
        (
            "boxes_that_are_none",
            "left out: boxes whose numbers are no box (10)\n    ground truth, annotation 0 (id 90)",
            "10 boxes whose numbers are no box: ground truth, annotation 0 (id 90): `bbox`",
        ),
        (
            "nan_scores",
            "5 detections have NaN for a score and rank last: detection 0",
            "5 detections have NaN for a score and rank last: detection 0",
        ),
        (
            "one_name_missing_renumbered",
            "left out: images without a file_name or a counterpart (1)\n    image 10",
            "1 images without a file_name or a counterpart: image 10",
        ),
    ] {
        let case = Case::named(name);
        let answer = printed(&case.evaluate_command(&[]));
        assert!(answer.contains(wanted), "{name}: {answer}");
        let strict = case.evaluate_command(&["--strict"]);
        let error = String::from_utf8(strict.stderr).unwrap();
        assert!(!strict.status.success() && error.contains(refused), "{name}: {error}");
    }
    let answer = printed(&Case::named("categories_permuted").evaluate_command(&["--strict"]));
    assert!(
        answer.contains("3 categories have other ids, joined by name: \"c1\" is 3"),
        "{answer}"
    );
    let answer = printed(&Case::named("no_category_known").evaluate_command(&[]));
    assert!(
        answer.contains("lacks (24)\n    category 1001 (") && !answer.contains("more"),
        "{answer}"
    );
    // Pooled detections need no category.
    let case = Case::named("no_category_known");
    let answer = printed(&case.evaluate_command(&["--class-agnostic", "--strict"]));
    assert!(!answer.contains("categories"), "{answer}");
    let case = Case::named("text_category_ids");
    let answer: Value = serde_json::from_slice(&case.evaluate_command(&["--json"]).stdout).unwrap();
    let ids: Vec<_> =
        (0..3).map(|index| answer["categories"][index]["category_id"].clone()).collect();
    assert_eq!(ids, ["ant", "cow", "zebra"]);
    assert_eq!(answer["categories"][0]["name"], "c3");
}

/// A detector that knows nothing, and images that it sees.
struct Predictions {
    folder: tempfile::TempDir,
}

impl Predictions {
    fn new(categories: Vec<CocoCategory>) -> Predictions {
        let place = Predictions { folder: tempfile::tempdir().unwrap() };
        scenes::write(&place.path("images"), 4);
        let config = DetectorConfig {
            backbone_depth: 18,
            backbone_width: 8,
            hidden_size: 32,
            encoder_layers_count: 1,
            decoder_layers_count: 2,
            feedforward_size: 16,
            queries_count: 6,
            classes_count: categories.len(),
            ..DetectorConfig::default()
        };
        let resize =
            ResizeRule { image_short_side: 64, image_long_side_max: 96, side_multiple: 32 };
        let parameters = initialise(&parameter_table(&config).unwrap(), 11).unwrap();
        let mut description =
            DetectorDescription::unnamed(config, Normalisation::default(), resize);
        description.categories = categories;
        let detector = Detector::new(description, parameters).unwrap();
        detector.save(&place.path("detector.safetensors"), Naming::Official).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn predict(&self, truth: Option<&Value>, more: &[&str]) -> Output {
        let paths = ["detector.safetensors", "images", "out.json", "truth.json"];
        let [detector, images, out, path] = paths.map(|name| self.path(name));
        let mut arguments = vec!["predict", "--detector", text(&detector), "--images"];
        arguments.extend([text(&images), "--out", text(&out), "--json"]);
        if let Some(truth) = truth {
            fs::write(&path, truth.to_string()).unwrap();
            arguments.extend(["--annotations", text(&path)]);
        }
        arguments.extend(more);
        simdetr(&arguments)
    }

    fn written(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("out.json")).unwrap()).unwrap()
    }
}

fn distinct(boxes: &Value, key: &str) -> BTreeSet<String> {
    boxes.as_array().unwrap().iter().map(|one| one[key].to_string()).collect()
}

fn texts(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| value.to_string()).collect()
}

#[test]
fn predictions_carry_the_ids_of_the_annotations_as_they_came() {
    let cat =
        CocoCategory { id_form: IdForm::Text("c".into()), ..CocoCategory::new(i64::MIN, "cat") };
    let place = Predictions::new(vec![cat, CocoCategory::new(7, "dog")]);
    let image =
        |id: Value, name: &str| json!({"id": id, "file_name": name, "width": 192, "height": 160});
    let truth = json!({
        "images": [image(json!("img"), ".\\scene-2.png"), image(json!(10.0), "/data/scene-0.png"),
                   image(json!(-5), "scene-1.png"), {"id": 9}],
        "categories": [{"id": "k", "name": "dog"}, {"id": 3, "name": "cat"}, {"id": 8, "name": "x"}],
        "annotations": [],
    });
    let answer: Value =
        serde_json::from_str(&printed(&place.predict(Some(&truth), &["--format", "results"])))
            .unwrap();
    assert_eq!((&answer["images_count"], &answer["images_unlisted"]), (&json!(3), &json!(1)));
    assert_eq!(answer["images_nameless"]["count"], 1);
    let results = place.written();
    assert_eq!(distinct(&results, "image_id"), texts(&["\"img\"", "10.0", "-5"]));
    assert_eq!(distinct(&results, "category_id"), texts(&["\"k\"", "3"]));
    let keys: Vec<_> = results[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["bbox", "category_id", "image_id", "score"]);
    // Every box finds its image and category, by id alone.
    let input =
        EvaluationInput::from_files(&place.path("truth.json"), &place.path("out.json")).unwrap();
    assert_eq!(input.notes(), &FileNotes::default());

    printed(&place.predict(Some(&truth), &[]));
    let written = place.written();
    assert_eq!(distinct(&written["images"], "id"), texts(&["\"img\"", "10.0", "-5"]));
    assert_eq!(distinct(&written["categories"], "id"), texts(&["\"k\"", "3"]));
    assert_eq!(distinct(&written["annotations"], "image_id"), texts(&["\"img\"", "10.0", "-5"]));
    let found = read_detections(&place.path("out.json")).unwrap();
    let read = read_dataset(&place.path("truth.json")).unwrap();
    assert!(
        found
            .annotations
            .iter()
            .all(|one| read.images.iter().any(|image| image.id == one.image_id))
    );

    let refused = place.predict(Some(&truth), &["--strict"]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && error.contains("image 3 (id 9)"), "{error}");
}

#[test]
fn without_annotations_any_category_id_is_written_as_the_labels_had_it() {
    let text =
        CocoCategory { id_form: IdForm::Text("cat".into()), ..CocoCategory::new(i64::MIN, "") };
    let place =
        Predictions::new(vec![text, CocoCategory::new(-3, ""), CocoCategory::new(1 << 40, "")]);
    printed(&place.predict(None, &[]));
    let written = place.written();
    let ids = texts(&["\"cat\"", "-3", "1099511627776"]);
    assert_eq!(distinct(&written["categories"], "id"), ids);
    assert!(distinct(&written["annotations"], "category_id").is_subset(&ids));
    assert_eq!(distinct(&written["annotations"], "image_id"), texts(&["1", "2", "3", "4"]));
}

#[test]
fn annotations_that_do_not_fit_are_refused_before_anything_is_written() {
    let place = Predictions::new(vec![CocoCategory::new(1, "cat"), CocoCategory::new(3, "own")]);
    let image = json!({"id": 1, "file_name": "scene-1.png", "width": 192, "height": 160});
    let data_set = |image: &Value, categories: Value| json!({"images": [image], "categories": categories, "annotations": []});
    let cat = json!([{"id": 3, "name": "cat"}]);
    let gone = json!({"id": 1, "file_name": "gone.png"});
    for (truth, wanted) in [
        (data_set(&image, cat.clone()), r#"id 3 is that of \"cat\" and of \"own\""#),
        (data_set(&gone, json!([{"id": 1, "name": "cat"}])), "gone.png"),
        (json!({"images": [], "categories": [], "annotations": []}), "lists no image"),
    ] {
        let refused = place.predict(Some(&truth), &[]);
        let error = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && error.contains(wanted), "{error}");
        assert!(!place.path("out.json").exists());
    }
    let mut other = image.clone();
    other["width"] = json!(400);
    let listed = json!([{"id": 1, "name": "cat"}]);
    let refused = place.predict(Some(&data_set(&other, listed)), &[]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("192x160 pixels, but the annotations say 400x160"), "{error}");
}
