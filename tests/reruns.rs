//! Each command twice, with each of its inputs changed in between: refused by name, or done again;
//! no change goes unnoticed, and what is no change is none. Then locks, half-trained stages, and
//! the stores of the library's own callers.

mod support;

use serde_json::Value;
use simdetr::Error;
use simdetr::control::{Control, Progress};
use simdetr::data::folder_lock::FolderLock;
use simdetr::data::image::{Image, encode};
use simdetr::encoder::source;
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::image_extractor::ImageExtractor;
use simdetr::pipeline::pretrainer::{Pretrainer, StageRequest};
use simdetr::pipeline::store_extraction::{extract_into_store, proposals_document};
use simdetr::workers::Workers;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use support::scenes;

/// A run of seconds; three shards of two images.
const CONFIG: &str = "
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
enum Expected {
    /// It fails and its message holds all of these.
    Refused(&'static [&'static str]),
    /// It says that there was nothing to do.
    NothingToDo,
    /// It does its work again and this file has other bytes than before.
    Again(&'static str),
    /// It succeeds, whatever it says.
    Done,
}
use Expected::{Again, Done, NothingToDo, Refused};

/// One change between two calls.
struct Case {
    name: &'static str,
    change: fn(&Place),
    /// Arguments of the second call in place of those of the first: (option, value), or one more.
    arguments: &'static [(&'static str, &'static str)],
    expected: Expected,
}

const fn case(
    name: &'static str,
    change: fn(&Place),
    arguments: &'static [(&'static str, &'static str)],
    expected: Expected,
) -> Case {
    Case { name, change, arguments, expected }
}

fn nothing(_: &Place) {}

/// A folder with everything that commands read, `imgs`, `truth.json`, `config.toml` and weights,
/// in which every call runs.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let truth = scenes::write(&place.path("imgs"), 5);
        fs::write(place.path("truth.json"), &truth).unwrap();
        fs::write(place.path("config.toml"), CONFIG).unwrap();
        place
    }

    /// A copy, so that cases do not see each other's changes.
    fn copy(&self) -> Place {
        let copy = Place { folder: tempfile::tempdir().unwrap() };
        copy_folder(self.folder.path(), copy.folder.path());
        copy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_default()
    }

    fn run(&self, arguments: &[String]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_simdetr"))
            .args(arguments)
            .args(["--json", "--threads", "1"])
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    fn answer(&self, arguments: &[String]) -> Value {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refusal(&self, arguments: &[String]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} was not refused");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Writes an image of one colour, of the size of the scenes.
    fn paint(&self, name: &str, colour: [u8; 3]) {
        let image = Image::filled(192, 160, colour).unwrap();
        fs::write(self.path("imgs").join(name), encode::png(&image).unwrap()).unwrap();
    }

    fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} holds no {from}");
        fs::write(self.path(name), text.replacen(from, to, 1)).unwrap();
    }

    /// Makes the first true box one that was found, so that the figures change.
    fn hit(&self, truth: &str, found: &str) {
        let found: Value = serde_json::from_slice(&self.bytes(found)).unwrap();
        let boxes = found["annotations"].as_array().unwrap();
        let first = boxes.iter().find(|one| one["image_id"] == 1).unwrap();
        let bounds = format!("\"bbox\":{}", first["bbox"]);
        self.replace(truth, "\"bbox\":[16,20,64,60]", &bounds);
    }

    fn configure(&self, from: &str, to: &str) {
        self.replace("config.toml", from, to);
    }
}

