//! The same seed gives the same bytes at any number of threads, and after any number of kills.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use support::scenes;

const IMAGES: u32 = 24;

fn simdetr(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simdetr"));
    command.args(arguments);
    command
}

fn finish(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A shard of four images, so that 24 images make six and a kill loses little.
fn config(folder: &Path) -> PathBuf {
    let path = folder.join("config.toml");
    fs::write(&path, "[store]\nshard_images = 4\n[resize]\nimage_short_side = 160\n").unwrap();
    path
}

fn extract(folder: &Path, run: &Path, threads: &str) -> Command {
    let images = folder.join("images");
    let config = config(folder);
    simdetr(&[
        "extract",
        "--images",
        images.to_str().unwrap(),
        "--out",
        run.to_str().unwrap(),
        "--config",
        config.to_str().unwrap(),
        "--threads",
        threads,
        "--seed",
        "7",
    ])
}

fn data_set(run: &Path, threads: &str) -> Vec<u8> {
    let out = run.join("T0.json");
    let (run, path) = (run.to_str().unwrap(), out.to_str().unwrap());
    finish(simdetr(&[
        "cluster",
        "--run",
        run,
        "--classes",
        "8",
        "--threads",
        threads,
        "--seed",
        "7",
    ]));
    finish(simdetr(&["export", "--run", run, "--out", path, "--threads", threads]));
    fs::read(&out).unwrap()
}

#[test]
fn t0_does_not_depend_on_threads() {
    let folder = tempfile::tempdir().unwrap();
    scenes::write(&folder.path().join("images"), IMAGES);
    let results: Vec<Vec<u8>> = ["1", "2", "3", "7"]
        .iter()
        .map(|threads| {
            let run = folder.path().join(format!("run-{threads}"));
            finish(extract(folder.path(), &run, threads));
            data_set(&run, threads)
        })
        .collect();
    assert!(results[0].len() > 1000);
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn a_run_killed_three_times_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    scenes::write(&folder.path().join("images"), IMAGES);
    let whole = folder.path().join("whole");
    finish(extract(folder.path(), &whole, "2"));
    let expected = data_set(&whole, "2");

    let killed = folder.path().join("killed");
    let mut kills_in_the_middle = 0;
    for shards in [1, 2, 4] {
        let child = extract(folder.path(), &killed, "1").spawn().unwrap();
        kills_in_the_middle += u32::from(kill_after_shards(child, &killed, shards));
    }
    assert!(kills_in_the_middle > 0, "every call ended before it could be killed");
    finish(extract(folder.path(), &killed, "2"));
    assert!(data_set(&killed, "1") == expected);
}

/// Kills the call once that many shards are committed; false if it ended first.
fn kill_after_shards(mut child: Child, run: &Path, shards: u32) -> bool {
    let shard = run.join(format!("proposals/{shards:06}.arrow"));
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if shard.exists() {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        assert!(Instant::now() < deadline, "no shard {shards} after two minutes");
        std::thread::sleep(Duration::from_millis(1));
    }
}
