//! Finds and loads libonnxruntime when the program runs: the one file with unsafe code for ONNX.
//!
//! `ort` would open the library by itself on first use, and panic or hang when it is missing or
//! odd (pykeio/ort issues 559, 560, 579). So every candidate is first opened and questioned here,
//! and `ort` is handed the function table of exactly the library that answered well.
//!
//! Libraries are never closed and the environment is leaked on purpose: ONNX Runtime crashes when
//! its destructors run at exit (microsoft/onnxruntime issues 4820, 12736, 24579).

use crate::{Error, Result};
use libloading::Library;
use ort::environment::Environment;
use ort::sys::{ORT_API_VERSION, OrtApi, OrtApiBase};
use std::ffi::CStr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Variables that name the library, the first that is set decides.
const VARIABLES: [&str; 2] = ["SIMDETR_ORT_LIB", "ORT_DYLIB_PATH"];

/// Highest minor version, and patches of each, among the versioned names that are tried. Later
/// versions are found by their unversioned name, by option or by variable.
const NEWEST_MINOR: u32 = 40;
const PATCHES: u32 = 3;

struct Loaded {
    name: String,
    environment: Environment,
}

static LOADED: Mutex<Option<&'static Loaded>> = Mutex::new(None);

/// The process's one ONNX Runtime. `option` is the path in the encoder's options, or empty; a
/// path given there or in a variable is tried alone, so that a mistyped one is never replaced
/// silently by a library that happens to be installed.
///
/// # Errors
/// [`Error::OnnxLibrary`] with everything tried and why each failed, or when this process already
/// runs another ONNX Runtime than the one asked for.
pub(super) fn environment(option: &str) -> Result<&'static Environment> {
    let mut guard = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = *guard {
        if !option.is_empty() && !same_file(option, &loaded.name) {
            return Err(Error::OnnxLibrary {
                tried: format!("`{option}`: this process already runs `{}`", loaded.name),
            });
        }
        return Ok(&loaded.environment);
    }
    let (name, api) = find(option).map_err(|tried| Error::OnnxLibrary { tried })?;
    let failed = |reason: String| Error::OnnxLibrary { tried: format!("`{name}`: {reason}") };
    ort::set_api(api);
    let environment = ort::init()
        .with_name("simdetr")
        .with_telemetry(false)
        .with_logger(Arc::new(log_message))
        .build()
        .map_err(|error| failed(error.to_string()))?;
    environment.set_log_level(ort::logging::LogLevel::Warning);
    let loaded: &'static Loaded = Box::leak(Box::new(Loaded { name, environment }));
    *guard = Some(loaded);
    Ok(&loaded.environment)
}

fn same_file(one: &str, other: &str) -> bool {
    let resolved = |name: &str| Path::new(name).canonicalize().ok();
    one == other || resolved(one).is_some_and(|path| resolved(other) == Some(path))
}

/// The first usable library and its functions, or what was tried and why it failed.
fn find(option: &str) -> std::result::Result<(String, OrtApi), String> {
    let variable = VARIABLES
        .iter()
        .find_map(|name| Some((*name, std::env::var(name).ok().filter(|path| !path.is_empty())?)));
    let (origin, candidates) = match (option.is_empty(), variable) {
        (false, _) => ("option onnx_library", vec![option.to_string()]),
        (true, Some((name, path))) => (name, vec![path]),
        (true, None) => ("usual names", usual_names()),
    };
    let mut tried = Vec::new();
    for candidate in candidates {
        match probe(&candidate) {
            Ok((version, api)) => {
                log::info!("ONNX Runtime {version} from `{candidate}` ({origin})");
                return Ok((candidate, api));
            }
            Err(reason) => tried.push((candidate, reason)),
        }
    }
    Err(describe(origin, &tried))
}

/// Names by which the system's loader may know the library, most general first.
fn usual_names() -> Vec<String> {
    let versions = (ORT_API_VERSION..=NEWEST_MINOR)
        .rev()
        .flat_map(|minor| (0..PATCHES).rev().map(move |patch| format!("1.{minor}.{patch}")));
    if cfg!(target_os = "windows") {
        vec!["onnxruntime.dll".into()]
    } else if cfg!(target_os = "macos") {
        let versioned = versions.map(|version| format!("libonnxruntime.{version}.dylib"));
        std::iter::once("libonnxruntime.dylib".into()).chain(versioned).collect()
    } else {
        let versioned = versions.map(|version| format!("libonnxruntime.so.{version}"));
        ["libonnxruntime.so", "libonnxruntime.so.1"]
            .map(String::from)
            .into_iter()
            .chain(versioned)
            .collect()
    }
}