fn copy_folder(from: &Path, to: &Path) {
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

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

/// `arguments` with values replaced and more added.
fn changed(arguments: &[String], changes: &[(&str, &str)]) -> Vec<String> {
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
fn check(base: &Place, command: &str, cases: &[Case]) {
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

const EXTRACT: &str = "extract --images imgs --out run --config config.toml --seed 1";
const CLUSTER: &str = "cluster --run run --config config.toml";
const EXPORT: &str = "export --run run --out set.json";
const PRETRAIN: &str =
    "pretrain --images imgs --out run --config config.toml --preset tiny --ground-truth truth.json";
const FINETUNE: &str = "finetune --annotations truth.json --images imgs --init start.safetensors \
    --out tuned --config config.toml --preset tiny --test-annotations test.json";
const PREDICT: &str =
    "predict --detector tuned/detector.safetensors --images imgs --out boxes.json";
const EVALUATE: &str = "evaluate --ground-truth truth.json --detections boxes.json";

fn touch(place: &Place) {
    let file = fs::File::options().write(true).open(place.path("imgs/scene-1.png")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(90_000)).unwrap();
}

fn repaint(place: &Place) {
    place.paint("scene-1.png", [200, 10, 200]);
}

/// Other pixels in a file of the same length whose time is set back.
fn forge(place: &Place) {
    let path = place.path("imgs/scene-1.png");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
}

fn rename(place: &Place) {
    fs::rename(place.path("imgs/scene-1.png"), place.path("imgs/scene-9.png")).unwrap();
}

fn remove(place: &Place) {
    fs::remove_file(place.path("imgs/scene-1.png")).unwrap();
}

fn add(place: &Place) {
    place.paint("scene-7.png", [1, 2, 3]);
}

fn move_folder(place: &Place) {
    fs::rename(place.path("imgs"), place.path("moved")).unwrap();
}

/// Keys that change no byte of a result.
fn neutral(place: &Place) {
    place.configure("metrics_steps = 1", "metrics_steps = 2");
    place.configure("checkpoint_steps = 1", "checkpoint_steps = 7");
    let loader = "[loader]\nloader_threads = 1\nprefetch_batches = 5\n[resize]";
    place.configure("[resize]", loader);
}

#[test]
fn extraction() {
    let base = Place::new();
    fs::write(base.path("imgs/broken.jpg"), b"\xff\xd8\xff\xe0 no more").unwrap();
    let said = base.answer(&words(EXTRACT));
    assert_eq!(said["nothing_to_do"], false);
    let record = fs::read_to_string(base.path("run/run.toml")).unwrap();
    assert!(record.contains("device = \"cpu\""), "{record}");
    assert!(!base.path("run/run.lock").exists());
    let again = base.answer(&words(EXTRACT));
    assert_eq!(again["broken"], said["broken"]);
    assert_eq!(again["broken"][0]["path"], "broken.jpg");
    let absolute = base.path("imgs");
    let spelled = changed(&words(EXTRACT), &[("--images", absolute.to_str().unwrap())]);
    assert_eq!(base.answer(&spelled)["nothing_to_do"], true);
    check(
        &base,
        EXTRACT,
        &[
            case("nothing", nothing, &[], NothingToDo),
            case("a slash", nothing, &[("--images", "imgs/")], NothingToDo),
            case("a dot", nothing, &[("--images", "./imgs/.")], NothingToDo),
            case("another folder", move_folder, &[("--images", "moved")], NothingToDo),
            case("a touched file", touch, &[], NothingToDo),
            case("keys without effect", neutral, &[], NothingToDo),
            case("another image", repaint, &[], Refused(&["image scene-1.png"])),
            case("a forged time", forge, &[], Refused(&["image scene-1.png"])),
            case(
                "a new name",
                rename,
                &[],
                Refused(&["image scene-1.png", "absent here", "image scene-9.png", "absent there"]),
            ),
            case("one image less", remove, &[], Refused(&["image scene-1.png", "absent here"])),
            case("one image more", add, &[], Refused(&["image scene-7.png", "absent there"])),
            case(
                "a repaired image",
                |place| place.paint("broken.jpg", [9, 9, 9]),
                &[],
                Refused(&["image broken.jpg"]),
            ),
            case("strict", nothing, &[("--strict", "")], Refused(&["broken.jpg"])),
            case(
                "another seed",
                nothing,
                &[("--seed", "2")],
                Refused(&["`config.seed` is 1 there, 2 here"]),
            ),
            case(
                "another method",
                nothing,
                &[("--method", "selective-search")],
                Refused(&["`config.method`", "selective-search"]),
            ),
            case(
                "two other keys",
                |place| {
                    place.configure("proposals_max = 6", "proposals_max = 5");
                    place.configure("image_short_side = 64", "image_short_side = 96");
                },
                &[],
                Refused(&[
                    "`config.proposals.proposals_max` is 6 there, 5 here",
                    "`config.resize.image_short_side` is 64 there, 96 here",
                ]),
            ),
            case(
                "begun anew",
                |place| {
                    add(place);
                    fs::write(place.path("run/notes.txt"), "mine").unwrap();
                },
                &[("--restart", ""), ("--seed", "2")],
                Again("run/run.toml"),
            ),
            case("begun anew from nothing", move_folder, &[("--restart", "")], Refused(&["imgs"])),
        ],
    );
}

#[test]
fn clusters_and_data_sets() {
    let base = Place::new();
    base.answer(&words(EXTRACT));
    assert_eq!(base.answer(&words(CLUSTER))["nothing_to_do"], false);
    base.answer(&words(EXPORT));
    check(
        &base,
        CLUSTER,
        &[
            case("nothing", nothing, &[], NothingToDo),
            case("the run's own seed", nothing, &[("--seed", "1")], NothingToDo),
            case("another seed", nothing, &[("--seed", "2")], Refused(&["`config.seed` is 1"])),
            case("more classes", nothing, &[("--classes", "4")], Again("run/clusters.safetensors")),
            case("too many", nothing, &[("--classes", "999")], Refused(&["999", "vectors"])),
            case(
                "another key",
                |place| place.configure("classes = 3", "classes = 3\nrounds = 0"),
                &[],
                Again("run/clusters.safetensors"),
            ),
        ],
    );
    let fewer = |place: &Place| {
        place.answer(&changed(&words(CLUSTER), &[("--classes", "2")]));
    };
    check(&base, EXPORT, &[case("other clusters", fewer, &[], Again("set.json"))]);
}

/// A place with a finished run of one stage and weights to start from.
fn pretrained() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = Place::new();
        assert_eq!(place.answer(&words(PRETRAIN))["nothing_to_do"], false);
        fs::copy(place.path("run/detector.safetensors"), place.path("start.safetensors")).unwrap();
        let backbone =
            "export --detector start.safetensors --format backbone --out init.safetensors";
        place.answer(&words(backbone));
        fs::copy(place.path("truth.json"), place.path("test.json")).unwrap();
        place
    })
}

