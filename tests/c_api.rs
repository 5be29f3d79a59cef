//! The C programs of `tests/c`, built as C99, C11 and C++17 with all warnings as errors against a
//! staged install prefix, run, and run again under valgrind.

#![cfg(unix)]

mod onnx_runtime;
#[path = "support/install.rs"]
mod support;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use support::Prefix;

const STANDARDS: [&str; 3] = ["c99", "c11", "c++17"];

fn source(name: &str) -> PathBuf {
    support::root().join("tests/c").join(format!("{name}.c"))
}

/// Runs one program in a fresh folder, plainly in each standard and once under valgrind.
fn check(name: &str) {
    check_with(name, &[], &[]);
}

/// The same with variables of the environment, some of them for the plain runs only.
fn check_with(name: &str, always: &[(&str, OsString)], plainly: &[(&str, OsString)]) {
    let Some(prefix) = support::staged(&format!("c-{name}")) else { return };
    for standard in STANDARDS {
        let program = support::compile(&prefix, &source(name), standard, &[]);
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(&program);
        command.arg(folder.path()).current_dir(folder.path());
        support::finish(command.envs(always.iter().chain(plainly).cloned()));
        if standard == "c11" {
            // A forked child has the memory of its parent's threads, which nobody there owns.
            under_valgrind(&program, always, if name == "fork" { "no" } else { "full" });
        }
    }
}

/// No error and no leak; what the thread pools keep until the end of the process is reachable.
fn under_valgrind(program: &PathBuf, environment: &[(&str, OsString)], leak_check: &str) {
    if !support::has("valgrind", "it looks for leaks in the C tests") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    support::finish(
        Command::new("valgrind")
            .args(["-q", "--error-exitcode=99", &format!("--leak-check={leak_check}")])
            .args(["--errors-for-leak-kinds=definite,indirect", "--child-silent-after-fork=yes"])
            .arg(program)
            .arg(folder.path())
            .env("SIMDETR_TEST_SLOW_MACHINE", "1")
            .envs(environment.iter().cloned())
            .current_dir(folder.path()),
    );
}

#[test]
fn layout() {
    check("layout");
}

#[test]
fn include_order() {
    check("include_order");
}

#[test]
fn basics() {
    check("basics");
}

#[test]
fn extract_maps() {
    check("extract_maps");
}

#[test]
fn extract_images() {
    check("extract_images");
}

/// ONNX Runtime's own accesses are not for valgrind to judge.
#[test]
fn encoders() {
    let golden = support::root().join("tests/golden").into_os_string();
    let runtime = cfg!(feature = "onnx").then(|| onnx_runtime::library("encoders in C")).flatten();
    let runtime: Vec<_> =
        runtime.map(|path| ("SIMDETR_TEST_ORT", path.into_os_string())).into_iter().collect();
    check_with("encoders", &[("SIMDETR_TEST_GOLDEN", golden)], &runtime);
}

#[test]
fn evaluate() {
    check("evaluate");
}

#[test]
fn cluster() {
    check("cluster");
}

#[test]
fn matcher() {
    check("matcher");
}

#[test]
fn criterion() {
    check("criterion");
}

#[test]
fn box_policy() {
    check("box_policy");
}

#[test]
fn trainer() {
    check("trainer");
}

#[test]
fn scored_steps() {
    check("scored_steps");
}

#[test]
fn detector() {
    check("detector");
}

#[test]
fn null_pointers() {
    check("null_pointers");
}

#[test]
fn null_pointers_training() {
    check("null_pointers_training");
}

#[test]
fn options() {
    check("options");
}

#[test]
fn store() {
    check("store");
}

#[test]
fn uninitialised() {
    check("uninitialised");
}

#[test]
fn parallel_for() {
    check("parallel_for");
}

#[test]
fn callback_threads() {
    check("callback_threads");
}

#[test]
fn fork() {
    check("fork");
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn frame_loop_allocates_nothing() {
    let Some(prefix) = support::staged("c-frame_loop") else { return };
    for standard in STANDARDS {
        support::finish(&mut Command::new(support::compile(
            &prefix,
            &source("frame_loop"),
            standard,
            &["-Wno-pedantic", "-fno-builtin"],
        )));
    }
}

#[test]
fn the_prefix_has_the_links_and_the_package_files() {
    let Some(Prefix { root }) = support::staged("c-prefix") else { return };
    let abi = format!("{}.{}", env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    let full = format!("libsimdetr.so.{}", env!("CARGO_PKG_VERSION"));
    for link in ["libsimdetr.so".to_string(), format!("libsimdetr.so.{abi}")] {
        assert_eq!(std::fs::read_link(root.join("lib").join(link)).unwrap(), PathBuf::from(&full));
    }
    let packages = root.join("lib/pkgconfig");
    if support::has("pkg-config", "it reads simdetr.pc") {
        let ask = |what: &str| {
            support::finish(
                Command::new("pkg-config")
                    .args([what, "simdetr"])
                    .env("PKG_CONFIG_PATH", &packages),
            )
        };
        assert!(ask("--libs").contains("-lsimdetr") && ask("--cflags").contains("include"));
        assert_eq!(ask("--modversion").trim(), env!("CARGO_PKG_VERSION"));
    }
}
