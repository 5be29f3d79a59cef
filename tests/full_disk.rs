//! A disk that fills up under the command, step by step: a named error, nothing half-written, and
//! the run goes on once there is room.
//!
//! A file-size limit is a full disk that a test can have. The signal that comes with it is ignored
//! by the shell around the command, whose writes then fail.
#![cfg(unix)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::scenes;

/// The command under a limit for each file, in blocks of 512 or 1024 bytes.
fn simdetr(arguments: &[&str], limit: Option<u32>) -> Output {
    let limit = limit.map_or("unlimited".into(), |blocks| blocks.to_string());
    let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"");
    let command = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_simdetr")])
        .args(arguments)
        .output();
    command.unwrap()
}

/// The message of a command that ran out of room.
fn full(arguments: &[&str], limit: u32) -> String {
    let output = simdetr(arguments, Some(limit));
    assert_eq!(output.status.code(), Some(1), "{arguments:?} within {limit} blocks");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

fn done(arguments: &[&str]) {
    let output = simdetr(arguments, None);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.clone(), fs::read(path).unwrap())),
            }
        }
    }
    found
}

#[test]
fn every_step_that_runs_out_of_room_says_so_and_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (images, run, whole) = (place("images"), place("run"), place("whole"));
    scenes::write(Path::new(&images), 8);
    let extract = ["extract", "--images", &images, "--out", &run];
    let cluster = ["cluster", "--run", &run, "--classes", "4"];

    // Too little for the run's own record, then enough for it but not for the proposals.
    let message = full(&extract, 1);
    assert!(message.contains("run.toml"), "{message}");
    assert!(files(Path::new(&run)).is_empty());
    let message = full(&extract, 16);
    assert!(message.contains("000001.arrow"), "{message}");
    assert!(files(Path::new(&run)).keys().all(|path| !path.ends_with("proposals/000001.arrow")));
    done(&extract);

    let before = files(Path::new(&run));
    let message = full(&cluster, 1);
    assert!(message.contains("clusters.safetensors"), "{message}");
    assert_eq!(files(Path::new(&run)), before);
    done(&cluster);

    let data_set = place("T0.json");
    let export = ["export", "--run", &run, "--out", &data_set];
    for old in [None, Some("{}")] {
        old.into_iter().for_each(|text| fs::write(&data_set, text).unwrap());
        let before = files(folder.path());
        let message = full(&export, 2);
        assert!(message.contains("T0.json"), "{message}");
        assert!(files(folder.path()) == before, "a failed export left something");
    }
    done(&export);

    // A run that never ran out of room.
    let other = place("other.json");
    done(&["extract", "--images", &images, "--out", &whole]);
    done(&["cluster", "--run", &whole, "--classes", "4"]);
    done(&["export", "--run", &whole, "--out", &other]);
    assert_eq!(fs::read(&data_set).unwrap(), fs::read(&other).unwrap());
}
