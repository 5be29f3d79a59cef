//! Weights as they come: files of other programs and failed downloads are named as what they are at
//! every door, of several networks the trained one is read, bad numbers name their tensor, and a Hugging
//! Face folder opens without our metadata.
//!
//! `tests/golden/weights/make.py` makes the files. What does not fit into memory is in `little_memory`.

#[path = "weights/little_memory.rs"]
mod little_memory;
mod onnx_runtime;
mod support;

use safetensors::tensor::{Dtype, TensorView};
use simdetr::Error;
use simdetr::backbone::architecture::Architecture;
use simdetr::backbone::checkpoint::Checkpoint;
use simdetr::backbone::resnet_weights::ResNetWeights;
use simdetr::data::image::{Image, Normalisation, ResizeRule};
use simdetr::detector::config::DetectorConfig;
use simdetr::detector::description::DetectorDescription;
use simdetr::detector::hugging_face::hugging_face_config;
use simdetr::detector::naming::Naming;
use simdetr::detector::weights;
use simdetr::detector::whole_detector::Detector;
use simdetr::encoder::options::EncoderOptions;
use simdetr::encoder::source;
use simdetr::workers::Workers;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::scenes;

/// A file, and words that its error must have.
const FILES: [(&str, &[&str]); 13] = [
    ("torch_zip.pth", &["PyTorch checkpoint (zip)", "torch.load", "save_file"]),
    ("torch_legacy.pth", &["pickle", "PyTorch", "torch.load"]),
    ("arrays.npz", &["NumPy"]),
    ("lfs_pointer.safetensors", &["git-LFS pointer", "102540417", "git lfs pull"]),
    ("page.safetensors", &["HTML page", "download"]),
    ("error.safetensors", &["XML", "download"]),
    ("answer.safetensors", &["JSON", "Repository not found"]),
    ("index.json", &["several files"]),
    ("weights.safetensors.gz", &["gzip", "unpack"]),
    ("weights.tar", &["tar archive", "unpack"]),
    ("keras.h5", &["HDF5"]),
    ("zeros.safetensors", &["zeros"]),
    ("empty.safetensors", &["empty"]),
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/weights").join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn simdetr(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simdetr")).args(arguments).output().unwrap()
}

fn message(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn encoder_of(path: &Path) -> EncoderOptions {
    EncoderOptions { encoder: text(path).into(), ..EncoderOptions::default() }
}

/// A folder with scenes, their true boxes and a document of a detector that is soon trained.
struct Place(tempfile::TempDir);

const DOCUMENT: &str = "
[detector]
hidden_size = 32
queries_count = 12
levels_count = 2
[augmentation]
image_short_sides = [64]
image_long_side_max = 96
[training]
batch_size = 2
steps = 1
";

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        let truth = scenes::write(&place.path("images"), 2);
        fs::write(place.path("truth.json"), truth).unwrap();
        fs::write(place.path("config.toml"), DOCUMENT).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn finetune(&self, init: &Path, more: &[&str]) -> Output {
        let path = |name| text(&self.path(name)).to_string();
        let (truth, images, out, config) =
            (path("truth.json"), path("images"), path("out"), path("config.toml"));
        let arguments =
            ["finetune", "--annotations", &truth, "--images", &images, "--init", text(init)];
        let rest = ["--out", &out, "--preset", "tiny", "--config", &config];
        simdetr(&[&arguments[..], &rest, more].concat())
    }
}

#[test]
fn files_that_are_no_weights_are_named_at_every_door() {
    let place = Place::new();
    for (name, words) in FILES {
        let path = golden(name);
        let mut messages = vec![
            source::open(&encoder_of(&path)).err().unwrap().to_string(),
            source::weights(&encoder_of(&path)).unwrap_err().to_string(),
            source::open_bytes(&fs::read(&path).unwrap(), &EncoderOptions::default())
                .err()
                .unwrap()
                .to_string(),
            Detector::open(&path, None).unwrap_err().to_string(),
            ResNetWeights::from_safetensors(&fs::read(&path).unwrap(), name)
                .unwrap_err()
                .to_string(),
        ];
        if ["torch_zip.pth", "lfs_pointer.safetensors"].contains(&name) {
            messages.push(message(&place.finetune(&path, &[])));
            let (images, out) = (place.path("images"), place.path("out"));
            let predict = ["predict", "--images", text(&images), "--out", text(&out)];
            messages
                .push(message(&simdetr(&[&predict[..], &["--detector", text(&path)]].concat())));
            let extract = ["extract", "--images", text(&images), "--out", text(&out)];
            messages.push(message(&simdetr(&[&extract[..], &["--encoder", text(&path)]].concat())));
            assert!(!out.join("proposals").exists());
        }
        for message in messages {
            assert!(words.iter().all(|word| message.contains(word)), "{name}: {message}");
        }
    }
    let onnx = Detector::open(&golden("nan.onnx"), None).unwrap_err().to_string();
    assert!(onnx.contains("ONNX model"), "{onnx}");
    let folder = Detector::open(&place.path("images"), None).unwrap_err().to_string();
    assert!(folder.contains("a folder without a safetensors file"), "{folder}");
}

