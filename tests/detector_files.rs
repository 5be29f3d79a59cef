//! A detector's files in other programs' hands: `transformers` opens ours and saves its own, ONNX
//! Runtime runs our export. Both give our logits and boxes.

#[path = "support/formula.rs"]
mod formula;
mod onnx_runtime;

use formula::uniform;
use safetensors::SafeTensors;
use serde_json::Value;
use simdetr::control::Control;
use simdetr::data::image::{Normalisation, ResizeRule};
use simdetr::detector::deformable_detr::config::DetectorConfig;
use simdetr::detector::deformable_detr::description::DetectorDescription;
use simdetr::detector::deformable_detr::detector::Detector;
use simdetr::detector::deformable_detr::hugging_face_config::hugging_face_config;
use simdetr::detector::deformable_detr::initialise::initialise;
use simdetr::detector::deformable_detr::names::parameter_table;
use simdetr::detector::deformable_detr::network::{BatchShape, DetectorNetwork};
use simdetr::detector::deformable_detr::weights::Naming;
use simdetr::detector::onnx;
use simdetr::nn::network::{Memory, Purpose};
use simdetr::nn::parameter_values::ParameterValues;
use simdetr::workers::Workers;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const NAMES: &str = include_str!("golden/detector/names.json");
const IMAGES: usize = 2;
const HEIGHT: usize = 64;
const WIDTH: usize = 96;

/// The sizes of `make_names.py`.
fn config(box_refinement: bool) -> DetectorConfig {
    DetectorConfig {
        backbone_depth: 18,
        backbone_width: 8,
        hidden_size: 32,
        encoder_layers_count: 1,
        decoder_layers_count: 2,
        feedforward_size: 16,
        queries_count: 6,
        classes_count: 3,
        box_refinement,
        ..DetectorConfig::default()
    }
}

/// Drawn weights, and something added to every one but the backbone's convolutions, so that none is 0
/// and no two heads are alike.
fn detector(config: DetectorConfig) -> Detector {
    let table = parameter_table(&config).unwrap();
    let mut parameters = initialise(&config, &table, 11).unwrap();
    for parameter in table.iter() {
        let values = &mut parameters[parameter.range.clone()];
        if parameter.shape.len() < 4 {
            let more = uniform(&parameter.name, values.len());
            values.iter_mut().zip(more).for_each(|(value, u)| *value += (0.3 * u - 0.1) as f32);
        }
    }
    let (normalisation, resize) = (Normalisation::default(), ResizeRule::default());
    Detector::new(DetectorDescription::unnamed(config, normalisation, resize), parameters).unwrap()
}

/// A folder with images for a peer, and what our network says about them.
struct Case {
    folder: tempfile::TempDir,
    logits: Vec<f32>,
    boxes: Vec<f32>,
}

