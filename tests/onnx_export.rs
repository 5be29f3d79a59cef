//! Detectors as ONNX files: one file runs at any batch and size and finds our boxes, a file of one size
//! takes no other, and what a host has to do lies beside the graph.

#[path = "support/formula.rs"]
mod formula;
mod onnx_runtime;
#[path = "support/peer_case.rs"]
mod peer_case;

use formula::uniform;
use peer_case::{Case, config, detector, run};
use simdetr::Error;
use simdetr::data::coco::CocoCategory;
use simdetr::data::image::{Image, Normalisation, ResizeRule};
use simdetr::detector::config::DetectorConfig;
use simdetr::detector::description::{DetectorDescription, KEY};
use simdetr::detector::host_guide::host_guide;
use simdetr::detector::naming::Naming;
use simdetr::detector::network::BatchShape;
use simdetr::detector::onnx;
use simdetr::detector::predictor::PredictorMemory;
use simdetr::detector::whole_detector::{Detector, PredictionOptions};
use simdetr::workers::Workers;
use std::collections::BTreeMap;
use std::fs;

const TOLERANCE: f32 = 1e-4;

/// Exports `detector` for the sides that are not 0, runs the file on `batches` (images, height, width)
/// and compares; batches that are `refused` must be.
fn compare(
    name: &str,
    detector: &Detector,
    (height, width): (usize, usize),
    batches: &[(usize, usize, usize)],
    refused: &[(usize, usize, usize)],
) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    onnx::export(detector, height, width, &folder.join("model.onnx")).unwrap();
    let named = |side: usize, name: &str| if side == 0 { name.into() } else { side.to_string() };
    let mut arguments = vec![named(height, "height"), named(width, "width")];
    let mut cases = Vec::new();
    for &(images, height, width) in batches {
        let batch = format!("{images}x{height}x{width}");
        let shape = BatchShape { images, height, width };
        cases
            .push((format!("{name}, {batch}"), Case::write(&folder.join(&batch), detector, shape)));
        arguments.push(batch);
    }
    arguments.extend(
        refused.iter().map(|(images, height, width)| format!("!{images}x{height}x{width}")),
    );
    run("onnx_outputs.py", folder, &arguments);
    cases.iter().for_each(|(name, case)| case.compare(name, TOLERANCE));
}

#[test]
fn one_file_finds_our_boxes_at_any_batch_and_size() {
    if onnx_runtime::library("ONNX export").is_none() {
        return;
    }
    let single = DetectorConfig { levels_count: 1, points_count: 3, ..config(true) };
    let bottleneck = DetectorConfig { backbone_depth: 50, levels_count: 2, ..config(false) };
    let deep = DetectorConfig { decoder_layers_count: 10, levels_count: 3, ..config(true) };
    for (name, config) in [
        ("plain", config(false)),
        ("refining", config(true)),
        ("one level", single),
        ("ResNet-50, two levels", bottleneck),
        ("ten decoder layers, three levels", deep),
    ] {
        let detector = detector(config, ResizeRule::default());
        // The last one is no multiple of 32: levels round up, as ours do.
        let batches = [(2, 64, 96), (1, 160, 32), (3, 96, 64), (1, 128, 224), (2, 50, 77)];
        compare(name, &detector, (0, 0), &batches, &[]);
    }
}

#[test]
fn a_side_that_is_given_is_the_only_one() {
    if onnx_runtime::library("ONNX export of one size").is_none() {
        return;
    }
    let single = DetectorConfig { levels_count: 1, points_count: 3, ..config(true) };
    for (name, config) in
        [("plain", config(false)), ("refining", config(true)), ("one level", single)]
    {
        let detector = detector(config, ResizeRule::default());
        let batches = [(2, 64, 96), (1, 64, 96)];
        compare(name, &detector, (64, 96), &batches, &[(1, 96, 96), (1, 64, 64)]);
    }
    let detector = detector(config(true), ResizeRule::default());
    let batches = [(1, 64, 96), (2, 64, 32)];
    compare("one side", &detector, (64, 0), &batches, &[(1, 96, 96)]);
}

#[test]
fn sides_that_no_model_has_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let refused = |side_multiple, height, width| {
        let resize = ResizeRule { side_multiple, ..ResizeRule::default() };
        let detector = detector(config(false), resize);
        match onnx::export(&detector, height, width, &path).unwrap_err() {
            Error::InvalidArgument { argument, reason } => format!("{argument}: {reason}"),
            other => panic!("{other}"),
        }
    };
    let multiple = "is not a multiple of the detector's side_multiple";
    assert_eq!(refused(32, 64, 100), format!("width: 100 {multiple} 32"));
    assert_eq!(refused(32, 31, 0), format!("height: 31 {multiple} 32"));
    assert_eq!(refused(24, 0, 64), format!("width: 64 {multiple} 24"));
    assert_eq!(refused(32, 1 << 20, 32), "height: 1048576 is over 8192");
    assert!(!path.exists());
}

