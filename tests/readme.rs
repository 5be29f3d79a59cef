//! The C program of the README, exactly as it stands there, compiles, links and runs.

#![cfg(all(unix, feature = "default-encoder"))]

#[path = "support/install.rs"]
mod support;

use simdetr::data::image::{Image, encode};
use std::process::Command;

#[test]
fn the_c_program_of_the_readme_runs() {
    let readme = std::fs::read_to_string(support::root().join("README.md")).unwrap();
    let program = readme.split("```c\n").nth(1).expect("a block of C").split("```").next().unwrap();
    let Some(prefix) = support::staged("readme") else { return };
    let source = prefix.root.join("readme.c");
    std::fs::write(&source, program).unwrap();
    let built = support::compile(&prefix, &source, "c11", &[]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("photos")).unwrap();
    let mut image = Image::filled(160, 120, [40, 60, 50]).unwrap();
    (0..50).for_each(|at| image.set_pixel(40 + at, 30 + at / 2, [250, 240, 20]));
    let bytes = encode::png(&image).unwrap();
    for name in ["photos/a.png", "photos/b.png", "photo.png"] {
        std::fs::write(folder.path().join(name), &bytes).unwrap();
    }
    // Whichever of the two the program takes: a folder of photographs, or one of them.
    let argument = if program.contains("extract_folder") { "photos" } else { "photo.png" };
    support::finish(Command::new(built).args([argument, "run"]).current_dir(folder.path()));
}