/// Named tensors of f32.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A ResNet-18 of 8 channels whose every number is `value`.
fn resnet(prefix: &str, value: f32) -> Tensors {
    let parameters = Architecture::with_depth(18, 8).unwrap().parameters();
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let length = shape.iter().product();
        (format!("{prefix}{name}"), (shape, vec![value; length]))
    };
    parameters.into_iter().map(tensor).collect()
}

fn file(tensors: &Tensors) -> Vec<u8> {
    let bytes: BTreeMap<&str, Vec<u8>> = tensors
        .iter()
        .map(|(name, (_, values))| {
            (name.as_str(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, (shape, _))| {
        (name, TensorView::new(Dtype::F32, shape.clone(), &bytes[name.as_str()]).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn of_twins_the_trained_network_is_read_and_a_key_chooses_the_other() {
    for (trained, copy) in [
        ("encoder_q.", "encoder_k."),
        ("query_encoder.", "key_encoder."),
        ("base_encoder.", "momentum_encoder."),
        ("backbone.", "backbone_momentum."),
        ("backbone.", "momentum_backbone."),
        ("backbone.", "backbone_ema."),
        ("online_network.", "target_network."),
        ("student.backbone.", "teacher.backbone."),
        ("state_dict.", "state_dict_ema."),
        ("module.encoder_q.", "module.encoder_k."),
        ("momentum_contrast.encoder_q.", "momentum_contrast.encoder_k."),
        ("", "ema."),
        ("", "model_ema.module."),
    ] {
        let mut tensors = resnet(trained, 0.5);
        tensors.extend(resnet(copy, 0.25));
        // Optimisers leave their own beside them.
        tensors.insert(format!("{trained}conv1.weight_momentum"), (vec![1], vec![9.0]));
        tensors.insert(format!("{trained}layer1.0.conv1.weight.exp_avg"), (vec![1], vec![9.0]));
        let bytes = file(&tensors);
        let read = |prefix| {
            ResNetWeights::read(Checkpoint::read(&bytes, "twins").unwrap(), prefix, "the.key")
        };
        let (weights, choice) = read("").unwrap();
        assert_eq!(weights.values("conv1.weight")[0], 0.5, "{trained} {copy}");
        let sentence = choice.sentence().unwrap();
        assert!(sentence.contains(copy), "{sentence}");
        let (weights, _) = read(copy).unwrap();
        assert_eq!(weights.values("conv1.weight")[0], 0.25, "{trained} {copy}");
        let root = if trained.is_empty() { "." } else { trained };
        assert_eq!(read(root).unwrap().0.values("conv1.weight")[0], 0.5);
        let error = read("elsewhere").unwrap_err().to_string();
        assert!(error.contains("`the.key`") && error.contains(copy), "{error}");
    }
    let only = file(&resnet("teacher.", 0.25));
    assert!(ResNetWeights::from_safetensors(&only, "a copy alone").is_ok());
}

#[test]
fn networks_that_no_rule_tells_apart_are_refused_by_name() {
    for (first, second) in [("left.", "right."), ("ema.", "teacher."), ("", "encoder.")] {
        let mut tensors = resnet(first, 0.5);
        tensors.extend(resnet(second, 0.25));
        let bytes = file(&tensors);
        let error = ResNetWeights::from_safetensors(&bytes, "two").unwrap_err();
        assert!(matches!(error, Error::WeightNames { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains(second) && error.contains("encoder.weights_prefix"), "{error}");
    }
}

#[test]
fn the_encoders_key_chooses_and_its_fingerprint_says_which() {
    let place = Place::new();
    let path = place.path("moco.safetensors");
    let mut tensors = resnet("encoder_q.", 0.01);
    tensors.extend(resnet("encoder_k.", 0.02));
    fs::write(&path, file(&tensors)).unwrap();
    let open = |prefix: &str| {
        let options = EncoderOptions { weights_prefix: prefix.into(), ..encoder_of(&path) };
        source::open(&options).map(|encoder| {
            let image = Image::filled(64, 64, [200, 90, 30]).unwrap();
            let maps = encoder.encode(&[image], &Workers::caller()).unwrap();
            (encoder.fingerprint(), maps[0][0].values.clone())
        })
    };
    let (trained, copy) = (open("").unwrap(), open("encoder_k").unwrap());
    assert!(trained.0.ends_with("under `encoder_q.`") && copy.0.ends_with("under `encoder_k.`"));
    assert_ne!(trained.1, copy.1);
    assert_eq!(open("encoder_q.").unwrap(), trained);
    assert!(open("encoder_x").is_err());
}

#[test]
fn a_bad_number_names_its_tensor_and_its_place() {
    for (tensor, index, value, words) in [
        ("layer2.1.bn2.running_var", 3, -0.5, "value -0.5 at index 3 is negative"),
        ("layer4.0.conv1.weight", 17, f32::NAN, "value NaN at index 17"),
        ("bn1.bias", 7, f32::INFINITY, "value inf at index 7"),
    ] {
        let mut tensors = resnet("module.", 0.5);
        tensors.get_mut(&format!("module.{tensor}")).unwrap().1[index] = value;
        let error = ResNetWeights::from_safetensors(&file(&tensors), "w.safetensors").unwrap_err();
        let error = error.to_string();
        let named = format!("w.safetensors: module.{tensor}");
        assert!(error.contains(words) && error.starts_with(&named), "{error}");
    }
    // Finite weights that lead out of the numbers.
    let place = Place::new();
    let path = place.path("huge.safetensors");
    fs::write(&path, file(&resnet("", 1e30))).unwrap();
    let image = Image::filled(64, 64, [200, 90, 30]).unwrap();
    let encoder = source::open(&encoder_of(&path)).unwrap();
    let error = encoder.encode(&[image], &Workers::caller()).unwrap_err();
    assert!(matches!(&error, Error::NonFinite { name, .. } if name.contains("huge")), "{error}");
}

#[test]
fn an_onnx_encoder_that_gives_nan_is_refused_when_it_is_opened() {
    let Some(library) = onnx_runtime::library("an encoder that gives NaN") else { return };
    let path = golden("nan.onnx");
    let options = EncoderOptions { onnx_library: text(&library).into(), ..encoder_of(&path) };
    let error = source::open(&options).err().unwrap();
    assert!(
        matches!(&error, Error::NonFinite { name, .. }
        if name.contains("nan.onnx") && name.contains("`map`")),
        "{error}"
    );
}

fn detector(box_refinement: bool) -> Detector {
    let config = DetectorConfig {
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
    };
    let resize = ResizeRule { image_short_side: 64, image_long_side_max: 96, side_multiple: 32 };
    let normalisation = Normalisation { mean: [0.5, 0.25, 0.125], deviation: [0.5, 0.25, 0.25] };
    let mut description = DetectorDescription::unnamed(config, normalisation, resize);
    for (category, name) in description.categories.iter_mut().zip(["N/A", "person", "dog"]) {
        category.name = name.into();
    }
    Detector::untrained(description, 5).unwrap()
}

const PREPROCESSOR: &str = r#"{"image_processor_type": "DeformableDetrImageProcessor",
    "do_normalize": true, "do_rescale": true, "do_resize": true, "format": "coco_detection",
    "image_mean": [0.5, 0.25, 0.125], "image_std": [0.5, 0.25, 0.25],
    "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 64, "longest_edge": 96}}"#;

/// A folder as `save_pretrained` leaves it.
fn hugging_face_folder(detector: &Detector) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let (config, table) = (detector.config(), detector.table());
    weights::write(&path, config, table, detector.parameters(), Naming::HuggingFace, None).unwrap();
    let document = hugging_face_config(detector).unwrap();
    fs::write(folder.path().join("config.json"), document).unwrap();
    fs::write(folder.path().join("preprocessor_config.json"), PREPROCESSOR).unwrap();
    folder
}

#[test]
fn a_hugging_face_folder_opens_without_our_metadata() {
    for refining in [false, true] {
        let detector = detector(refining);
        let folder = hugging_face_folder(&detector);
        let file = folder.path().join("model.safetensors");
        let other = DetectorDescription::unnamed(
            DetectorConfig::default(),
            Normalisation::default(),
            ResizeRule::default(),
        );
        for path in [folder.path(), &file] {
            for plain in [None, Some(&other)] {
                assert_eq!(Detector::open(path, plain).unwrap(), detector, "{}", path.display());
            }
        }
        // `transformers` leaves out what is its default, and older versions wrote sizes otherwise.
        fs::write(
            folder.path().join("preprocessor_config.json"),
            r#"{"image_mean": [0.5, 0.25, 0.125], "image_std": [0.5, 0.25, 0.25], "size": 64,
                "max_size": 96}"#,
        )
        .unwrap();
        assert_eq!(Detector::open(folder.path(), None).unwrap(), detector);
        fs::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
        let opened = Detector::open(folder.path(), None).unwrap();
        assert_eq!(opened.parameters(), detector.parameters());
        assert_eq!(opened.description().normalisation, Normalisation::default());
        assert_eq!(opened.description().resize.image_short_side, 800);
    }
}

#[test]
fn the_command_line_takes_a_hugging_face_folder() {
    let place = Place::new();
    let folder = hugging_face_folder(&detector(false));
    let (images, out) = (place.path("images"), place.path("predictions.json"));
    let arguments = ["predict", "--images", text(&images), "--out", text(&out), "--detector"];
    let output = simdetr(&[&arguments[..], &[text(folder.path())]].concat());
    assert!(output.status.success(), "{}", message(&output));
    assert!(fs::read_to_string(&out).unwrap().contains("\"person\""));
    let output = place.finetune(folder.path(), &[]);
    assert!(output.status.success(), "{}", message(&output));
    let trained = Detector::open(&place.path("out"), None).unwrap();
    assert_eq!((trained.config().hidden_size, trained.config().queries_count), (32, 6));
}

#[test]
fn documents_that_do_not_fit_are_refused_by_key() {
    let folder = hugging_face_folder(&detector(false));
    let path = folder.path().join("config.json");
    let document: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    for (key, value, words) in [
        ("model_type", serde_json::json!("detr"), "`model_type` is `detr`"),
        ("two_stage", serde_json::json!(true), "`two_stage`"),
        ("d_model", serde_json::json!("wide"), "`d_model`"),
        ("d_model", serde_json::json!(64), "`hidden_size` is 32 in the file and 64 here"),
        ("num_queries", serde_json::json!(300), "`queries_count` is 6 in the file and 300 here"),
        ("encoder_n_points", serde_json::json!(2), "`encoder_n_points` is 2"),
        ("id2label", serde_json::json!({"0": "a", "1": "b"}), "3 names in `id2label`"),
        ("backbone_config", serde_json::json!({"model_type": "swin"}), "`swin`"),
        ("backbone_config", serde_json::json!(null), "`backbone_depth`"),
    ] {
        let mut changed = document.clone();
        changed[key] = value;
        fs::write(&path, changed.to_string()).unwrap();
        let error = Detector::open(folder.path(), None).unwrap_err().to_string();
        assert!(error.contains(words), "{key}: {error}");
    }
}

#[test]
fn wrapped_detectors_and_their_copies_open() {
    let detector = detector(true);
    let (config, table) = (detector.config(), detector.table());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.safetensors");
    for naming in [Naming::Official, Naming::HuggingFace] {
        weights::write(&path, config, table, detector.parameters(), naming, None).unwrap();
        let bytes = fs::read(&path).unwrap();
        let plain = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors = Tensors::new();
        for (name, view) in plain.tensors() {
            let values: Vec<f32> =
                view.data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
            let halves = values.iter().map(|value| value / 2.0).collect();
            tensors.insert(format!("model_ema.{name}"), (view.shape().to_vec(), halves));
            tensors.insert(format!("module.{name}"), (view.shape().to_vec(), values));
        }
        let bytes = file(&tensors);
        let open = |prefix: &str| {
            let mut plain = detector.description().clone();
            plain.config.weights_prefix = prefix.into();
            Detector::from_bytes(&bytes, "wrapped", Some(&plain))
        };
        assert_eq!(open("").unwrap().parameters(), detector.parameters());
        let copy = open("model_ema").unwrap();
        assert_eq!(copy.parameters()[0], detector.parameters()[0] / 2.0);
        assert!(open("elsewhere").unwrap_err().to_string().contains("detector.weights_prefix"));
    }
}

#[test]
fn sizes_that_differ_are_named_before_any_work() {
    let place = Place::new();
    let detector = detector(false);
    let path = place.path("plain.safetensors");
    let (config, table) = (detector.config(), detector.table());
    weights::write(&path, config, table, detector.parameters(), Naming::Official, None).unwrap();
    let error = message(&place.finetune(&path, &[]));
    for words in [
        "`backbone_width` is 8 in the file and 32 here",
        "`queries_count` is 6 in the file and 12 here",
    ] {
        assert!(error.contains(words), "{error}");
    }
    // The backbone that the encoder gives is another than the detector's: told before extraction.
    let (images, out) = (place.path("images"), place.path("run"));
    fs::write(place.path("wide.toml"), "[detector]\nbackbone_depth = 34\n").unwrap();
    let output = simdetr(&[
        "pretrain",
        "--images",
        text(&images),
        "--out",
        text(&out),
        "--preset",
        "tiny",
        "--config",
        text(&place.path("wide.toml")),
    ]);
    let error = message(&output);
    assert!(error.contains("ResNet-18 with 32 channels") && error.contains("depth 34"), "{error}");
    assert!(!out.join("proposals").exists());
}
