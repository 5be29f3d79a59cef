//! What was published stays: numbers of constants, layouts of structs, signatures of functions, and
//! what the configuration calls each choice.
//!
//! `tests/golden/abi.txt` holds all of it. Fields are only added behind the last one, everything else
//! only as a whole. `SIMDETR_BLESS=1 cargo test --test abi` writes what is new, and refuses to change
//! what is there: before 1.0 a minor version that breaks the ABI begins the file anew.

#[path = "support/header_items.rs"]
mod header_items;

use header_items::items;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What each line of the file says: a name with its kind, and its parts, of which all but those of a
/// struct must stay as they are.
type Published = BTreeMap<String, Vec<String>>;

fn of_the_header() -> Published {
    let header = std::fs::read_to_string(root().join("include/simdetr.h")).unwrap();
    let mut found = Published::new();
    for item in items(&header) {
        let (kind, parts) = match item.value() {
            // The version is to change.
            Some(_) if item.name().contains("_VERSION") => continue,
            Some(value) => ("constant", vec![value.to_string()]),
            None if item.is_function() => ("function", signature(&item.declaration)),
            None if item.is_callback() => ("callback", signature(&item.declaration)),
            None => ("struct", item.fields()),
        };
        if !parts.is_empty() {
            found.insert(format!("{kind} {}", item.name()), parts);
        }
    }
    found.extend(choices());
    found
}

/// Types and names as they stand, without what does not belong to the binary interface.
fn signature(declaration: &str) -> Vec<String> {
    let plain = ["SIMDETR_API ", "SIMDETR_NODISCARD ", "typedef ", ";"];
    vec![plain.iter().fold(declaration.to_string(), |text, word| text.replace(word, ""))]
}

/// What `choices!` in the sources calls each number.
fn choices() -> Published {
    let mut found = Published::new();
    for entry in std::fs::read_dir(root().join("src/capi")).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in source.lines().filter(|line| line.starts_with("        SIMDETR_")) {
            if let Some((constant, name)) = line.split_once(" => ") {
                let constant = constant.trim().split(' ').next().unwrap();
                found.insert(format!("choice {constant}"), vec![name.trim_matches(',').into()]);
            }
        }
    }
    found
}

fn written(published: &Published) -> String {
    let line = |(name, parts): (&String, &Vec<String>)| format!("{name}: {}\n", parts.join("; "));
    published.iter().map(line).collect()
}

fn read(text: &str) -> Published {
    let parts = |text: &str| text.split("; ").map(str::to_string).collect();
    let pairs = text.lines().map(|line| line.split_once(": ").expect("a name"));
    pairs.map(|(name, rest)| (name.to_string(), parts(rest))).collect()
}

/// What `now` changes in what was published; growing is no change.
fn changes(published: &Published, now: &Published) -> Vec<String> {
    let mut found = Vec::new();
    for (name, parts) in published {
        let kept = now.get(name).is_some_and(|new| match name.starts_with("struct ") {
            true => new.starts_with(parts),
            false => new == parts,
        });
        if !kept {
            let new = now.get(name).map_or("nothing".into(), |new| new.join("; "));
            found.push(format!("{name}: {} became {new}", parts.join("; ")));
        }
    }
    found
}

#[test]
fn what_was_published_stays() {
    let path = root().join("tests/golden/abi.txt");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let now = of_the_header();
    let changed = changes(&read(&text), &now);
    assert!(changed.is_empty(), "{}", changed.join("\n"));
    if std::env::var_os("SIMDETR_BLESS").is_some() {
        std::fs::write(&path, written(&now)).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text == written(&now), "{} lacks what is new: bless it", path.display());
}

#[test]
fn a_reordered_choice_and_a_field_in_the_middle_are_changes() {
    let now = of_the_header();
    assert!(changes(&now, &now).is_empty());
    let fields = "struct simdetr_matcher_options_t";
    let change = |edit: &dyn Fn(&mut Published)| {
        let mut edited = now.clone();
        edit(&mut edited);
        changes(&now, &edited).len()
    };
    let field = || "float sharpness".to_string();
    assert_eq!(change(&|all| all.get_mut(fields).unwrap().push(field())), 0);
    assert_eq!(change(&|all| all.get_mut(fields).unwrap().insert(3, field())), 1);
    assert_eq!(change(&|all| all.get_mut(fields).unwrap().swap(3, 4)), 1);
    for kind in ["choice", "constant"] {
        let [first, second] =
            ["COSINE", "RBF"].map(|name| format!("{kind} SIMDETR_AFFINITY_{name}"));
        let swapped = |all: &mut Published| {
            let parts = [all.remove(&first).unwrap(), all.remove(&second).unwrap()];
            let [one, two] = parts;
            all.extend([(first.clone(), two), (second.clone(), one)]);
        };
        assert_eq!(change(&swapped), 2, "{kind}");
    }
    assert_eq!(change(&|all| drop(all.remove("function simdetr_matcher_match"))), 1);
}

/// A choice whose name in the configuration is not the end of its constant's name is a slip.
#[test]
fn constants_are_called_what_the_configuration_calls_them() {
    let mut names = 0;
    for (constant, name) in choices() {
        let Some(name) = name[0].strip_prefix('"').map(|name| name.trim_end_matches('"')) else {
            continue;
        };
        let plain = name.replace("||", "_PARALLEL").replace("++", "_PLUS_PLUS").replace('-', "_");
        assert!(constant.ends_with(&format!("_{}", plain.to_uppercase())), "{constant} is {name}");
        names += 1;
    }
    assert!(names > 40, "{names}");
}
