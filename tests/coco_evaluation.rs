//! Evaluation against pycocotools (`golden/coco_eval/make.py`), to the last bit: ties, crowds,
//! empty images, other maxima, class-aware and pooled.

use simdetr::control::Control;
use simdetr::data::coco::read::{read_dataset, read_detections};
use simdetr::evaluation::{
    BoxArrays, Evaluation, EvaluationInput, EvaluationOptions, ObjectTraits, evaluate,
};
use simdetr::workers::Workers;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/coco_eval").join(name)
}

fn expected() -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(golden("expected.json")).unwrap()).unwrap()
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// FNV-1a, 64 bits, of the little-endian bytes.
fn hash(values: &[f64]) -> String {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    let hash = bytes.fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    format!("{hash:016x}")
}

fn assert_equal(evaluation: &Evaluation, expected: &serde_json::Value, name: &str) {
    let figures: Vec<f64> = evaluation.figures().into_iter().map(|(_, value)| value).collect();
    assert_eq!(figures, numbers(&expected["figures"]), "{name}");
    let precision: Vec<_> =
        evaluation.categories.iter().map(|category| category.average_precision).collect();
    assert_eq!(precision, numbers(&expected["category_precision"]), "{name}");
    let recall: Vec<_> =
        evaluation.categories.iter().map(|category| category.average_recall).collect();
    assert_eq!(recall, numbers(&expected["category_recall"]), "{name}");
    assert_eq!(hash(&evaluation.precision_array()), expected["precision_hash"], "{name}");
    assert_eq!(hash(&evaluation.recall_array()), expected["recall_hash"], "{name}");
}

/// Runs `check` with each case's name, its options and what is expected.
fn for_each_case(mut check: impl FnMut(&str, &EvaluationOptions, &serde_json::Value)) {
    let expected = expected();
    let cases = expected["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let detections_max =
            numbers(&case["detections_max"]).iter().map(|&maximum| maximum as u32).collect();
        let mut options = EvaluationOptions { class_agnostic: false, detections_max };
        check(case["name"].as_str().unwrap(), &options, &case["class_aware"]);
        options.class_agnostic = true;
        check(case["name"].as_str().unwrap(), &options, &case["class_agnostic"]);
    }
}

#[test]
fn files_give_the_bits_of_pycocotools_at_any_thread_count() {
    for_each_case(|name, options, expected| {
        let input = EvaluationInput::from_files(
            &golden(&format!("{name}.ground_truth.json")),
            &golden(&format!("{name}.detections.json")),
        )
        .unwrap();
        for threads in [1, 2, 3, 7] {
            let workers = Workers::with_threads(threads).unwrap();
            let evaluation = evaluate(&input, options, &workers, &Control::default()).unwrap();
            assert_equal(&evaluation, expected, name);
        }
    });
}

/// The coordinates of these cases are multiples of 1/4, which f32 holds exactly.
#[test]
fn arrays_give_the_bits_of_pycocotools() {
    for_each_case(|name, options, expected| {
        if !["ties", "all_scores_one"].contains(&name) {
            return;
        }
        let objects = read_dataset(&golden(&format!("{name}.ground_truth.json"))).unwrap();
        let detections = read_detections(&golden(&format!("{name}.detections.json"))).unwrap();
        let columns = |file: &simdetr::data::coco::CocoFile| {
            let boxes = file.annotations.iter().map(|one| {
                let [x, y, width, height] = one.bounds.map(|value| value as f32);
                [x, y, x + width, y + height]
            });
            let images = file.annotations.iter().map(|one| one.image_id);
            let categories = file.annotations.iter().map(|one| one.category_id);
            (boxes.collect::<Vec<_>>(), images.collect::<Vec<_>>(), categories.collect::<Vec<_>>())
        };
        let (object_boxes, object_images, object_categories) = columns(&objects);
        let (boxes, images, categories) = columns(&detections);
        let areas: Vec<f64> = objects.annotations.iter().map(|one| one.area).collect();
        let crowds: Vec<bool> = objects.annotations.iter().map(|one| one.is_crowd).collect();
        let scores: Vec<f32> =
            detections.annotations.iter().map(|one| one.score.unwrap() as f32).collect();
        let input = EvaluationInput::from_arrays(
            BoxArrays {
                image_ids: &object_images,
                category_ids: &object_categories,
                boxes: &object_boxes,
            },
            ObjectTraits { areas: &areas, crowds: &crowds },
            BoxArrays { image_ids: &images, category_ids: &categories, boxes: &boxes },
            &scores,
        )
        .unwrap();
        let evaluation =
            evaluate(&input, options, &Workers::caller(), &Control::default()).unwrap();
        let figures: Vec<f64> = evaluation.figures().into_iter().map(|(_, value)| value).collect();
        assert_eq!(figures, numbers(&expected["figures"]), "{name}");
    });
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

const GROUND_TRUTH: &str = r#"{
    "images": [{"id": 1, "file_name": "a/x.jpg"}, {"id": 2, "file_name": "a/y.jpg"}],
    "categories": [{"id": 7, "name": "thing"}],
    "annotations": [{"id": 0, "image_id": 2, "category_id": 7, "bbox": [10, 10, 40, 40]}]}"#;

