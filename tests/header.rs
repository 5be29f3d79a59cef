//! `include/simdetr.h` is what cbindgen makes of `src/capi`, and the library exports exactly its
//! functions.
//!
//! `SIMDETR_BLESS=1 cargo test --test header` writes the header and its copies; without it they
//! are compared. cbindgen writes constants, then types, then functions; here they are put in the order of
//! the sources, topic by topic.

#[path = "support/declarations.rs"]
mod declarations;
#[path = "support/header_items.rs"]
mod header_items;
#[path = "support/install.rs"]
mod support;

use header_items::{Item, items};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What the header speaks of, in its order, and the sources of each part.
const TOPICS: &[(&str, &[&str])] = &[
    ("Versions", &["version"]),
    ("Statuses and errors", &["status", "error"]),
    ("Log", &["log"]),
    (
        "Calls that take long: cancelling, progress, the host's threads",
        &["cancel", "run", "workers"],
    ),
    ("Images", &["tensor", "image", "image_geometry"]),
    (
        "Encoders and feature maps",
        &["encoder", "encoder_open", "encoder_callback", "feature_maps", "encoder_encode"],
    ),
    ("Proposals", &["proposals", "proposals_tensor"]),
    ("Proposal stores", &["store", "store_read"]),
    (
        "Extractors",
        &[
            "selective_search_options",
            "extractor_options",
            "extractor",
            "host_maps",
            "extractor_maps",
            "extractor_images",
        ],
    ),
    (
        "Clusterers and what is made with them",
        &["clusterer", "clusterer_steps", "clusterer_answers", "overlay"],
    ),
    ("Evaluators", &["evaluator"]),
    ("Matchers and criteria", &["targets", "matcher", "criterion", "criterion_answers"]),
    (
        "Trainers, and detectors of the host",
        &["detector_callbacks", "trainer", "trainer_run", "trainer_measured", "trainer_step"],
    ),
    ("Detectors", &["detector", "detections", "detector_predict", "detector_export"]),
];

fn sources() -> impl Iterator<Item = &'static str> {
    TOPICS.iter().flat_map(|(_, sources)| *sources).copied()
}

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
    for source in sources() {
        let path = folder.path().join(format!("{source}.rs"));
        std::fs::write(&path, plain(source)).unwrap();
        builder = builder.with_src(path);
    }
    let mut bytes = Vec::new();
    builder.generate().expect("cbindgen").write(&mut bytes);
    by_topic(&String::from_utf8(bytes).unwrap())
}

/// What cbindgen wrote, by kind, in the order of the sources: each constant beside what it is for.
fn by_topic(header: &str) -> String {
    let opening = "#ifdef __cplusplus\nextern \"C\" {\n#endif // __cplusplus\n";
    let (types, functions) = header.split_once(opening).expect("functions");
    let (functions, end) = functions.split_once("#ifdef __cplusplus\n").expect("the end");
    let (start, types) = types.split_once("\n/**\n").expect("the first item");
    let types = format!("/**\n{types}");
    let mut left = items(&types);
    left.extend(items(functions));
    let mut out = format!("{start}\n{opening}\n");
    for (topic, sources) in TOPICS {
        let text: String = sources.iter().map(|source| plain(source)).collect();
        let place = |item: &Item<'_>| {
            let kinds = ["pub const", "pub struct", "pub type", "fn"];
            let after = [':', ' ', '(', '{'];
            kinds.iter().find_map(|kind| {
                let begin = format!("{kind} {}", item.name());
                let found = text
                    .match_indices(&begin)
                    .find(|(at, _)| text[at + begin.len()..].starts_with(after));
                found.map(|(at, _)| at)
            })
        };
        let (mut here, others): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|item| place(item).is_some());
        here.sort_by_key(|item| place(item));
        out += &format!("/* ---- {topic} ---- */\n\n");
        here.iter().for_each(|item| out += &format!("{}\n\n", item.text));
        left = others;
    }
    let lost: Vec<&str> = left.iter().map(Item::name).collect();
    assert!(lost.is_empty(), "{lost:?} belong to no topic");
    format!("{out}#ifdef __cplusplus\n{end}")
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
            assert!(sources().any(|source| source == stem), "{stem} is missing in TOPICS");
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
    let header = generated();
    let functions: Vec<_> = items(&header).into_iter().filter(Item::is_function).collect();
    assert!(functions.len() > 150, "{}", functions.len());
    for function in functions {
        let (name, comment) = (function.name(), function.comment);
        let fallible = !name.ends_with("_destroy") && !name.ends_with("_init");
        assert!(!fallible || comment.contains("@return"), "{name} lacks @return:\n{comment}");
        let threads = ["Any thread", "at the same time", "One thread at a time"];
        assert!(threads.iter().any(|note| comment.contains(note)), "{name} lacks a thread note");
    }
}

/// Of functions and of the callbacks that a host writes; nothing is described that is not there.
#[test]
fn every_parameter_is_described_in_its_place() {
    let header = generated();
    let mut faults = Vec::new();
    for item in items(&header).iter().filter(|item| item.is_function() || item.is_callback()) {
        let described: Vec<&str> = item
            .comment
            .split("@param[")
            .skip(1)
            .filter_map(|rest| rest.split_once("] ")?.1.split_whitespace().next())
            .collect();
        let parameters: Vec<&str> =
            item.parameters().into_iter().map(header_items::name_of).collect();
        if described != parameters {
            faults.push(format!("{}: {described:?} for {parameters:?}", item.name()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A constant of a field stands in the field's topic, where a reader of the struct finds it.
#[test]
fn constants_stand_in_the_topic_of_the_fields_that_name_them() {
    let header = generated();
    let topics: Vec<&str> = header.split("/* ---- ").skip(1).collect();
    assert_eq!(topics.len(), TOPICS.len());
    for topic in &topics {
        for item in items(topic).iter().filter(|item| item.declaration.contains('{')) {
            for family in item.text.split('`').filter_map(|word| word.strip_suffix("_*")) {
                let constant = format!("#define {family}_");
                let is_shared = topics.iter().filter(|topic| topic.contains(&constant)).count();
                assert_eq!(is_shared, 1, "{family}_* of {}", item.name());
                let own = topic.contains(&constant) || family == "SIMDETR_PIXEL";
                assert!(own, "{family}_* of {} stands elsewhere", item.name());
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_library_exports_exactly_the_headers_functions() {
    let library = support::built_library();
    let symbols = support::run("nm", &["-D", "--defined-only", library.to_str().unwrap()]);
    let exported: BTreeSet<&str> =
        symbols.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    let header = generated();
    let items = items(&header);
    let expected: BTreeSet<&str> =
        items.iter().filter(|item| item.is_function()).map(Item::name).collect();
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