/// A detector whose images are far from the defaults, with categories.
fn with_categories() -> Detector {
    let resize = ResizeRule { image_short_side: 64, image_long_side_max: 96, side_multiple: 32 };
    let plain = detector(config(true), resize);
    let mut description = plain.description().clone();
    description.normalisation = Normalisation { mean: [0.4, 0.5, 0.1], deviation: [0.2, 0.3, 0.5] };
    description.categories = [(3, "red \"cell\""), (7, "Zelle, weiß"), (90, "")]
        .map(|(id, name)| CocoCategory::new(id, name))
        .into();
    Detector::new(description, plain.parameters().to_vec()).unwrap()
}

#[test]
fn the_metadata_is_all_that_a_host_needs() {
    if onnx_runtime::library("predictions by metadata").is_none() {
        return;
    }
    let (detector, folder) = (with_categories(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    onnx::export(&detector, 0, 0, &folder.join("model.onnx")).unwrap();
    let options = PredictionOptions { detections_max: 18, ..PredictionOptions::default() };
    // The first is as large as the detector sees it; the others shrink, grow and change their aspect.
    for (width, height) in [(96, 64), (150, 91), (37, 45), (500, 40)] {
        let pixels: Vec<u8> =
            uniform("pixels", (width * height * 3) as usize).map(|u| (256.0 * u) as u8).collect();
        fs::write(folder.join("image.rgb"), &pixels).unwrap();
        let images = [Image::new(width, height, pixels).unwrap()];
        let mut memory = PredictorMemory::default();
        let workers = Workers::caller();
        let ours = detector.predict_images(&images, &options, &mut memory, &workers).unwrap();
        let ours = ours.all();
        run("onnx_predict.py", folder, &[width.to_string(), height.to_string()]);
        let found = fs::read(folder.join("found.json")).unwrap();
        let found: Vec<[f32; 6]> = serde_json::from_slice(&found).unwrap();
        assert_eq!((ours.len(), found.len()), (18, 18));
        let side = width.max(height) as f32;
        for one in ours {
            let distance = |other: &[f32; 6]| {
                let bounds = one.bounds.iter().zip(&other[2..]).map(|(a, b)| (a - b).abs() / side);
                bounds.fold((one.score - other[1]).abs(), f32::max)
            };
            let of_class = found.iter().filter(|other| other[0] as u32 == one.class);
            let nearest = of_class.map(distance).fold(f32::INFINITY, f32::min);
            assert!(nearest <= TOLERANCE, "{width}x{height}: {one:?} is {nearest} away");
        }
    }
    let metadata = fs::read(folder.join("metadata.json")).unwrap();
    let mut metadata: BTreeMap<String, String> = serde_json::from_slice(&metadata).unwrap();
    let description = DetectorDescription::from_text(&metadata.remove(KEY).unwrap(), "file");
    assert_eq!(&description.unwrap(), detector.description());
    let guide = host_guide(detector.description(), None, None);
    assert_eq!(metadata, guide.into_iter().map(|(name, value)| (name.into(), value)).collect());
}

/// Runs the command line on a detector; the answer as JSON, or what it says of an error.
fn command_line(arguments: &[&str]) -> Result<serde_json::Value, (Option<i32>, String)> {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_simdetr"))
        .args(arguments)
        .arg("--json")
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err((output.status.code(), String::from_utf8(output.stderr).unwrap())),
    }
}

#[test]
fn the_command_line_says_what_a_host_does() {
    let (detector, folder) = (with_categories(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (file, model) = (path("detector.safetensors"), path("model.onnx"));
    detector.save(file.as_ref(), Naming::Official).unwrap();
    let guide = |height, width| -> serde_json::Value {
        let facts = host_guide(detector.description(), height, width);
        let entry = |(name, fact): (&str, String)| (name.to_string(), fact.into());
        facts.into_iter().map(entry).collect::<serde_json::Map<_, _>>().into()
    };
    let described = command_line(&["describe", "--detector", &file]).unwrap();
    assert_eq!(described["host_guide"], guide(None, None));
    assert_eq!(described["host_guide"]["image_mean"], "0.4, 0.5, 0.1");
    assert_eq!(described["categories"][1], serde_json::json!({ "id": 7, "name": "Zelle, weiß" }));
    assert_eq!((&described["classes_count"], &described["queries_count"]), (&3.into(), &6.into()));
    let export = ["export", "--detector", &file, "--format", "onnx", "--out", &model];
    assert_eq!(command_line(&export).unwrap()["host_guide"], guide(None, None));
    let of_one_size = [&export[..], &["--height", "64", "--width", "96"]].concat();
    assert_eq!(command_line(&of_one_size).unwrap()["host_guide"], guide(Some(64), Some(96)));
    let before = fs::read(&model).unwrap();
    let (status, message) = command_line(&[&export[..], &["--width", "100"]].concat()).unwrap_err();
    assert_eq!(status, Some(2));
    assert!(message.contains("width: 100 is not a multiple"), "{message}");
    assert!(fs::read(&model).unwrap() == before);
}