impl Case {
    fn new(detector: &Detector) -> Case {
        let config = detector.config();
        let shape = BatchShape { images: IMAGES, height: HEIGHT, width: WIDTH };
        let workers = Workers::with_threads(2).unwrap();
        let network =
            DetectorNetwork::new(config, detector.table(), shape, Purpose::Prediction, 2).unwrap();
        let mut memory = Memory::default();
        let images: Vec<f32> = uniform("images", IMAGES * 3 * HEIGHT * WIDTH)
            .map(|u| (4.0 * u - 2.0) as f32)
            .collect();
        // Ours has the channels last.
        let target = network.images_mut(&mut memory);
        for (place, target) in target.iter_mut().enumerate() {
            let (image, pixel, channel) =
                (place / (HEIGHT * WIDTH * 3), place / 3 % (HEIGHT * WIDTH), place % 3);
            *target = images[(image * 3 + channel) * HEIGHT * WIDTH + pixel];
        }
        let parameters = ParameterValues::new(detector.parameters().to_vec());
        let constants = network.constants(&parameters, None, &workers).unwrap();
        let runners = (&workers, &Control::default());
        network.network().predict(&mut memory, &parameters, &constants, runners).unwrap();
        let (logits, boxes) = (network.logits(&memory, 0), network.boxes(&memory, 0));
        let case = Case {
            folder: tempfile::tempdir().unwrap(),
            logits: logits.to_vec(),
            boxes: boxes.to_vec(),
        };
        let bytes: Vec<u8> = images.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(case.path().join("images.f32"), bytes).unwrap();
        case
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a script of `tests/python` on the folder.
    fn run(&self, script: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
        let (height, width) = (HEIGHT.to_string(), WIDTH.to_string());
        let output = python().arg(path).arg(self.path()).args([height, width]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Compares what the script wrote.
    fn compare(&self, name: &str, tolerance: f32) {
        for (file, ours) in [("logits.f32", &self.logits), ("boxes.f32", &self.boxes)] {
            let bytes = fs::read(self.path().join(file)).unwrap();
            let theirs: Vec<f32> =
                bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            assert_eq!(theirs.len(), ours.len());
            assert!(ours.iter().chain(&theirs).all(|value| value.is_finite()), "{name}, {file}");
            let differences = theirs.iter().zip(ours).map(|(a, b)| (a - b).abs());
            let largest = differences.fold(0.0, f32::max);
            println!("{name}, {file}: largest difference {largest:.1e}");
            assert!(largest <= tolerance, "{name}, {file}: {largest}");
        }
    }
}

fn python() -> Command {
    Command::new(std::env::var_os("SIMDETR_PYTHON").unwrap_or("python3".into()))
}

fn has_transformers() -> bool {
    let found = python().args(["-c", "import torch, transformers"]).output();
    found.is_ok_and(|output| output.status.success())
}

/// Names and shapes of a safetensors file.
fn tensors(path: &Path) -> BTreeMap<String, Vec<usize>> {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors().into_iter().map(|(name, view)| (name, view.shape().to_vec())).collect()
}

#[test]
fn our_files_have_every_name_that_transformers_saves() {
    let golden: Value = serde_json::from_str(NAMES).unwrap();
    for (name, box_refinement) in [("plain", false), ("refining", true)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        detector(config(box_refinement)).save(&path, Naming::HuggingFace).unwrap();
        let ours = tensors(&path);
        let theirs: BTreeMap<String, Vec<usize>> =
            serde_json::from_value(golden[name].clone()).unwrap();
        for (tensor, shape) in &theirs {
            assert_eq!(ours.get(tensor), Some(shape), "{name}: {tensor}");
        }
        // What is more are heads, which it stores once where layers share them.
        let more = ours.keys().filter(|tensor| !theirs.contains_key(*tensor));
        for tensor in more {
            assert!(
                tensor.starts_with("class_embed.") || tensor.starts_with("bbox_embed."),
                "{tensor}"
            );
        }
    }
}

#[test]
fn transformers_opens_our_files_and_we_open_its() {
    if !has_transformers() {
        println!("skipped: no Python with torch and transformers (SIMDETR_PYTHON)");
        return;
    }
    for (name, box_refinement) in [("plain", false), ("refining", true)] {
        let detector = detector(config(box_refinement));
        let case = Case::new(&detector);
        detector.save(&case.path().join("model.safetensors"), Naming::HuggingFace).unwrap();
        let document = hugging_face_config(&detector).unwrap();
        fs::write(case.path().join("config.json"), document).unwrap();
        case.run("hugging_face.py");
        case.compare(name, 1e-4);
        let saved = case.path().join("saved/model.safetensors");
        let opened = Detector::open(&saved, Some(detector.description())).unwrap();
        let same = |name: &str| {
            let range = detector.table().get(name).unwrap().range.clone();
            detector.parameters()[range.clone()] == opened.parameters()[range]
        };
        let other: Vec<&str> = detector
            .table()
            .iter()
            .map(|one| one.name.as_str())
            .filter(|name| !same(name))
            .collect();
        assert!(other.is_empty(), "{name}: {other:?}");
    }
}

#[test]
fn onnx_runtime_finds_the_same_boxes() {
    if onnx_runtime::library("ONNX export").is_none() {
        return;
    }
    let single = DetectorConfig { levels_count: 1, points_count: 3, ..config(true) };
    let bottleneck = DetectorConfig { backbone_depth: 50, levels_count: 2, ..config(false) };
    for (name, config) in [
        ("plain", config(false)),
        ("refining", config(true)),
        ("one level", single),
        ("ResNet-50, two levels", bottleneck),
    ] {
        let detector = detector(config);
        let case = Case::new(&detector);
        onnx::export(&detector, HEIGHT, WIDTH, &case.path().join("model.onnx")).unwrap();
        case.run("onnx_outputs.py");
        case.compare(name, 1e-3);
    }
}

#[test]
fn sizes_that_no_model_has_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let error = onnx::export(&detector(config(false)), 1 << 20, 32, &path).unwrap_err();
    assert!(error.to_string().contains("height") && !path.exists(), "{error}");
}
