//! The examples, built as their users build them and run on a small folder: the same COCO file and a
//! picture from all four languages; a detector written in C++ and the built-in one from Go, trained.

#![cfg(all(unix, feature = "default-encoder"))]

#[path = "support/install.rs"]
mod support;

use simdetr::data::image::{Image, encode};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::Prefix;

/// Images with a bright block each, at another place and of another colour.
fn photographs(folder: &Path) -> PathBuf {
    let photos = folder.join("photos");
    std::fs::create_dir(&photos).unwrap();
    for index in 0..4u32 {
        let mut image = Image::filled(160, 120, [40, 60, 50]).unwrap();
        for y in 20 + 5 * index..80 {
            for x in 10 + 20 * index..70 + 20 * index {
                let texture = ((x * 7 + y * 13) % 32) as u8;
                image.set_pixel(x, y, [200 - 30 * index as u8, 60 + 40 * index as u8, texture]);
            }
        }
        let name = photos.join(format!("{index}.png"));
        std::fs::write(name, encode::png(&image).unwrap()).unwrap();
    }
    photos
}

/// Runs an example on fresh photographs and gives the COCO file that it wrote.
fn data_set(prefix: &Prefix, program: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (photos, out) = (photographs(folder.path()), folder.path().join("out"));
    std::fs::create_dir(&out).unwrap();
    let printed = support::finish(
        Command::new(program).args([&photos, &out]).env("LD_LIBRARY_PATH", prefix.lib()),
    );
    assert!(printed.starts_with("4 images, "), "{printed}");
    let picture = std::fs::read(out.join("overlay.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
    let text = std::fs::read_to_string(out.join("T0.json")).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["images"].as_array().unwrap().len(), 4);
    assert_eq!(document["categories"].as_array().unwrap().len(), 4);
    assert!(!document["annotations"].as_array().unwrap().is_empty());
    text
}

/// The Rust program, which `cargo test` builds, unless it was told to build one test only.
fn rust_example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let program = profile.join("examples/dataset");
    if !program.exists() {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo.args(["build", "--example", "dataset"]).current_dir(support::root());
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        support::finish(&mut cargo);
    }
    program
}

#[test]
fn the_same_program_in_four_languages_writes_the_same_data_set() {
    let Some(prefix) = support::staged("examples") else { return };
    let examples = support::root().join("examples");
    let c = support::compile(&prefix, &examples.join("c/main.c"), "c99", &["-D_GNU_SOURCE"]);
    let expected = data_set(&prefix, &c);

    let build = cpp_examples(&prefix, "examples");
    assert_eq!(data_set(&prefix, &build.join("dataset")), expected);

    assert_eq!(data_set(&prefix, &rust_example()), expected);

    let Some(go) = go_example(&prefix, "examples", ".") else { return };
    assert_eq!(data_set(&prefix, &go), expected);
}

/// Builds the C++ programs; answers their folder.
fn cpp_examples(prefix: &Prefix, workspace: &str) -> PathBuf {
    let build = support::workspace(workspace).join("cpp");
    support::finish(
        Command::new("cmake")
            .arg("-S")
            .arg(support::root().join("examples/cpp"))
            .arg("-B")
            .arg(&build)
            .arg("-DCMAKE_BUILD_TYPE=Release")
            .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.root.display())),
    );
    support::finish(Command::new("cmake").arg("--build").arg(&build));
    build
}

/// Builds a Go program, where Go is installed.
fn go_example(prefix: &Prefix, workspace: &str, package: &str) -> Option<PathBuf> {
    if Command::new("go").arg("version").output().is_err() {
        support::skip("go is not installed (it builds the Go examples)");
        return None;
    }
    let program = support::workspace(workspace).join("example-go");
    support::finish(
        Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(package)
            .current_dir(support::root().join("examples/go"))
            .env("PKG_CONFIG_PATH", prefix.pkgconfig())
            .env("GOFLAGS", "-mod=mod")
            .env("GOPROXY", "off")
            .env("GOTOOLCHAIN", "local"),
    );
    Some(program)
}

/// Runs a program that trains on fresh photographs; answers what it printed.
fn trained(prefix: &Prefix, program: &Path, config: Option<&str>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (photos, run) = (photographs(folder.path()), folder.path().join("run"));
    let mut command = Command::new(program);
    command.args([&photos, &run]).env("LD_LIBRARY_PATH", prefix.lib());
    if let Some(config) = config {
        let path = folder.path().join("config.toml");
        std::fs::write(&path, config).unwrap();
        command.arg(path);
    }
    let printed = support::finish(&mut command);
    assert!(run.join("T1.json").exists() && printed.starts_with("T0: 4 images, "), "{printed}");
    printed
}

#[test]
fn a_detector_written_in_cpp_learns_through_algorithm_1() {
    let Some(prefix) = support::staged("examples-training") else { return };
    let build = cpp_examples(&prefix, "examples-training");
    let printed = trained(&prefix, &build.join("pretrain"), None);
    let losses = printed.lines().find_map(|line| line.strip_prefix("loss of stage 1: ")).unwrap();
    let (first, last) = losses.split_once(" -> ").unwrap();
    let (first, last): (f64, f64) = (first.parse().unwrap(), last.parse().unwrap());
    assert!(last < 0.7 * first, "{printed}");
}

#[test]
fn the_built_in_detector_is_trained_from_go() {
    let Some(prefix) = support::staged("examples-go") else { return };
    let Some(program) = go_example(&prefix, "examples-go", "./pretrain") else { return };
    let config = "[cluster]\nclasses = 4\n[pretrain]\nstages_count = 1\n\
                  [training]\nsteps = 2\nbatch_size = 2\n";
    let printed = trained(&prefix, &program, Some(config));
    assert_eq!(printed.lines().count(), 2, "{printed}");
}
