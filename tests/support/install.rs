//! What the tests that look at the library from outside share: the library, a staged install
//! prefix, compilers, and running programs with their output in the failure message.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The shared library of this very build: cargo makes every crate type of a library that a test
/// depends on, and leaves them beside the test (only `cargo build` copies them one folder up).
pub fn built_library() -> PathBuf {
    let name = format!("{}simdetr{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = std::env::current_exe().unwrap().with_file_name(name);
    assert!(path.exists(), "{} has not been built", path.display());
    path
}

/// Runs a program to its end and gives its output; fails the test with all of it otherwise.
pub fn run(program: &str, arguments: &[&str]) -> String {
    finish(Command::new(program).args(arguments))
}

/// [`run`] for a command that needs more than arguments.
pub fn finish(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}\n{errors}", output.status);
    text
}

/// Whether a program can be started; a test without its tool is skipped, unless
/// `SIMDETR_REQUIRE_ALL=1` forbids skipping.
pub fn has(program: &str, why: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        skip(&format!("{program} is not installed ({why})"));
    }
    found
}

/// Says why a test does nothing.
pub fn skip(why: &str) {
    assert!(std::env::var_os("SIMDETR_REQUIRE_ALL").is_none_or(|value| value != "1"), "{why}");
    println!("skipped: {why}");
}

/// A fresh folder for what a test builds, kept between runs for looking at.
pub fn workspace(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Folders of the install prefix that users get.
pub struct Prefix {
    pub root: PathBuf,
}

impl Prefix {
    pub fn include(&self) -> PathBuf {
        self.root.join("include")
    }

    pub fn lib(&self) -> PathBuf {
        self.root.join("lib")
    }

    pub fn pkgconfig(&self) -> PathBuf {
        self.lib().join("pkgconfig")
    }
}

/// Installs this build of the library as users do, with `cmake --install` of `bindings/cpp`, into
/// a prefix of the calling test; `None`, after saying so, where cmake is not installed.
pub fn staged(test: &str) -> Option<Prefix> {
    if !has("cmake", "it stages the install prefix") {
        return None;
    }
    let folder = workspace(test);
    let (build, prefix) = (folder.join("stage"), folder.join("prefix"));
    let library = built_library();
    finish(
        Command::new("cmake")
            .arg("-S")
            .arg(root().join("bindings/cpp"))
            .arg("-B")
            .arg(&build)
            .arg("-DCMAKE_INSTALL_LIBDIR=lib")
            .arg(format!("-DSIMDETR_LIBRARY={}", library.display())),
    );
    finish(Command::new("cmake").arg("--install").arg(&build).arg("--prefix").arg(&prefix));
    Some(Prefix { root: prefix })
}

/// Compiles one C or C++ file against a prefix, warnings being errors, and gives the program.
pub fn compile(prefix: &Prefix, source: &Path, standard: &str, extra: &[&str]) -> PathBuf {
    let compiler = if standard.contains("++") { "c++" } else { "cc" };
    let stem = source.file_stem().unwrap().to_str().unwrap();
    let program = prefix.root.join(format!("{stem}-{standard}"));
    let language = if standard.contains("++") { "c++" } else { "c" };
    finish(
        Command::new(compiler)
            .arg(format!("-std={standard}"))
            .args(["-O1", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread", "-x"])
            .arg(language)
            .args(extra)
            .arg(source)
            .args(["-x", "none", "-o"])
            .arg(&program)
            .arg(format!("-I{}", prefix.include().display()))
            .arg(format!("-L{}", prefix.lib().display()))
            .arg(format!("-Wl,-rpath,{}", prefix.lib().display()))
            .args(["-lsimdetr", "-lm"]),
    );
    program
}
