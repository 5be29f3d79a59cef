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

/// A picture in which no two cells look alike.
fn textured(width: u32, height: u32) -> Image {
    let mut image = Image::filled(width, height, [0, 0, 0]).unwrap();
    for y in 0..height {
        for x in 0..width {
            let mixed = (x / 3 + 1).wrapping_mul(2_654_435_761) ^ (y / 3 + 7).wrapping_mul(40_503);
            image.set_pixel(x, y, mixed.to_le_bytes()[..3].try_into().unwrap());
        }
    }
    image
}

#[test]
fn strips_and_small_squares_of_texture_are_extracted_in_bounded_time() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let images = place("images");
    fs::create_dir(&images).unwrap();
    for (width, height) in [(1600, 40), (40, 1600), (1000, 80), (224, 224), (160, 160)] {
        let name = format!("{images}/{width}x{height}.png");
        fs::write(name, encode::png(&textured(width, height)).unwrap()).unwrap();
    }
    for short_side in [160, 224, 480] {
        let (document, run) = (place("keys.toml"), place(&format!("run{short_side}")));
        fs::write(&document, format!("[resize]\nimage_short_side = {short_side}\n")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_simdetr"))
            .args(["extract", "--images", &images, "--out", &run, "--config", &document, "--json"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let begun = std::time::Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed().as_secs() > 120 {
                child.kill().unwrap();
                panic!("extract with a short side of {short_side} still runs after two minutes");
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        assert!(status.success(), "{short_side}: {status}");
    }
}