#[test]
fn pretraining() {
    let base = pretrained();
    let initial = |place: &Place| {
        let keys = "backbone_init = './init.safetensors'\nstages_count = 1";
        place.configure("stages_count = 1", keys);
    };
    check(
        base,
        PRETRAIN,
        &[
            case("nothing", nothing, &[], NothingToDo),
            case("spelled", nothing, &[("--images", "./imgs/")], NothingToDo),
            case("another folder", move_folder, &[("--images", "moved")], NothingToDo),
            case("a touched file", touch, &[], NothingToDo),
            case("keys without effect", neutral, &[], NothingToDo),
            case("another image", repaint, &[], Refused(&["image scene-1.png"])),
            case("a new name", rename, &[], Refused(&["image scene-9.png"])),
            case("one image more", add, &[], Refused(&["image scene-7.png"])),
            case("another seed", nothing, &[("--seed", "3")], Refused(&["`config.seed` is 0"])),
            case(
                "other classes",
                |place| place.configure("classes = 3", "classes = 4"),
                &[],
                Refused(&["`config.cluster.classes` is 3 there, 4 here"]),
            ),
            case(
                "a key of training and one of relabelling",
                |place| {
                    let relabel =
                        "[relabel]\nsuppression_iou = 0.4\n[training]\nlearning_rate = 0.5";
                    place.configure("[training]", relabel);
                },
                &[],
                Refused(&["`config.training.learning_rate`", "`config.relabel.suppression_iou`"]),
            ),
            case("initial weights", initial, &[], Refused(&["`inputs.start`"])),
            case(
                "labels of the clusters",
                |place| place.replace("run/T0.json", "\"score\":", "\"score\": "),
                &[],
                Refused(&["`inputs.labels`"]),
            ),
            case(
                "true boxes",
                |place| place.replace("truth.json", "\"bbox\":[16,20,64,60]", "\"bbox\":[1,1,9,9]"),
                &[],
                Done,
            ),
            case(
                "damaged true boxes",
                |place| fs::write(place.path("truth.json"), "{").unwrap(),
                &[],
                Refused(&["truth.json"]),
            ),
            case(
                "clusters of another command",
                |place| {
                    let refused = changed(&words(CLUSTER), &[("--classes", "4")]);
                    let message = place.refusal(&refused);
                    assert!(message.contains("`config.cluster.classes` is 3 there, 4 here"));
                },
                &[],
                NothingToDo,
            ),
            case(
                "begun anew from the clusters",
                |place| {
                    let again = [("--classes", "4"), ("--restart", "")];
                    place.answer(&changed(&words(CLUSTER), &again));
                    assert!(!place.path("run/T1.json").exists());
                    place.configure("classes = 3", "classes = 4");
                },
                &[],
                Again("run/T0.json"),
            ),
        ],
    );
    restarted(base);
    before_the_first_checkpoint(base);
    longer(base);
}

