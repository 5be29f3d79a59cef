//! A detector of drawn weights, and what our network says about drawn images, for peers that run the same
//! detector in Python.

use super::formula::uniform;
use simdetr::control::Control;
use simdetr::data::image::{Normalisation, ResizeRule};
use simdetr::detector::config::DetectorConfig;
use simdetr::detector::description::DetectorDescription;
use simdetr::detector::network::{BatchShape, DetectorNetwork};
use simdetr::detector::parameters::initialise;
use simdetr::detector::parameters::parameter_table;
use simdetr::detector::whole_detector::Detector;
use simdetr::nn::network::{Memory, Purpose};
use simdetr::nn::parameter_values::ParameterValues;
use simdetr::workers::Workers;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The sizes of `make_names.py`.
pub fn config(box_refinement: bool) -> DetectorConfig {
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
pub fn detector(config: DetectorConfig, resize: ResizeRule) -> Detector {
    let table = parameter_table(&config).unwrap();
    let mut parameters = initialise(&table, 11).unwrap();
    for parameter in table.iter() {
        let values = &mut parameters[parameter.range.clone()];
        if parameter.shape.len() < 4 {
            let more = uniform(&parameter.name, values.len());
            values.iter_mut().zip(more).for_each(|(value, u)| *value += (0.3 * u - 0.1) as f32);
        }
    }
    let description = DetectorDescription::unnamed(config, Normalisation::default(), resize);
    Detector::new(description, parameters).unwrap()
}

/// A folder with images for a peer, and what our network says about them.
pub struct Case {
    folder: PathBuf,
    logits: Vec<f32>,
    boxes: Vec<f32>,
}

impl Case {
    /// Writes `images.f32`, `[images, 3, height, width]`, into `folder`, which is made.
    pub fn write(folder: &Path, detector: &Detector, shape: BatchShape) -> Case {
        let config = detector.config();
        let BatchShape { images: count, height, width } = shape;
        let workers = Workers::with_threads(2).unwrap();
        let network =
            DetectorNetwork::new(config, detector.table(), shape, Purpose::Prediction, 2).unwrap();
        let mut memory = Memory::default();
        let images: Vec<f32> =
            uniform("images", count * 3 * height * width).map(|u| (4.0 * u - 2.0) as f32).collect();
        // Ours has the channels last.
        let target = network.images_mut(&mut memory);
        for (place, target) in target.iter_mut().enumerate() {
            let (image, pixel, channel) =
                (place / (height * width * 3), place / 3 % (height * width), place % 3);
            *target = images[(image * 3 + channel) * height * width + pixel];
        }
        let parameters = ParameterValues::new(detector.parameters().to_vec());
        let constants = network.constants(&parameters, None, &workers).unwrap();
        let runners = (&workers, &Control::default());
        network.network().predict(&mut memory, &parameters, &constants, runners).unwrap();
        let (logits, boxes) = (network.logits(&memory, 0), network.boxes(&memory, 0));
        let bytes: Vec<u8> = images.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("images.f32"), bytes).unwrap();
        Case { folder: folder.into(), logits: logits.to_vec(), boxes: boxes.to_vec() }
    }

    /// Compares `logits.f32` and `boxes.f32` of the folder.
    pub fn compare(&self, name: &str, tolerance: f32) {
        for (file, ours) in [("logits.f32", &self.logits), ("boxes.f32", &self.boxes)] {
            let bytes = fs::read(self.folder.join(file)).unwrap();
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

pub fn python() -> Command {
    Command::new(std::env::var_os("SIMDETR_PYTHON").unwrap_or("python3".into()))
}

/// Runs a script of `tests/python`.
pub fn run(script: &str, folder: &Path, arguments: &[impl AsRef<OsStr>]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
    let output = python().arg(path).arg(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
