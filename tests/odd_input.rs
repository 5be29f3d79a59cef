//! Images of odd sizes and names, and encoder files that are none, through the command: what can be
//! used is used to the end, what cannot is named and leaves nothing behind.

mod support;

use serde_json::Value;
use simdetr::data::image::{Image, encode};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use support::{install, scenes};

fn simdetr(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simdetr")).args(arguments).arg("--json").output().unwrap()
}

fn answer(arguments: &[&str]) -> Value {
    let output = simdetr(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn one_pixel_a_line_a_flat_ground_and_a_false_name_become_a_data_set() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (images, run, data_set) = (place("images"), place("run"), place("T0.json"));
    scenes::write(Path::new(&images), 3);
    let sizes = [("one.png", 1, 1), ("line.png", 20_000, 3), ("flat.png", 300, 200)];
    for (name, width, height) in sizes {
        let image = Image::filled(width, height, [70, 80, 90]).unwrap();
        fs::write(Path::new(&images).join(name), encode::png(&image).unwrap()).unwrap();
    }
    // What the name says is not what it is.
    fs::rename(Path::new(&images).join("scene-1.png"), Path::new(&images).join("scene-1.jpg"))
        .unwrap();
    let extracted = answer(&["extract", "--images", &images, "--out", &run, "--strict"]);
    assert_eq!(
        (&extracted["images_count"], &extracted["broken"]),
        (&6.into(), &Value::Array(vec![]))
    );
    answer(&["cluster", "--run", &run, "--classes", "3"]);
    answer(&["export", "--run", &run, "--out", &data_set]);
    let written: Value = serde_json::from_slice(&fs::read(&data_set).unwrap()).unwrap();
    for image in written["images"].as_array().unwrap() {
        let side = |key: &str| image[key].as_f64().unwrap();
        let of_image = |one: &&Value| one["image_id"] == image["id"];
        let annotations = written["annotations"].as_array().unwrap();
        let boxes: Vec<_> = annotations.iter().filter(of_image).collect();
        assert!(!boxes.is_empty(), "{image}");
        for one in boxes {
            let [x, y, width, height] = [0, 1, 2, 3].map(|at| one["bbox"][at].as_f64().unwrap());
            let inside = x + width <= side("width") + 1e-3 && y + height <= side("height") + 1e-3;
            assert!(x >= 0.0 && y >= 0.0 && width > 0.0 && height > 0.0 && inside, "{image} {one}");
        }
    }
}

#[test]
fn encoder_files_that_are_none_are_named_and_no_run_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (images, run) = (place("images"), place("run"));
    scenes::write(Path::new(&images), 1);
    let weights = install::root().join("tests/golden/resnet/contrastive.safetensors");
    let weights = fs::read(weights).unwrap();
    // Other names for one stage's weights: a file that is whole but lacks what is needed.
    let mut renamed = weights.clone();
    for at in (0..weights.len()).filter(|&at| weights[at..].starts_with(b"layer2")) {
        renamed[at + 5] = b'X';
    }
    let files = [
        ("cut.safetensors", weights[..weights.len() / 2].to_vec()),
        ("renamed.safetensors", renamed),
        ("text.onnx", b"no model at all".to_vec()),
        ("empty.onnx", Vec::new()),
        ("picture.png", encode::png(&Image::filled(4, 4, [1, 2, 3]).unwrap()).unwrap()),
    ];
    for (name, bytes) in files {
        fs::write(place(name), bytes).unwrap();
        let encoder = place(name);
        let output =
            simdetr(&["extract", "--images", &images, "--out", &run, "--encoder", &encoder]);
        let message = String::from_utf8_lossy(&output.stderr).to_string();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{name}: {message}");
        assert!(message.contains(name) || message.contains("onnx"), "{name}: {message}");
        assert!(!message.contains("panicked") && !Path::new(&run).exists(), "{name}: {message}");
    }
}