/// What a run wrote goes, and nothing else.
fn restarted(base: &Place) {
    let place = base.copy();
    fs::write(place.path("run/notes.txt"), "mine").unwrap();
    let old = place.bytes("run/detector.safetensors");
    let anew = changed(&words(PRETRAIN), &[("--seed", "5"), ("--restart", "")]);
    assert_eq!(place.answer(&anew)["nothing_to_do"], false);
    assert!(place.bytes("run/detector.safetensors") != old);
    assert_eq!(place.bytes("run/notes.txt"), b"mine");
}

/// A run that was stopped before its first checkpoint clusters and trains with what is now asked
/// for, and ends with the bytes of one that never knew anything else.
fn before_the_first_checkpoint(base: &Place) {
    let (stopped, fresh) = (base.copy(), base.copy());
    fs::remove_dir_all(stopped.path("run/checkpoints")).unwrap();
    for name in ["T1.json", "detector.safetensors", "detector-stage1.safetensors"] {
        fs::remove_file(stopped.path("run").join(name)).unwrap();
    }
    fs::remove_dir_all(fresh.path("run")).unwrap();
    for place in [&stopped, &fresh] {
        place.configure("classes = 3", "classes = 4");
        assert_eq!(place.answer(&words(PRETRAIN))["nothing_to_do"], false);
    }
    for name in ["T0.json", "T1.json", "detector.safetensors", "stage1.toml", "metrics.jsonl"] {
        let name = format!("run/{name}");
        assert!(stopped.bytes(&name) == fresh.bytes(&name), "{name} differs");
    }
}

/// More stages go on with the same run.
fn longer(base: &Place) {
    let place = base.copy();
    let said = place.answer(&changed(&words(PRETRAIN), &[("--stages", "2")]));
    assert_eq!(said["nothing_to_do"], false);
    assert_eq!(said["labels"].as_array().unwrap().len(), 3);
}

#[test]
fn checks_come_before_the_work() {
    let place = pretrained().copy();
    place.configure("classes = 3", "classes = 31");
    let message = place.refusal(&changed(&words(PRETRAIN), &[("--out", "many")]));
    assert!(message.contains("cluster.classes: 31 asked for"), "{message}");
    assert!(message.contains("5 images") && message.contains("30 proposals"), "{message}");
    assert!(!place.path("many").exists());
    // One image that cannot be read, so that the folder gives less than it could.
    fs::write(place.path("imgs/scene-3.png"), b"\x89PNG of nothing").unwrap();
    place.configure("classes = 31", "classes = 30");
    let message = place.refusal(&changed(&words(PRETRAIN), &[("--out", "many")]));
    assert!(message.contains("`classes`: 30 asked for"), "{message}");
    assert!(!place.path("many/clusters.safetensors").exists());
    let message = place.refusal(&changed(&words(FINETUNE), &[("--out", "early")]));
    assert!(message.contains("scene-3.png"), "{message}");
    assert!(!place.path("early").exists());
    let scene = "imgs/scene-3.png";
    fs::copy(pretrained().path(scene), place.path(scene)).unwrap();
    for (option, value) in [
        ("--test-annotations", "none.json"),
        ("--annotations", "none.json"),
        ("--init", "none.safetensors"),
    ] {
        let message =
            place.refusal(&changed(&words(FINETUNE), &[("--out", "early"), (option, value)]));
        assert!(message.contains(value), "{message}");
        assert!(!place.path("early").exists());
    }
}

/// A place with a fine-tuned detector beside the pretrained one.
fn finetuned() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = pretrained().copy();
        assert_eq!(place.answer(&words(FINETUNE))["nothing_to_do"], false);
        place.answer(&words(PREDICT));
        place
    })
}

