//! A place with everything that commands read, one change of it, and what the second call must do.

use super::support::scenes;
use serde_json::Value;
use simdetr::data::image::{Image, encode};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

/// A run of seconds; three shards of two images.
pub const CONFIG: &str = "
[resize]
image_short_side = 64
image_long_side_max = 96
[proposals]
proposals_max = 6
[store]
shard_images = 2
[cluster]
classes = 3
[pretrain]
stages_count = 1
[detector]
hidden_size = 32
queries_count = 12
levels_count = 2
[augmentation]
image_short_sides = [64]
image_long_side_max = 96
crop_short_sides = [72]
crop_side_min = 64
crop_side_max = 72
[training]
batch_size = 2
steps = 2
checkpoint_steps = 1
metrics_steps = 1
";

/// What the second call must do.
pub enum Expected {
    /// It fails and its message holds all of these.
    Refused(&'static [&'static str]),
    /// It says that there was nothing to do.
    NothingToDo,
    /// It does its work again and this file has other bytes than before.
    Again(&'static str),
    /// It succeeds, whatever it says.
    Done,
}
pub use Expected::{Again, Done, NothingToDo, Refused};

/// One change between two calls.
pub struct Case {
    pub name: &'static str,
    pub change: fn(&Place),
    /// Arguments of the second call in place of those of the first: (option, value), or one more.
    pub arguments: &'static [(&'static str, &'static str)],
    pub expected: Expected,
}

pub const fn case(
    name: &'static str,
    change: fn(&Place),
    arguments: &'static [(&'static str, &'static str)],
    expected: Expected,
) -> Case {
    Case { name, change, arguments, expected }
}

pub fn nothing(_: &Place) {}

/// A folder with everything that commands read, `imgs`, `truth.json`, `config.toml` and weights,
/// in which every call runs.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let truth = scenes::write(&place.path("imgs"), 5);
        fs::write(place.path("truth.json"), &truth).unwrap();
        fs::write(place.path("config.toml"), CONFIG).unwrap();
        place
    }

    /// A copy, so that cases do not see each other's changes.
    pub fn copy(&self) -> Place {
        let copy = Place { folder: tempfile::tempdir().unwrap() };
        copy_folder(self.folder.path(), copy.folder.path());
        copy
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_default()
    }

    pub fn run(&self, arguments: &[String]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_simdetr"))
            .args(arguments)
            .args(["--json", "--threads", "1"])
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    pub fn answer(&self, arguments: &[String]) -> Value {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn refusal(&self, arguments: &[String]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} was not refused");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Writes an image of one colour, of the size of the scenes.
    pub fn paint(&self, name: &str, colour: [u8; 3]) {
        let image = Image::filled(192, 160, colour).unwrap();
        fs::write(self.path("imgs").join(name), encode::png(&image).unwrap()).unwrap();
    }

    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} holds no {from}");
        fs::write(self.path(name), text.replacen(from, to, 1)).unwrap();
    }

    /// Makes the first true box one that was found, so that the figures change.
    pub fn hit(&self, truth: &str, found: &str) {
        let found: Value = serde_json::from_slice(&self.bytes(found)).unwrap();
        let boxes = found["annotations"].as_array().unwrap();
        let first = boxes.iter().find(|one| one["image_id"] == 1).unwrap();
        let bounds = format!("\"bbox\":{}", first["bbox"]);
        self.replace(truth, "\"bbox\":[16,20,64,60]", &bounds);
    }

    pub fn configure(&self, from: &str, to: &str) {
        self.replace("config.toml", from, to);
    }
}

pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_folder(&path, &target),
            false => drop(fs::copy(&path, &target).unwrap()),
        }
    }
}

pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

/// `arguments` with values replaced and more added.
pub fn changed(arguments: &[String], changes: &[(&str, &str)]) -> Vec<String> {
    let mut arguments = arguments.to_vec();
    for (option, value) in changes {
        match arguments.iter().position(|argument| argument == option) {
            Some(place) => arguments[place + 1] = (*value).into(),
            None => {
                arguments.push((*option).into());
                arguments.extend((!value.is_empty()).then(|| (*value).into()));
            }
        }
    }
    arguments
}

/// Runs every case of one command, each on a copy of a place in which the command has run once.
pub fn check(base: &Place, command: &str, cases: &[Case]) {
    let first = words(command);
    for case in cases {
        let place = base.copy();
        let watched = match &case.expected {
            Again(file) => place.bytes(file),
            _ => Vec::new(),
        };
        (case.change)(&place);
        let second = changed(&first, case.arguments);
        let name = case.name;
        match &case.expected {
            Refused(parts) => {
                let message = place.refusal(&second);
                for part in *parts {
                    assert!(message.contains(part), "{command}, {name}: no `{part}` in {message}");
                }
                assert!(message.len() < 2500, "{command}, {name}: {message}");
            }
            NothingToDo => {
                let said = place.answer(&second);
                assert_eq!(said["nothing_to_do"], true, "{command}, {name}: {said}");
            }
            Again(file) => {
                let said = place.answer(&second);
                assert_ne!(said["nothing_to_do"], true, "{command}, {name}: {said}");
                assert!(place.bytes(file) != watched, "{command}, {name}: {file} is as it was");
            }
            Done => drop(place.answer(&second)),
        }
    }
}

pub const EXTRACT: &str = "extract --images imgs --out run --config config.toml --seed 1";
pub const CLUSTER: &str = "cluster --run run --config config.toml";
pub const EXPORT: &str = "export --run run --out set.json";
pub const PRETRAIN: &str =
    "pretrain --images imgs --out run --config config.toml --preset tiny --ground-truth truth.json";
pub const FINETUNE: &str = "finetune --annotations truth.json --images imgs --init start.safetensors \
    --out tuned --config config.toml --preset tiny --test-annotations test.json";
pub const PREDICT: &str =
    "predict --detector tuned/detector.safetensors --images imgs --out boxes.json";
pub const EVALUATE: &str = "evaluate --ground-truth truth.json --detections boxes.json";

pub fn touch(place: &Place) {
    let file = fs::File::options().write(true).open(place.path("imgs/scene-1.png")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(90_000)).unwrap();
}

pub fn repaint(place: &Place) {
    place.paint("scene-1.png", [200, 10, 200]);
}

/// Other pixels in a file of the same length whose time is set back.
pub fn forge(place: &Place) {
    let path = place.path("imgs/scene-1.png");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
}

pub fn rename(place: &Place) {
    fs::rename(place.path("imgs/scene-1.png"), place.path("imgs/scene-9.png")).unwrap();
}

pub fn remove(place: &Place) {
    fs::remove_file(place.path("imgs/scene-1.png")).unwrap();
}

pub fn add(place: &Place) {
    place.paint("scene-7.png", [1, 2, 3]);
}

pub fn move_folder(place: &Place) {
    fs::rename(place.path("imgs"), place.path("moved")).unwrap();
}

/// Keys that change no byte of a result.
pub fn neutral(place: &Place) {
    place.configure("metrics_steps = 1", "metrics_steps = 2");
    place.configure("checkpoint_steps = 1", "checkpoint_steps = 7");
    let loader = "[loader]\nloader_threads = 1\nprefetch_batches = 5\n[resize]";
    place.configure("[resize]", loader);
}
