//! After pretraining, as a user runs it: fine-tuning from every start, resumed to the same bytes,
//! measured; predictions and exports of its detector; bad input.

mod support;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{QUICK_DETECTOR, scenes};

fn simdetr(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simdetr")).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn answer(arguments: &[&str]) -> Value {
    let output = simdetr(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// Six scenes whose only category has the id 41.
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let truth = scenes::write(&place.path("images"), 6);
        let truth = truth.replace("\"category_id\":1", "\"category_id\":41");
        let truth =
            truth.replace("{\"id\":1,\"name\":\"thing\"}", "{\"id\":41,\"name\":\"thing\"}");
        fs::write(place.path("truth.json"), truth).unwrap();
        fs::write(place.path("config.toml"), QUICK_DETECTOR).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arguments(&self, init: &str, out: &str) -> Vec<String> {
        let path = |name| text(&self.path(name)).to_string();
        let options = [
            ("--annotations", path("truth.json")),
            ("--images", path("images")),
            ("--init", init.to_string()),
            ("--out", path(out)),
            ("--preset", "tiny".to_string()),
            ("--config", path("config.toml")),
        ];
        let options = options.into_iter().flat_map(|(name, value)| [name.to_string(), value]);
        ["finetune".to_string()].into_iter().chain(options).collect()
    }

    fn finetune(&self, init: &str, out: &str, extra: &[&str]) -> Value {
        let arguments = self.arguments(init, out);
        answer(&[&arguments.iter().map(String::as_str).collect::<Vec<_>>()[..], extra].concat())
    }

    fn refused(&self, init: &str, extra: &[&str]) -> (i32, String) {
        let arguments = self.arguments(init, "refused");
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = simdetr(&[&arguments[..], extra].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn a_detector_is_trained_measured_resumed_and_read_by_every_command() {
    let place = Place::new();
    let truth = place.path("truth.json");
    let measured = ["--test-annotations", text(&truth)];
    let first = place.finetune("encoder", "first", &measured);
    assert_eq!(
        (first["steps_count"].as_u64(), first["classes_count"].as_u64()),
        (Some(3), Some(1))
    );
    for figure in ["AP", "AP50", "AR@100"] {
        assert!((0.0..=1.0).contains(&first[figure].as_f64().unwrap()), "{figure}");
    }
    let detector = PathBuf::from(first["detector"].as_str().unwrap());
    let bytes = fs::read(&detector).unwrap();

    // As after a kill: the last checkpoint is lost, and so is what came after it.
    let checkpoints = place.path("first/checkpoints");
    fs::remove_file(checkpoints.join("stage1-000003.safetensors")).unwrap();
    fs::remove_file(&detector).unwrap();
    place.finetune("encoder", "first", &measured);
    assert!(fs::read(&detector).unwrap() == bytes, "a resumed run ends with other bytes");

    let (images, out) = (place.path("images"), place.path("boxes.json"));
    let arguments = ["predict", "--detector", text(&detector), "--images", text(&images)];
    let predicted =
        answer(&[&arguments[..], &["--out", text(&out), "--detections-max", "5"]].concat());
    assert_eq!(
        (predicted["images_count"].as_u64(), predicted["boxes_count"].as_u64()),
        (Some(6), Some(30))
    );
    let written: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    assert_eq!(written["categories"][0]["id"], 41);
    assert_eq!(written["annotations"][0]["category_id"], 41);
    answer(&["evaluate", "--ground-truth", text(&truth), "--detections", text(&out)]);

    let onnx = place.path("detector.onnx");
    let exported = ["export", "--detector", text(&detector), "--format", "onnx"];
    answer(&[&exported[..], &["--out", text(&onnx), "--height", "64", "--width", "96"]].concat());
    assert!(fs::metadata(&onnx).unwrap().len() > 1 << 20);
    for format in ["official", "hugging-face"] {
        let copy = place.path("copy.safetensors");
        let exported = ["export", "--detector", text(&detector), "--format", format];
        answer(&[&exported[..], &["--out", text(&copy)]].concat());
        let other = place.path("other.json");
        let arguments = ["predict", "--detector", text(&copy), "--images", text(&images)];
        answer(&[&arguments[..], &["--out", text(&other), "--detections-max", "5"]].concat());
        assert!(fs::read(&other).unwrap() == fs::read(&out).unwrap(), "{format}");
    }
    let document: Value =
        serde_json::from_slice(&fs::read(place.path("config.json")).unwrap()).unwrap();
    assert_eq!(document["id2label"]["0"], "thing");
}

#[test]
fn every_start_is_possible_and_gives_another_detector() {
    let place = Place::new();
    place.finetune("random", "random", &[]);
    let pretrained = place.path("random/detector.safetensors");
    let backbone = place.path("backbone.safetensors");
    let export = ["export", "--detector", text(&pretrained), "--format", "backbone"];
    answer(&[&export[..], &["--out", text(&backbone)]].concat());
    let mut results = vec![fs::read(&pretrained).unwrap()];
    let checkpoint = place.path("random/checkpoints/stage1-000002.safetensors");
    for (name, init) in [
        ("encoder", "encoder"),
        ("detector", text(&pretrained)),
        ("backbone", text(&backbone)),
        ("checkpoint", text(&checkpoint)),
    ] {
        let report = place.finetune(init, name, &["--fraction", "0.5", "--split-seed", "3"]);
        assert_eq!(report["images_count"], 3);
        results.push(fs::read(place.path(name).join("detector.safetensors")).unwrap());
    }
    for (index, result) in results.iter().enumerate() {
        assert!(results[..index].iter().all(|other| other != result), "start {index}");
    }
}

#[test]
fn what_cannot_be_trained_is_named() {
    let place = Place::new();
    let (status, message) = place.refused("random", &["--fraction", "0.05"]);
    assert_eq!(status, 2);
    assert!(message.contains("0.05 of 6 images leaves none"), "{message}");
    let (_, message) = place.refused("nowhere.safetensors", &[]);
    assert!(message.contains("nowhere.safetensors"), "{message}");
    let text_file = place.path("config.toml");
    let (_, message) = place.refused(text(&text_file), &[]);
    assert!(message.contains("safetensors"), "{message}");

    place.finetune("random", "kept", &[]);
    let arguments = place.arguments("encoder", "kept");
    let output = simdetr(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && message.contains("another run"), "{message}");

    fs::remove_file(place.path("images/scene-2.png")).unwrap();
    let (status, message) = place.refused("random", &[]);
    assert_eq!(status, 1);
    assert!(message.contains("1 of 6 images") && message.contains("scene-2.png"), "{message}");
}

#[test]
fn what_only_training_has_is_the_documents_on_a_detector_of_a_file_too() {
    let place = Place::new();
    let with = |key: &str| {
        let document = QUICK_DETECTOR.replace("[detector]", &format!("[detector]\n{key}"));
        fs::write(place.path("config.toml"), document).unwrap();
    };
    with("box_refinement = false");
    let plain = place.finetune("random", "plain", &[]);
    with("look_forward_twice = true");
    // Its layers refine no boxes.
    let (status, message) = place.refused(plain["detector"].as_str().unwrap(), &[]);
    assert_eq!(status, 2, "{message}");
    assert!(message.contains("look_forward_twice: true; only layers that refine"), "{message}");
}
