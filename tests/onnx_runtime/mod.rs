//! Finds a libonnxruntime for tests: the variable `SIMDETR_ORT_LIB`, or the Python package
//! `onnxruntime` of `SIMDETR_PYTHON` (default `python3`).

use std::path::PathBuf;
use std::process::Command;

const SCRIPT: &str = "import glob, os, onnxruntime
folder = os.path.join(os.path.dirname(onnxruntime.__file__), 'capi')
print(glob.glob(os.path.join(folder, 'libonnxruntime*.*.*'))[0])";

/// The library's path; without one the test is skipped with a message, or fails when
/// `SIMDETR_REQUIRE_ALL=1` asks for every test to run.
pub fn library(test: &str) -> Option<PathBuf> {
    let named = std::env::var_os("SIMDETR_ORT_LIB").map(PathBuf::from);
    let found = named.or_else(|| {
        let python = std::env::var_os("SIMDETR_PYTHON").unwrap_or("python3".into());
        let output = Command::new(python).args(["-c", SCRIPT]).output().ok()?;
        let path = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| PathBuf::from(path.trim()))
    });
    if found.is_none() {
        let why = "no SIMDETR_ORT_LIB and no Python package onnxruntime";
        assert!(std::env::var("SIMDETR_REQUIRE_ALL").as_deref() != Ok("1"), "{test}: {why}");
        println!("skipped: {test}: {why}");
    }
    found
}
