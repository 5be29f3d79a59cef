//! What does not fit into memory is a sentence with the numbers and the keys, and never a process that
//! is ended.

use super::{Place, message, simdetr, text};
use std::fs;
#[cfg(target_os = "linux")]
use std::process::{Command, Output};

#[test]
fn a_run_that_does_not_fit_says_what_would() {
    let place = Place::new();
    fs::write(place.path("limit.toml"), "[training]\nmemory_bytes_max = 3000000000\n").unwrap();
    let (images, out) = (place.path("images"), place.path("run"));
    let output = simdetr(&[
        "pretrain",
        "--preset",
        "deformable-detr-r50",
        "--images",
        text(&images),
        "--out",
        text(&out),
        "--config",
        text(&place.path("limit.toml")),
    ]);
    let error = message(&output);
    for words in ["out of memory", "192 images of 608x608", "preset `tiny`", "training.part_size"] {
        assert!(error.contains(words), "{error}");
    }
    assert!(!out.join("proposals").exists());
}

/// Images that no encoder sees so large.
#[cfg(target_os = "linux")]
const HUGE: &str = "[resize]\nimage_short_side = 20000\nimage_long_side_max = 60000\n";

/// The command in an address space of so many kilobytes.
#[cfg(target_os = "linux")]
fn within(kilobytes: u32, arguments: &[&str]) -> Output {
    let script = format!("ulimit -v {kilobytes}; exec \"$0\" \"$@\"");
    let command = ["-c", &script, env!("CARGO_BIN_EXE_simdetr")];
    Command::new("sh").args(command).args(arguments).output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_with_little_room_gets_an_error_and_is_not_ended() {
    let place = Place::new();
    let (images, out) = (place.path("images"), place.path("run"));
    let (images, out) = (text(&images), text(&out));
    fs::write(place.path("huge.toml"), HUGE).unwrap();
    let (huge, extracted) = (place.path("huge.toml"), place.path("extracted"));
    let (huge, extracted) = (text(&huge), text(&extracted));
    for arguments in [
        &["pretrain", "--images", images, "--out", out, "--preset", "deformable-detr-r50"][..],
        &["pretrain", "--images", images, "--out", out, "--preset", "small"],
        &["extract", "--images", images, "--out", extracted, "--config", huge],
    ] {
        let output = within(600_000, &[arguments, &["--threads", "1"]].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let error = message(&output);
        assert!(error.contains("out of memory") && error.contains("available"), "{error}");
    }
    // A damaged file that is larger than the room for it: only its header is read.
    let path = place.path("large.safetensors");
    fs::write(&path, b"\x40\x01\0\0\0\0\0\0{").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(4 << 30).unwrap();
    let predictions = place.path("predictions.json");
    let predict = ["predict", "--images", images, "--out", text(&predictions), "--detector"];
    let output = within(600_000, &[&predict[..], &[text(&path), "--threads", "1"]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = message(&output);
    assert!(error.contains("not a whole safetensors file: it has 4294967296 bytes"), "{error}");
}