/// Detections with their own image ids, and an image that the ground truth lacks.
#[test]
fn data_sets_are_joined_by_name_and_other_images_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let truth = write(folder.path(), "truth.json", GROUND_TRUTH);
    let detections = |names: [&str; 2]| {
        let text = format!(
            r#"{{"images": [{{"id": 1, "file_name": "{}"}}, {{"id": 5, "file_name": "{}"}}],
            "categories": [], "annotations": [
            {{"image_id": 1, "category_id": 0, "bbox": [10, 10, 40, 40], "score": 0.5}},
            {{"image_id": 5, "category_id": 3, "bbox": [10, 10, 40, 40], "score": 0.5}}]}}"#,
            names[0], names[1]
        );
        write(folder.path(), "detections.json", &text)
    };
    let options = EvaluationOptions { class_agnostic: true, ..EvaluationOptions::default() };
    let input = EvaluationInput::from_files(&truth, &detections(["y.jpg", "z.jpg"])).unwrap();
    let evaluation = evaluate(&input, &options, &Workers::caller(), &Control::default()).unwrap();
    assert_eq!((evaluation.detections_count, evaluation.detections_left_out), (1, 1));
    // Adding and dividing as numpy does leaves a mean of ones within a rounding of one.
    let perfect = (evaluation.average_precision - 1.0).abs() < 1e-12;
    assert!(perfect, "an annotation id of 0 is an id like any other");
    assert_eq!(evaluation.average_recall_medium, 1.0);
    assert_eq!(evaluation.average_recall_small, -1.0);
    let error = EvaluationInput::from_files(&truth, &detections(["u.jpg", "z.jpg"])).unwrap_err();
    assert!(error.to_string().contains("none of its 2 images"), "{error}");
}

#[test]
fn results_on_an_unknown_image_are_refused_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let truth = write(folder.path(), "truth.json", GROUND_TRUTH);
    let results = r#"[{"image_id": 99, "category_id": 7, "bbox": [0, 0, 1, 1], "score": 1}]"#;
    let results = write(folder.path(), "results.json", results);
    let error = EvaluationInput::from_files(&truth, &results).unwrap_err().to_string();
    assert!(error.contains("detection 0 is on image 99") && error.contains("results.json"));
}

#[test]
fn bad_arrays_and_options_are_named_with_their_numbers() {
    let boxes = |boxes| BoxArrays { image_ids: &[1], category_ids: &[], boxes };
    let good = boxes(&[[0.0, 0.0, 9.0, 9.0]]);
    let message = |objects, traits, detections, scores: &[f32]| {
        EvaluationInput::from_arrays(objects, traits, detections, scores).unwrap_err().to_string()
    };
    let traits = ObjectTraits::default();
    let error = message(good, traits, boxes(&[[5.0, 0.0, 3.0, 9.0]]), &[1.0]);
    assert!(error.contains("detections") && error.contains("box 0") && error.contains("inverted"));
    let error = message(boxes(&[[0.0, f32::NAN, 1.0, 1.0]]), traits, good, &[1.0]);
    assert!(error.contains("ground truth") && error.contains("index 1"), "{error}");
    assert!(message(good, traits, good, &[f32::NAN]).contains("scores"));
    assert!(message(good, traits, good, &[1.0, 1.0]).contains("expected 1, got 2"));
    let two = ObjectTraits { areas: &[1.0, 2.0], crowds: &[] };
    assert!(message(good, two, good, &[1.0]).contains("areas: expected 1, got 2"));
    let negative = ObjectTraits { areas: &[-1.0], crowds: &[] };
    assert!(message(good, negative, good, &[1.0]).contains("area 0 is -1"));
    for detections_max in [vec![], vec![0, 1], vec![10, 10]] {
        let options = EvaluationOptions { detections_max, ..EvaluationOptions::default() };
        assert!(options.validate().unwrap_err().to_string().contains("detections_max"));
    }
}
