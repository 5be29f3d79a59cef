//! `include/simdetr.h` is what cbindgen makes of `src/capi`, and the library exports exactly its
//! functions.
//!
//! `SIMDETR_BLESS=1 cargo test --test header` writes the header and its copies; without it they
//! are compared. The files are listed one by one because their order is the header's order.

#[path = "support/declarations.rs"]
mod declarations;
#[path = "support/install.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const SOURCES: &[&str] = &[
    "version",
    "status",
    "error",
    "log",
    "cancel",
    "run",
    "workers",
    "tensor",
    "image",
    "encoder",
    "encoder_open",
    "encoder_callback",
    "image_geometry",
    "feature_maps",
    "encoder_encode",
    "proposals",
    "proposals_tensor",
    "selective_search_options",
    "extractor_options",
    "extractor",
    "extractor_maps",
    "extractor_images",
    "store",
    "store_read",
    "clusterer",
    "clusterer_steps",
    "clusterer_answers",
    "overlay",
    "evaluator",
    "targets",
    "matcher",
    "criterion",
    "criterion_answers",
    "detector_callbacks",
    "trainer",
    "trainer_run",
    "trainer_measured",
    "trainer_step",
    "detector",
    "detections",
    "detector_predict",
    "detector_export",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A source of the border without its macros.
fn plain(source: &str) -> String {
    let folder = root().join("src/capi");
    let text = read(&folder.join(format!("{source}.rs")));
    declarations::plain(&text, &read(&folder.join("declare.rs")))
}

fn generated() -> String {
    let mut config = cbindgen::Config::from_file(root().join("cbindgen.toml")).unwrap();
    let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    let abi = match major.parse::<u32>().unwrap() {
        0 => minor.parse().unwrap(),
        major => major << 8,
    };
    config.after_includes = config.after_includes.map(|text| {
        text.replace("@MAJOR@", major)
            .replace("@MINOR@", minor)
            .replace("@PATCH@", env!("CARGO_PKG_VERSION_PATCH"))
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@ABI@", &abi.to_string())
    });
    let folder = tempfile::tempdir().unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        let path = folder.path().join(format!("{source}.rs"));
        std::fs::write(&path, plain(source)).unwrap();
        builder = builder.with_src(path);
    }
    let mut bytes = Vec::new();
    builder.generate().expect("cbindgen").write(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// The functions that a header declares, with the comment before each.
fn declared(header: &str) -> Vec<(String, String)> {
    let body = header.split("extern \"C\" {").nth(1).expect("declarations").split("/**").skip(1);
    body.map(|entry| {
        let (comment, declaration) = entry.split_once("*/").expect("end of comment");
        let before = declaration.split('(').next().expect("arguments");
        let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().expect("name");
        (name.to_string(), comment.to_string())
    })
    .collect()
}

#[test]
fn the_header_is_what_the_sources_say() {
    let header = generated();
    let blessing = std::env::var_os("SIMDETR_BLESS").is_some();
    let tensors = read(&root().join("include/simdetr/dlpack.h"));
    let copies = root().join("bindings/go/internal/capi");
    let mut files = vec![(root().join("include/simdetr.h"), &header)];
    if copies.exists() {
        files.push((copies.join("simdetr.h"), &header));
        files.push((copies.join("simdetr/dlpack.h"), &tensors));
    }
    for (path, text) in files {
        if blessing {
            std::fs::write(&path, text).unwrap();
        }
        assert!(
            read(&path) == *text,
            "{} is stale; run SIMDETR_BLESS=1 cargo test --test header",
            path.display()
        );
    }
}

#[test]
fn every_source_of_an_exported_function_is_listed() {
    for entry in std::fs::read_dir(root().join("src/capi")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_string();
        if stem != "declare" && plain(&stem).contains("#[unsafe(no_mangle)]") {
            assert!(SOURCES.contains(&stem.as_str()), "{stem} is missing in SOURCES");
        }
    }
}

/// The header is made from the sources, so it is the same under every set of cargo features as
/// long as none of them changes a declaration; `.ci/run` builds each set.
#[test]
fn no_declaration_depends_on_a_cargo_feature() {
    for entry in std::fs::read_dir(root().join("src/capi")).unwrap() {
        let path = entry.unwrap().path();
        assert!(!read(&path).contains("feature ="), "{} asks for a feature", path.display());
    }
}

#[test]
fn every_function_is_documented() {
    let functions = declared(&generated());
    assert!(functions.len() >= 9, "{functions:?}");
    for (name, comment) in functions {
        let fallible = !name.ends_with("_destroy") && !name.ends_with("_init");
        assert!(!fallible || comment.contains("@return"), "{name} lacks @return:\n{comment}");
        let threads = ["Any thread", "at the same time", "One thread at a time"];
        assert!(threads.iter().any(|note| comment.contains(note)), "{name} lacks a thread note");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_library_exports_exactly_the_headers_functions() {
    let library = support::built_library();
    let symbols = support::run("nm", &["-D", "--defined-only", library.to_str().unwrap()]);
    let exported: BTreeSet<&str> =
        symbols.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    let functions = declared(&generated());
    let expected: BTreeSet<&str> = functions.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(exported, expected);
}

#[cfg(target_os = "linux")]
#[test]
fn the_library_has_its_soname_and_stays_loaded() {
    let library = support::built_library();
    let dynamic = support::run("readelf", &["-d", library.to_str().unwrap()]);
    let abi = format!("{}.{}", env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    let abi = if abi.starts_with("0.") { &abi } else { env!("CARGO_PKG_VERSION_MAJOR") };
    assert!(dynamic.contains(&format!("[libsimdetr.so.{abi}]")), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    let needed: Vec<&str> = dynamic.lines().filter(|line| line.contains("(NEEDED)")).collect();
    let system = ["libc.so", "libm.so", "libgcc_s.so", "ld-linux", "libdl.so", "libpthread.so"];
    for line in needed {
        assert!(system.iter().any(|name| line.contains(name)), "unexpected {line}");
    }
}
