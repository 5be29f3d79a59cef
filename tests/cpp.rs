//! The C++ binding, from a program outside the repository that finds the installed package.

#![cfg(unix)]

#[path = "support/header_items.rs"]
mod header_items;
#[path = "support/install.rs"]
mod support;

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn an_installed_package_is_found_compiled_and_run() {
    let Some(prefix) = support::staged("cpp") else { return };
    let build = support::workspace("cpp").join("build");
    support::finish(
        Command::new("cmake")
            .arg("-S")
            .arg(support::root().join("tests/cpp"))
            .arg("-B")
            .arg(&build)
            .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.root.display())),
    );
    support::finish(Command::new("cmake").arg("--build").arg(&build));
    for program in ["consumer", "engine", "plain", "steps", "trainer"] {
        let folder = tempfile::tempdir().unwrap();
        support::finish(Command::new(build.join(program)).current_dir(folder.path()));
    }
}

#[test]
fn each_header_compiles_alone() {
    let Some(prefix) = support::staged("cpp-headers") else { return };
    for header in [
        "simdetr.h",
        "simdetr/dlpack.h",
        "simdetr/result.hpp",
        "simdetr/simdetr.hpp",
        "simdetr/train.hpp",
        "simdetr/trainer.hpp",
        "simdetr/detect.hpp",
        "simdetr/dataset.hpp",
        "simdetr/feature_maps.hpp",
    ] {
        for standard in ["c++17", "c++20"] {
            let source = prefix.root.join("alone.cpp");
            std::fs::write(&source, format!("#include <{header}>\nint main() {{ return 0; }}\n"))
                .unwrap();
            support::compile(&prefix, &source, standard, &["-Wshadow", "-Wconversion"]);
        }
    }
}

/// What C can do C++ can do: each function is called somewhere in the headers, and nothing else is.
#[test]
fn the_headers_call_every_function_of_the_c_header() {
    let read = |path| std::fs::read_to_string(path).unwrap();
    let header = read(support::root().join("include/simdetr.h"));
    let items = header_items::items(&header);
    let exported: BTreeSet<&str> =
        items.iter().filter(|item| item.is_function()).map(|item| item.name()).collect();
    let folder = support::root().join("bindings/cpp/include/simdetr");
    let files = std::fs::read_dir(folder).unwrap();
    let text: String = files.map(|entry| read(entry.unwrap().path())).collect();
    let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let named = words.filter(|word| word.starts_with("simdetr_"));
    let is_type = |word: &&str| word.ends_with("_t");
    let called: BTreeSet<&str> = named.filter(|word| !is_type(word)).collect();
    assert!(exported.len() > 150, "{}", exported.len());
    assert_eq!(called, exported);
}
