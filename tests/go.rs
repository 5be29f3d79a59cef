//! The Go binding against a staged install prefix: vet, tests under the race detector, and a
//! module outside the repository.

#![cfg(unix)]

#[path = "support/install.rs"]
mod support;

use std::path::Path;
use std::process::Command;
use support::Prefix;

fn go(prefix: &Prefix, folder: &Path, arguments: &[&str]) -> String {
    support::finish(
        Command::new("go")
            .args(arguments)
            .current_dir(folder)
            .env("PKG_CONFIG_PATH", prefix.pkgconfig())
            .env("LD_LIBRARY_PATH", prefix.lib())
            .env("DYLD_LIBRARY_PATH", prefix.lib())
            .env("CGO_ENABLED", "1")
            .env("GOFLAGS", "-mod=mod")
            .env("GOPROXY", "off")
            .env("GOWORK", "off")
            .env("GOTOOLCHAIN", "local"),
    )
}

/// The staged prefix, where Go is installed as well; Go answers `go version`, not `--version`.
fn staged(test: &str) -> Option<Prefix> {
    if Command::new("go").arg("version").output().is_err() {
        support::skip("go is not installed (it builds the Go binding)");
        return None;
    }
    support::staged(test)
}

#[test]
fn vet_and_tests_under_the_race_detector() {
    let Some(prefix) = staged("go") else { return };
    let binding = support::root().join("bindings/go");
    go(&prefix, &binding, &["vet", "./..."]);
    go(&prefix, &binding, &["test", "-race", "-count=1", "./..."]);
}

#[test]
fn an_external_module_builds_and_runs() {
    let Some(prefix) = staged("go-consumer") else { return };
    let source = support::root().join("tests/go/consumer");
    let folder = tempfile::tempdir().unwrap();
    let module = std::fs::read_to_string(source.join("go.mod.txt")).unwrap();
    let binding = support::root().join("bindings/go");
    let module = module.replace("@BINDING@", binding.to_str().unwrap());
    std::fs::write(folder.path().join("go.mod"), module).unwrap();
    std::fs::copy(source.join("main.go"), folder.path().join("main.go")).unwrap();
    let printed = go(&prefix, folder.path(), &["run", "."]);
    assert_eq!(printed.trim(), env!("CARGO_PKG_VERSION"));
}
