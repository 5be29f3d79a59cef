//! The C++ binding, from a program outside the repository that finds the installed package.

#![cfg(unix)]

#[path = "support/install.rs"]
mod support;

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
    for program in ["consumer", "engine", "plain", "trainer"] {
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
    ] {
        for standard in ["c++17", "c++20"] {
            let source = prefix.root.join("alone.cpp");
            std::fs::write(&source, format!("#include <{header}>\nint main() {{ return 0; }}\n"))
                .unwrap();
            support::compile(&prefix, &source, standard, &["-Wshadow", "-Wconversion"]);
        }
    }
}
