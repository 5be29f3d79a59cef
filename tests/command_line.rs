//! The command line as a user runs it: the whole of stage 0, its exit statuses, and bad input.

mod support;

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use support::scenes;

fn simdetr(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simdetr")).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Standard output as JSON after a success.
fn answer(arguments: &[&str]) -> Value {
    let output = simdetr(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exit status and message after a failure; nothing is on standard output.
fn failure(arguments: &[&str]) -> (i32, String) {
    let output = simdetr(arguments);
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_folder_becomes_a_data_set_that_can_be_scored_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    let truth = scenes::write(&images, 6);
    let (run, data_set) = (folder.path().join("run"), folder.path().join("T0.json"));

    let extracted = answer(&["extract", "--images", text(&images), "--out", text(&run)]);
    assert_eq!(extracted["images_count"], 6);
    assert!(extracted["proposals_count"].as_u64().unwrap() >= 6);
    let clustered = answer(&["cluster", "--run", text(&run), "--classes", "4"]);
    assert_eq!(clustered["classes"], 4);
    let exported = answer(&["export", "--run", text(&run), "--out", text(&data_set)]);
    assert_eq!(exported["boxes_count"], extracted["proposals_count"]);

    let written: Value = serde_json::from_slice(&fs::read(&data_set).unwrap()).unwrap();
    assert_eq!(written["images"].as_array().unwrap().len(), 6);
    assert_eq!(written["categories"].as_array().unwrap().len(), 4);
    assert_eq!(written["annotations"][0]["id"], 1);

    let ground_truth = folder.path().join("truth.json");
    fs::write(&ground_truth, truth).unwrap();
    let arguments =
        ["evaluate", "--ground-truth", text(&ground_truth), "--detections", text(&data_set)];
    let scored =
        answer(&[&arguments[..], &["--class-agnostic", "--detections-max", "5,25"]].concat());
    let recall = scored["average_recall"][1].as_f64().unwrap();
    assert!(recall > 0.2, "bright rectangles on a plain ground were found with recall {recall}");

    let reported = answer(&["report", "--run", text(&run), "--ground-truth", text(&ground_truth)]);
    let page = fs::read_to_string(reported["report"].as_str().unwrap()).unwrap();
    assert!(page.contains("</html>") && !page.contains("http://") && !page.contains("https://"));
}

#[test]
fn a_broken_image_is_skipped_and_named_and_fatal_under_strict() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    scenes::write(&images, 3);
    fs::write(images.join("broken.jpg"), b"\xff\xd8\xff\xe0 no more").unwrap();
    let run = folder.path().join("run");
    let extracted = answer(&["extract", "--images", text(&images), "--out", text(&run)]);
    assert_eq!(extracted["images_count"], 4);
    assert_eq!(extracted["broken"][0]["path"], "broken.jpg");

    let strict = folder.path().join("strict");
    let arguments = ["extract", "--images", text(&images), "--out", text(&strict), "--strict"];
    let (status, message) = failure(&arguments);
    assert_eq!(status, 1);
    assert!(message.contains("broken.jpg"), "{message}");
}

#[test]
fn bad_input_gets_a_named_error_and_exit_status() {
    let folder = tempfile::tempdir().unwrap();
    let (images, empty) = (folder.path().join("images"), folder.path().join("empty"));
    scenes::write(&images, 2);
    fs::create_dir(&empty).unwrap();
    let run = folder.path().join("run");
    let extract = |images: &Path, extra: &[&str]| {
        failure(&[&["extract", "--images", text(images), "--out", text(&run)], extra].concat())
    };

    let (status, message) = extract(&empty, &[]);
    assert_eq!(status, 1);
    assert!(message.contains("no images"), "{message}");
    assert!(!run.exists(), "nothing is made for an empty folder");

    fs::write(empty.join("text.jpg"), "not an image").unwrap();
    let (status, message) = extract(&empty, &[]);
    assert_eq!(status, 1);
    assert!(message.contains("none of 1 files") && message.contains("text.jpg"), "{message}");

    let config = folder.path().join("config.toml");
    fs::write(&config, "[proposals]\nproposal_max = 3\n").unwrap();
    let (status, message) = extract(&images, &["--config", text(&config)]);
    assert_eq!(status, 2);
    assert!(message.contains("`proposals.proposals_max`"), "{message}");
    fs::write(&config, "[proposals]\nproposals_max = 'many'\n").unwrap();
    let (status, message) = extract(&images, &["--config", text(&config)]);
    assert_eq!(status, 2);
    assert!(message.contains("proposals.proposals_max"), "{message}");

    let (status, message) = extract(&images, &["--method", "magic"]);
    assert_eq!(status, 2);
    assert!(message.contains("selective-search"), "{message}");
    assert_eq!(simdetr(&["extract"]).status.code(), Some(2));

    let untouched = folder.path().join("untouched");
    let threads = ["--out", text(&untouched), "--threads", "100000"];
    let (status, message) =
        failure(&[&["extract", "--images", text(&images)], &threads[..]].concat());
    assert_eq!(status, 2);
    assert!(message.contains("threads: 100000 is over ") && message.contains("processors"));
    assert!(!untouched.exists(), "{message}");

    let (status, message) = failure(&["cluster", "--run", text(&run), "--classes", "2"]);
    assert_eq!(status, 1);
    assert!(message.contains("run.toml") || message.contains("extract"), "{message}");
}

#[test]
fn a_run_folder_refuses_another_seed_and_too_many_classes() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    scenes::write(&images, 2);
    let run = folder.path().join("run");
    let arguments = ["extract", "--images", text(&images), "--out", text(&run)];
    answer(&[&arguments[..], &["--seed", "1"]].concat());
    let (status, message) = failure(&[&arguments[..], &["--seed", "2"]].concat());
    assert_eq!(status, 1);
    assert!(message.contains("`config.seed` is 1 there, 2 here"), "{message}");

    let (status, message) = failure(&["cluster", "--run", text(&run), "--classes", "5000"]);
    assert_eq!(status, 1);
    assert!(message.contains("5000") && message.contains("vectors"), "{message}");
    let (status, message) = failure(&["cluster", "--run", text(&run), "--classes", "0"]);
    assert_eq!(status, 2);
    assert!(message.contains("classes"), "{message}");
}