/// Dozens of versioned names fail for one reason; the first is told and the others are counted.
fn describe(origin: &str, tried: &[(String, String)]) -> String {
    let told: Vec<String> = tried
        .iter()
        .take(2)
        .map(|(candidate, reason)| format!("`{candidate}` ({origin}): {reason}"))
        .collect();
    match tried {
        [_, _, third, .., last] => format!(
            "{}; {} more names from `{}` to `{}`. Name the file by the option onnx_library or the \
             variable {} (it comes with the Python package onnxruntime)",
            told.join("; "),
            tried.len() - 2,
            third.0,
            last.0,
            VARIABLES[0],
        ),
        _ => told.join("; "),
    }
}

/// Opens one library and asks it for its version and its functions. The handle stays open for
/// the life of the process.
fn probe(candidate: &str) -> std::result::Result<(String, OrtApi), String> {
    // SAFETY: opening runs the library's initialisers. The name is one of ONNX Runtime's own or
    // was chosen by the user for this purpose, which is all that can be asked of a plug-in.
    let library = unsafe { Library::new(candidate) }.map_err(|error| error.to_string())?;
    let library: &'static Library = Box::leak(Box::new(library));
    // SAFETY: `OrtGetApiBase` has had this signature since the first release (onnxruntime_c_api.h).
    let base =
        unsafe { library.get::<unsafe extern "C" fn() -> *const OrtApiBase>("OrtGetApiBase") };
    let base = base.map_err(|_| "does not export OrtGetApiBase".to_string())?;
    // SAFETY: the function takes nothing and answers NULL or a table that lives in the library,
    // which is never closed.
    let base = unsafe { base().as_ref() }.ok_or("OrtGetApiBase answers NULL")?;
    // SAFETY: the table's functions may be called at any time; the string is NULL or a constant of
    // the library.
    let version = unsafe { (base.GetVersionString)() };
    if version.is_null() {
        return Err("it has no version".into());
    }
    // SAFETY: not NULL, and zero-terminated by the contract of GetVersionString.
    let version = unsafe { CStr::from_ptr(version) }.to_string_lossy().into_owned();
    // SAFETY: GetApi answers NULL for a version that the library does not have.
    let api = unsafe { (base.GetApi)(ORT_API_VERSION).as_ref() };
    let api = api.ok_or_else(|| {
        format!("it is version {version}; version 1.{ORT_API_VERSION} or later is needed")
    })?;
    Ok((version, api.clone()))
}

/// ONNX Runtime's own messages go to the library's log, never to the terminal.
fn log_message(level: ort::logging::LogLevel, _: &str, _: &str, _: &str, message: &str) {
    use ort::logging::LogLevel;
    let level = match level {
        LogLevel::Verbose => log::Level::Trace,
        LogLevel::Info => log::Level::Debug,
        LogLevel::Warning => log::Level::Warn,
        LogLevel::Error | LogLevel::Fatal => log::Level::Error,
    };
    log::log!(level, "ONNX Runtime: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_missing_or_another_one_is_named_with_the_reason() {
        let missing = find("/nowhere/libonnxruntime.so").unwrap_err();
        assert!(
            missing.contains("`/nowhere/libonnxruntime.so` (option onnx_library)"),
            "{missing}"
        );
        if cfg!(target_os = "linux") {
            let odd = find("libc.so.6").unwrap_err();
            assert_eq!(odd, "`libc.so.6` (option onnx_library): does not export OrtGetApiBase");
        }
    }

    #[test]
    fn usual_names_are_told_without_listing_them_all() {
        let tried: Vec<_> =
            usual_names().into_iter().map(|name| (name, "no such file".to_string())).collect();
        let text = describe("usual names", &tried);
        assert!(text.len() < 500 && text.contains("SIMDETR_ORT_LIB"), "{text}");
        assert!(cfg!(windows) || text.contains(&tried.last().unwrap().0), "{text}");
    }
}