#[test]
fn finetuning() {
    let base = finetuned();
    let correct = |place: &Place| {
        place.replace("truth.json", "\"bbox\":[16,20,64,60]", "\"bbox\":[16,20,60,60]");
    };
    check(
        base,
        FINETUNE,
        &[
            case("nothing", nothing, &[], NothingToDo),
            case(
                "spelled",
                nothing,
                &[
                    ("--images", "imgs/"),
                    ("--annotations", "./truth.json"),
                    ("--init", "./start.safetensors"),
                ],
                NothingToDo,
            ),
            case("another folder", move_folder, &[("--images", "moved")], NothingToDo),
            case("a touched file", touch, &[], NothingToDo),
            case("keys without effect", neutral, &[], NothingToDo),
            case("a corrected label", correct, &[], Refused(&["`inputs.annotations`"])),
            case("another image", repaint, &[], Refused(&["image scene-1.png"])),
            case(
                "another fraction",
                nothing,
                &[("--fraction", "0.6")],
                Refused(&["`fraction` is 1.0 there, 0.6 here"]),
            ),
            case(
                "another share",
                nothing,
                &[("--fraction", "0.6"), ("--split-seed", "8")],
                Refused(&["`split_seed`"]),
            ),
            case(
                "another start",
                nothing,
                &[("--init", "random")],
                Refused(&["`inputs.init`", "random"]),
            ),
            case(
                "other weights of the same name",
                |place| {
                    let from = place.path("tuned/detector.safetensors");
                    fs::copy(from, place.path("start.safetensors")).unwrap();
                },
                &[],
                Refused(&["`inputs.init`"]),
            ),
            case(
                "another seed",
                nothing,
                &[("--seed", "3")],
                Refused(&["`config.seed` is 0 there, 3 here"]),
            ),
            case(
                "another key",
                |place| place.configure("steps = 2", "steps = 3"),
                &[],
                Refused(&["`config.training.steps` is 2 there, 3 here"]),
            ),
            case(
                "the folder of a pretraining",
                nothing,
                &[("--out", "run")],
                Refused(&["`command` is pretrain there, finetune here"]),
            ),
        ],
    );
    let place = base.copy();
    correct(&place);
    let old = place.bytes("tuned/detector.safetensors");
    let anew = changed(&words(FINETUNE), &[("--restart", "")]);
    assert_eq!(place.answer(&anew)["nothing_to_do"], false);
    assert!(place.bytes("tuned/detector.safetensors") != old);
    let message = place.refusal(&changed(&words(PRETRAIN), &[("--out", "tuned")]));
    assert!(message.contains("`command` is finetune there, pretrain here"), "{message}");

    // What only measures is measured again, and the training is left alone.
    let place = base.copy();
    let before = place.answer(&words(FINETUNE));
    place.hit("test.json", "tuned/predictions.json");
    let after = place.answer(&words(FINETUNE));
    assert_eq!(after["nothing_to_do"], true);
    assert_ne!(after["evaluation"], before["evaluation"]);
}

#[test]
fn predictions_figures_and_reports() {
    let base = finetuned();
    let other = |place: &Place| {
        fs::copy(place.path("start.safetensors"), place.path("tuned/detector.safetensors"))
            .unwrap();
    };
    check(
        base,
        PREDICT,
        &[
            case("another detector", other, &[], Again("boxes.json")),
            case("another image", repaint, &[], Again("boxes.json")),
            case("a new name", rename, &[], Again("boxes.json")),
            case("one image less", remove, &[], Again("boxes.json")),
            case("fewer boxes", nothing, &[("--detections-max", "2")], Again("boxes.json")),
            case("no image", move_folder, &[], Refused(&["imgs"])),
        ],
    );
    let figures = |place: &Place| place.answer(&words(EVALUATE));
    let before = figures(base);
    let place = base.copy();
    place.hit("truth.json", "boxes.json");
    assert_ne!(figures(&place), before);
    let place = base.copy();
    place.answer(&changed(&words(PREDICT), &[("--detections-max", "1")]));
    assert_ne!(figures(&place), before);

    let report = words("report --run run --ground-truth truth.json");
    base.answer(&report);
    let place = base.copy();
    let page = place.bytes("run/report.html");
    place.hit("truth.json", "run/T0.json");
    place.answer(&report);
    assert!(place.bytes("run/report.html") != page, "other true boxes gave the same report");
}

