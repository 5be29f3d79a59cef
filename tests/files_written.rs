//! Files that commands write: what stands at the target decides how, and nothing is lost.
//!
//! The superuser may write everywhere, so what is read-only is told by its mode; targets that no user
//! can write (a folder, a path below a file) stand for all others.
#![cfg(unix)]

#[path = "support/small_detector.rs"]
mod small_detector;
mod support;

use serde_json::Value;
use simdetr::Error;
use simdetr::control::Control;
use simdetr::data::atomic_file;
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::pretrainer::{Pretrainer, StageRequest};
use simdetr::workers::Workers;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use support::scenes;

/// A number that no process has.
const NOBODY: u32 = 4_194_305;

fn simdetr(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simdetr")).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).to_string()
}

fn done(arguments: &[&str]) -> Output {
    let output = simdetr(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    output
}

/// The message of a command that was refused, after no work.
fn refused(arguments: &[&str]) -> String {
    let output = simdetr(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", stderr(&output));
    assert!(output.stdout.is_empty());
    for step in ["extract", "predict", "train", "export"] {
        let progress = format!("simdetr: {step}: ");
        assert!(!stderr(&output).contains(&progress), "{}", stderr(&output));
    }
    stderr(&output)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A detector, three images, and an empty folder for what is written.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        small_detector::write(&place.path("detector.safetensors"));
        let truth = scenes::write(&place.path("images"), 3);
        fs::write(place.path("truth.json"), truth).unwrap();
        fs::create_dir(place.path("out")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }

    /// The commands that write one file, without `--out`.
    fn writers(&self) -> Vec<Vec<String>> {
        let detector = self.text("detector.safetensors");
        let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect();
        let mut writers: Vec<Vec<String>> =
            vec![words(&["predict", "--detector", &detector, "--images", &self.text("images")])];
        for format in ["official", "backbone", "onnx"] {
            writers.push(words(&["export", "--detector", &detector, "--format", format]));
        }
        writers
    }

    /// What a writer writes, as a file of its own.
    fn expected(&self, writer: &[String]) -> Vec<u8> {
        let out = self.text("expected");
        done(&with_out(writer, &out));
        let bytes = fs::read(&out).unwrap();
        fs::remove_file(&out).unwrap();
        bytes
    }
}

fn with_out<'a>(writer: &'a [String], out: &'a str) -> Vec<&'a str> {
    writer.iter().map(String::as_str).chain(["--out", out]).collect()
}

#[test]
fn links_stay_links_and_modes_stay() {
    let place = Place::new();
    for writer in place.writers() {
        let expected = place.expected(&writer);
        for (name, link, old) in [
            ("relative", "../kept/file", Some(0o640)),
            ("dangling", "../kept/new", None),
            ("chain", "first", Some(0o600)),
            ("plain", "", Some(0o666)),
        ] {
            let (out, kept) = (place.path("out"), place.path("kept"));
            fs::create_dir_all(&kept).unwrap();
            let target = match name {
                "chain" => {
                    symlink(kept.join("chained"), out.join("first")).unwrap();
                    kept.join("chained")
                }
                "plain" => out.join("plain"),
                _ => out.join(link),
            };
            if !link.is_empty() {
                symlink(link, out.join(name)).unwrap();
            }
            if let Some(mode) = old {
                fs::write(&target, "old").unwrap();
                fs::set_permissions(&target, Permissions::from_mode(mode)).unwrap();
            }
            done(&with_out(&writer, out.join(name).to_str().unwrap()));
            assert_eq!(out.join(name).is_symlink(), !link.is_empty(), "{name}");
            assert!(fs::read(&target).unwrap() == expected, "{writer:?} through {name}");
            old.iter().for_each(|old| assert_eq!(mode(&target), *old, "{name}"));
            for folder in [&out, &kept] {
                let left = names(folder).into_iter().find(|name| name.contains("partial"));
                assert_eq!(left, None, "{name}");
                fs::remove_dir_all(folder).unwrap();
            }
            fs::create_dir(&out).unwrap();
        }
    }
}

#[test]
fn a_new_file_has_the_mode_that_the_user_asks_for_and_its_folders_are_made() {
    let place = Place::new();
    for (umask, expected) in [("027", 0o640), ("002", 0o664)] {
        let out = place.text(&format!("out/{umask}/deep/boxes.json"));
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        let writer = &place.writers()[0];
        let status = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_simdetr")])
            .args(with_out(writer, &out))
            .output()
            .unwrap();
        assert!(status.status.success(), "{}", stderr(&status));
        assert_eq!(mode(Path::new(&out)), expected);
    }
}

#[test]
fn pipes_and_devices_are_written_through() {
    let place = Place::new();
    for writer in place.writers() {
        let expected = place.expected(&writer);
        let pipe = place.path("out/pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = {
            let pipe = pipe.clone();
            std::thread::spawn(move || fs::read(pipe).unwrap())
        };
        done(&with_out(&writer, pipe.to_str().unwrap()));
        assert!(reader.join().unwrap() == expected, "{writer:?}");
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        fs::remove_file(&pipe).unwrap();

        symlink("/dev/null", place.path("out/null")).unwrap();
        done(&with_out(&writer, &place.text("out/null")));
        let message = refused_by_device(&with_out(&writer, "/dev/full"));
        assert!(message.contains("/dev/full") && message.contains("space"), "{message}");
        for device in ["/dev/null", "/dev/full"] {
            assert!(fs::metadata(device).unwrap().file_type().is_char_device(), "{device}");
        }
        fs::remove_file(place.path("out/null")).unwrap();
    }
}

fn refused_by_device(arguments: &[&str]) -> String {
    let output = simdetr(arguments);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn standard_output_gets_the_file_and_nothing_else() {
    let place = Place::new();
    for writer in place.writers() {
        let expected = place.expected(&writer);
        for out in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            let output = done(&with_out(&writer, out));
            assert!(output.stdout == expected, "{writer:?} to {out}");
            assert!(!output.stderr.is_empty(), "the answer goes to standard error");
            let output = done(&[&with_out(&writer, out)[..], &["--json"]].concat());
            assert!(output.stdout == expected, "{writer:?} to {out}");
            serde_json::from_slice::<Value>(&output.stderr).unwrap();
        }
        // A file that others write too is gone on with, neither replaced nor begun anew.
        for out in ["-", "/dev/stdout"] {
            let file = place.text("out/file");
            let script = "file=$1; shift; { echo head >&3; \"$0\" \"$@\" >&3; echo tail >&3; } \
                          3> \"$file\"";
            let status = Command::new("sh")
                .args(["-c", script, env!("CARGO_BIN_EXE_simdetr"), &file])
                .args(with_out(&writer, out))
                .stderr(Stdio::null())
                .status()
                .unwrap();
            assert!(status.success());
            let bytes = fs::read(&file).unwrap();
            assert!(bytes.starts_with(b"head\n") && bytes.ends_with(b"tail\n"), "{out}");
            assert!(bytes[5..].starts_with(&expected), "{writer:?} to {out}");
        }
        assert_eq!(names(&place.path("out")), ["file"]);
    }
    let detector = place.text("detector.safetensors");
    let two = ["export", "--detector", &detector, "--format", "hugging-face", "--out", "-"];
    assert!(refused(&two).contains("two files"));
    assert!(!Path::new("/dev/config.json").exists());
}

#[test]
fn what_cannot_be_written_is_refused_before_the_work() {
    let place = Place::new();
    let out = |name: &str| place.text(&format!("out/{name}"));
    fs::create_dir(out("folder")).unwrap();
    fs::write(out("file"), "kept").unwrap();
    fs::write(out("locked"), "kept").unwrap();
    fs::set_permissions(out("locked"), Permissions::from_mode(0o444)).unwrap();
    symlink("locked", out("to-locked")).unwrap();
    symlink("self", out("self")).unwrap();
    fs::create_dir(out("closed")).unwrap();
    fs::set_permissions(out("closed"), Permissions::from_mode(0o555)).unwrap();
    let _socket = UnixListener::bind(out("socket")).unwrap();
    let before = names(&place.path("out"));
    let (images, truth) = (place.text("images"), place.text("truth.json"));
    let mut commands: Vec<(Vec<String>, bool)> =
        place.writers().into_iter().map(|writer| (writer, false)).collect();
    let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect();
    let tuning = ["finetune", "--annotations", &truth, "--images", &images, "--init", "random"];
    commands.push((words(&["extract", "--images", &images]), true));
    commands.push((words(&["pretrain", "--images", &images, "--preset", "tiny"]), true));
    commands.push((words(&[&tuning[..], &["--preset", "tiny"]].concat()), true));
    commands.push((words(&["demo"]), true));
    for (command, writes_folder) in &commands {
        for (name, reason) in [
            ("folder", "folder"),
            ("file/deep", "file"),
            ("file/", ""),
            ("locked", "read-only"),
            ("to-locked", "read-only"),
            ("self", "link"),
            ("closed/new", "read-only"),
            ("closed/deep/new", "read-only"),
            ("socket", "socket"),
            ("file", "file"),
        ] {
            let (file_alone, folder_alone) = (["folder", "socket"], ["file"]);
            if *writes_folder && (file_alone.contains(&name) || reason == "link")
                || !*writes_folder && folder_alone.contains(&name)
            {
                continue;
            }
            let target = out(name);
            let message = refused(&with_out(command, &target));
            assert!(
                message.contains(target.trim_end_matches('/')),
                "{command:?} {name}: {message}"
            );
            let is_mode = !*writes_folder || name.starts_with("closed");
            assert!(!is_mode || message.contains(reason), "{command:?} {name}: {message}");
        }
    }
    assert_eq!(names(&place.path("out")), before);
    assert_eq!(fs::read(out("locked")).unwrap(), b"kept");
    assert_eq!(fs::read(out("file")).unwrap(), b"kept");
    assert!(
        names(Path::new(&out("folder"))).is_empty() && names(Path::new(&out("closed"))).is_empty()
    );
}

#[test]
fn a_file_of_the_run_that_cannot_be_written_is_refused_before_the_work() {
    let place = Place::new();
    let (images, truth, run) = (place.text("images"), place.text("truth.json"), place.text("run"));
    let pretrain = ["pretrain", "--images", &images, "--out", &run, "--preset", "tiny"];
    let finetune = ["finetune", "--annotations", &truth, "--images", &images];
    let finetune =
        [&finetune[..], &["--init", "random", "--out", &run, "--preset", "tiny"]].concat();
    for (command, file) in [
        (&pretrain[..], "T1.json"),
        (&pretrain, "metrics.jsonl"),
        (&finetune, "detector.safetensors"),
        (&finetune, "predictions.json"),
    ] {
        fs::create_dir_all(place.path("run").join(file)).unwrap();
        let message = refused(command);
        assert!(message.contains(file) && message.contains("folder"), "{message}");
        assert_eq!(names(&place.path("run")), [file]);
        fs::remove_dir_all(&run).unwrap();
    }
}

#[test]
fn hosts_are_refused_before_the_work_too() {
    let place = Place::new();
    let (run, images, annotations) =
        (place.path("run"), place.path("images"), place.path("truth.json"));
    let request = StageRequest { run: &run, stage: 1, annotations: &annotations, images: &images };
    let mut trainer = Pretrainer::new(RunConfig::default(), Workers::caller()).unwrap();
    let control = Control::default();
    // Nothing has been trained there, which would be found next.
    let error = trainer.relabel(&request, &place.path("out"), &control).unwrap_err();
    assert!(matches!(error, Error::Output { .. }), "{error}");
    let request = StageRequest { run: &annotations, ..request };
    let error = trainer.train(&request, &control).unwrap_err();
    assert!(matches!(error, Error::Output { .. }), "{error}");
}

#[test]
fn files_of_other_programs_beside_an_export_are_not_replaced() {
    let place = Place::new();
    let detector = place.text("detector.safetensors");
    let (model, config) = (place.text("out/model.safetensors"), place.path("out/config.json"));
    let export = ["export", "--detector", &detector, "--format", "hugging-face", "--out", &model];
    for foreign in ["{\"model_type\": \"bert\"}", "{}", "not json"] {
        fs::write(&config, foreign).unwrap();
        let message = refused(&export);
        assert!(message.contains("config.json") && message.contains("--force"), "{message}");
        assert_eq!(fs::read_to_string(&config).unwrap(), foreign);
        assert_eq!(names(&place.path("out")), ["config.json"]);
    }
    done(&[&export[..], &["--force"]].concat());
    let document = fs::read(&config).unwrap();
    assert!(String::from_utf8_lossy(&document).contains("DeformableDetrForObjectDetection"));
    // What is there now is ours, and so is what an earlier version of us wrote.
    done(&export);
    let text = String::from_utf8(document).unwrap().replace("\"id2label\"", "\"older\"");
    fs::write(&config, text).unwrap();
    done(&export);
    assert!(fs::read_to_string(&config).unwrap().contains("id2label"));
}

#[test]
fn inputs_are_not_replaced() {
    let place = Place::new();
    let detector = place.text("detector.safetensors");
    symlink(&detector, place.path("out/link")).unwrap();
    let bytes = fs::read(&detector).unwrap();
    for writer in place.writers() {
        for out in [&detector, &place.text("out/../detector.safetensors"), &place.text("out/link")]
        {
            let message = refused(&with_out(&writer, out));
            assert!(message.contains("input") && message.contains(out.as_str()), "{message}");
        }
    }
    assert!(fs::read(&detector).unwrap() == bytes);
    let annotations = place.text("truth.json");
    let listed = [place.writers()[0].clone(), vec!["--annotations".into(), annotations.clone()]];
    let message = refused(&with_out(&listed.concat(), &annotations));
    assert!(message.contains("input"), "{message}");
    let image = place.text("images/scene-1.png");
    let before = fs::read(&image).unwrap();
    let message = refused(&with_out(&place.writers()[0], &image));
    assert!(message.contains("one of the images"), "{message}");
    assert!(fs::read(&image).unwrap() == before);
}

#[test]
fn processes_that_write_one_file_do_not_meet() {
    let place = Place::new();
    let out = place.text("out/boxes.json");
    let writer = &place.writers()[0];
    let expected = place.expected(writer);
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_simdetr"))
            .args(with_out(writer, &out))
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut processes: Vec<_> = (0..6).map(|_| start()).collect();
    processes.iter_mut().for_each(|process| assert!(process.wait().unwrap().success()));
    assert!(fs::read(&out).unwrap() == expected);
    assert_eq!(names(&place.path("out")), ["boxes.json"]);
}

#[test]
fn leftovers_of_killed_runs_go_and_others_stay() {
    let place = Place::new();
    let dead = format!("out/.boxes.json.{NOBODY}-0.partial");
    let kept = ["out/.boxes.json.old.partial", "out/boxes.json.partial"];
    for name in kept.iter().copied().chain([dead.as_str()]) {
        fs::write(place.path(name), "half").unwrap();
    }
    let (_living, _file) = atomic_file::Temporary::create(&place.path("out/boxes.json")).unwrap();
    done(&with_out(&place.writers()[0], &place.text("out/boxes.json")));
    assert!(!place.path(&dead).exists());
    assert_eq!(names(&place.path("out")).len(), 4);
    let mut text = String::new();
    File::open(place.path(kept[0])).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "half");
}