#[test]
fn a_second_process_is_refused_at_once_and_a_killed_one_leaves_no_lock() {
    let place = finetuned().copy();
    let holder = format!("process {} is writing there", std::process::id());
    for (command, folder) in
        [(EXTRACT, "run"), (CLUSTER, "run"), (PRETRAIN, "run"), (FINETUNE, "tuned")]
    {
        let command = changed(&words(command), &[("--seed", "0")]);
        let lock = FolderLock::take(&place.path(folder).join("run.lock")).unwrap();
        let message = place.refusal(&command);
        assert!(message.contains(&holder), "{command:?}: {message}");
        drop(lock);
    }
    // What a killed process leaves is a file that nobody holds.
    fs::write(place.path("run/run.lock"), "1").unwrap();
    assert_eq!(place.answer(&words(PRETRAIN))["nothing_to_do"], true);
}

#[test]
fn a_half_trained_stage_is_no_stage() {
    let place = pretrained();
    let preset = simdetr::pipeline::preset::by_name("tiny").unwrap();
    let config: RunConfig = simdetr::config::parse_over(&preset, CONFIG, "test").unwrap();
    let trainer = || Pretrainer::new(config.clone(), Workers::caller()).unwrap();
    let runs = tempfile::tempdir().unwrap();
    let (labels, images) = (place.path("run/T0.json"), place.path("imgs"));
    let request =
        |stage| StageRequest { run: runs.path(), stage, annotations: &labels, images: &images };
    let stop = |progress: Progress<'_>| if progress.step == "train" { -5 } else { 0 };
    let control = Control { cancel: None, progress: Some(&stop) };
    let error = trainer().train(&request(1), &control).unwrap_err();
    assert!(matches!(error, Error::HostCallback { status: -5, .. }), "{error}");
    assert!(runs.path().join("checkpoints/stage1-000001.safetensors").exists());
    let (out, free) = (runs.path().join("labels.json"), Control::default());
    let error = trainer().relabel(&request(1), &out, &free).unwrap_err();
    assert!(matches!(error, Error::RunStep { step: "train", .. }), "{error}");
    let error = trainer().train(&request(2), &free).unwrap_err();
    assert!(matches!(error, Error::RunStep { step: "train", .. }), "{error}");

    // Other labels, keys or images do not go on with it.
    let other = runs.path().join("other.json");
    fs::write(&other, fs::read_to_string(&labels).unwrap().replace("\"score\":", "\"score\": "))
        .unwrap();
    let relabelled = StageRequest { annotations: &other, ..request(1) };
    let error = trainer().train(&relabelled, &free).unwrap_err().to_string();
    assert!(error.contains("`inputs.labels`"), "{error}");
    let mut faster = config.clone();
    faster.training.learning_rate *= 2.0;
    let mut faster = Pretrainer::new(faster, Workers::caller()).unwrap();
    let error = faster.train(&request(1), &free).unwrap_err().to_string();
    assert!(error.contains("`config.training.learning_rate`"), "{error}");

    trainer().train(&request(1), &free).unwrap();
    trainer().relabel(&request(1), &out, &free).unwrap();
    assert!(out.exists());
    let error = faster.relabel(&request(1), &out, &free).unwrap_err().to_string();
    assert!(error.contains("`config.training.learning_rate`"), "{error}");
}

#[test]
fn a_store_mixes_neither_configurations_nor_folders() {
    let place = Place::new();
    let config: RunConfig = simdetr::config::parse(CONFIG, "test").unwrap();
    let store = place.path("store");
    let fill = |config: &RunConfig| {
        let encoder = source::open(&config.encoder).unwrap();
        let extractor = ImageExtractor::new(encoder, config).unwrap();
        let document = proposals_document(&extractor).unwrap();
        let settings = config.store.settings(extractor.dimensions(), document).unwrap();
        let (workers, control) = (Workers::caller(), Control::default());
        let target = (store.as_path(), settings);
        extract_into_store(&extractor, &place.path("imgs"), target, false, &workers, &control)
    };
    assert!(!fill(&config).unwrap().nothing_to_do);
    assert!(fill(&config).unwrap().nothing_to_do);
    let mut other = config.clone();
    (other.proposals.proposals_max, other.seed) = (4, 9);
    let error = fill(&other).unwrap_err().to_string();
    assert!(error.contains("`config.proposals.proposals_max` is 6 there, 4 here"), "{error}");
    assert!(error.contains("`config.seed` is 0 there, 9 here"), "{error}");
    let lock = FolderLock::take(&store.join("store.lock")).unwrap();
    assert!(matches!(fill(&config), Err(Error::Locked { .. })));
    drop(lock);
    repaint(&place);
    let error = fill(&config).unwrap_err().to_string();
    assert!(error.contains("image scene-1.png"), "{error}");
}
