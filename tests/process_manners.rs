//! How the command behaves as a process: its standard streams closed, full or piped, its log, its
//! progress, what `config` prints, and `report` on everything that can be a run.
#![cfg(unix)]

#[path = "support/small_detector.rs"]
mod small_detector;
mod support;

use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{QUICK_DETECTOR, scenes};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simdetr"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

fn simdetr(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).to_string()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).to_string()
}

fn done(arguments: &[&str]) -> Output {
    let output = simdetr(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    output
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// Four scenes with their true boxes.
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let truth = scenes::write(&place.path("images"), 4);
        fs::write(place.path("truth.json"), truth).unwrap();
        fs::write(place.path("config.toml"), QUICK_DETECTOR).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }

    /// The page of a report, and what was said about it.
    fn report(&self, run: &str, extra: &[&str]) -> (String, PathBuf) {
        let run = self.text(run);
        let output = done(&[&["report", "--run", &run, "--json"], extra].concat());
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let path = PathBuf::from(answer["report"].as_str().unwrap());
        let page = fs::read_to_string(&path).unwrap();
        assert!(page.ends_with("</html>\n"), "{run}");
        (page, path)
    }
}

/// Something that writes to standard output, for each way of doing so.
fn talkers(place: &Place) -> Vec<Vec<String>> {
    let truth = place.text("truth.json");
    let scored =
        fs::read_to_string(&truth).unwrap().replace("\"iscrowd\"", "\"score\":1,\"iscrowd\"");
    fs::write(place.path("scored.json"), scored).unwrap();
    let scored = place.text("scored.json");
    let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect();
    vec![
        words(&["config"]),
        words(&["config", "--json"]),
        words(&["--help"]),
        words(&["finetune", "--help"]),
        words(&["--version"]),
        words(&["evaluate", "--ground-truth", &truth, "--detections", &scored]),
    ]
}

fn words(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

#[test]
fn a_full_standard_output_is_an_error() {
    let place = Place::new();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    for talker in talkers(&place) {
        let output = command(&words(&talker)).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{talker:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("space"), "{talker:?}: {}", stderr(&output));
    }
    // Nowhere to say it: the status says it alone.
    for (arguments, status) in
        [(&["evaluate", "--ground-truth", "no", "--detections", "no"][..], 1), (&["nonsense"], 2)]
    {
        let output = command(arguments).stdout(full()).stderr(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    }
}

#[test]
fn a_closed_standard_output_ends_quietly() {
    let place = Place::new();
    small_detector::write(&place.path("detector.safetensors"));
    for talker in talkers(&place) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(&words(&talker)).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{talker:?}");
        assert_eq!(stderr(&output), "", "{talker:?}");

        for closed in [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"] {
            let script = format!("exec \"$0\" \"$@\" {closed}");
            let output = Command::new("sh")
                .args(["-c", &script, env!("CARGO_BIN_EXE_simdetr")])
                .args(words(&talker))
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(0), "{talker:?} {closed}");
            assert_eq!(stderr(&output), "", "{talker:?} {closed}");
        }
    }
    // What is written there, not only what is said.
    let (detector, images) = (place.text("detector.safetensors"), place.text("images"));
    for arguments in [
        ["export", "--detector", &detector, "--format", "official", "--out", "-", "-q"],
        ["predict", "--detector", &detector, "--images", &images, "--out", "-", "-q"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(&arguments).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(stderr(&output), "", "{arguments:?}");
    }
}

#[test]
fn piped_progress_is_plain_lines_and_the_log_obeys() {
    let place = Place::new();
    fs::write(place.path("images/broken.jpg"), b"\xff\xd8\xff\xe0 no more").unwrap();
    let images = place.text("images");
    let mut runs = 0;
    let mut said = |extra: &[&str], log: Option<&str>| {
        runs += 1;
        let out = place.text(&format!("run{runs}"));
        let mut command =
            command(&[&["extract", "--images", &images, "--out", &out], extra].concat());
        if let Some(log) = log {
            command.env("RUST_LOG", log);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        (stdout(&output), stderr(&output))
    };
    let (text, plain) = said(&[], None);
    assert!(plain.lines().any(|line| line == "simdetr: extract: 5 of 5"), "{plain}");
    assert!(plain.contains("warn: broken.jpg"), "{plain}");
    assert!(!plain.contains(['\x1b', '\r']), "{plain:?}");
    assert!(plain.lines().count() <= 3, "{plain}");
    assert!(text.contains("left out: broken images (1)") && text.contains("broken.jpg"), "{text}");

    let (text, quiet) = said(&["-q"], None);
    assert_eq!(quiet, "");
    assert!(text.contains("left out"), "{text}");
    let (json, silent) = said(&["--json"], None);
    assert_eq!(silent, "");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["left_out"][0]["count"], 1);
    assert_eq!(json["left_out"][0]["reason"], "broken images");
    let (_, asked) = said(&["--json", "-v"], None);
    assert!(asked.contains("broken.jpg") && !asked.contains(" of "), "{asked}");
    for (log, heard) in [
        ("off", false),
        ("error", false),
        ("simdetr=off", false),
        ("warn", true),
        ("simdetr::pipeline=warn", true),
        ("error,simdetr::data=debug", false),
    ] {
        let (_, text) = said(&[], Some(log));
        assert_eq!(text.contains("broken.jpg"), heard, "{log}: {text}");
    }
    let (_, text) = said(&["-v"], Some("off"));
    assert!(text.contains("broken.jpg"), "options win: {text}");
    let (_, text) = said(&[], Some("loudly"));
    assert!(text.contains("RUST_LOG") && text.contains("loudly"), "{text}");
    assert_eq!(simdetr(&["config", "-q", "-v"]).status.code(), Some(2));
}

#[test]
fn config_obeys_preset_document_and_seed() {
    let place = Place::new();
    let printed = |arguments: &[&str]| -> toml::Table {
        toml::from_str(&stdout(&done(&[&["config"], arguments].concat()))).unwrap()
    };
    let document = place.text("config.toml");
    let plain = printed(&[]);
    assert_eq!(plain["seed"].as_integer(), Some(0));
    let tiny = printed(&["--preset", "tiny", "--seed", "7"]);
    assert_eq!(tiny["seed"].as_integer(), Some(7));
    assert_eq!(tiny["training"]["steps"].as_integer(), Some(1000));
    assert_ne!(plain["detector"], tiny["detector"]);
    let both = printed(&["--preset", "tiny", "--config", &document]);
    assert_eq!(both["training"]["steps"].as_integer(), Some(3));
    assert_eq!(both["cluster"], tiny["cluster"]);
    assert_eq!(both["detector"]["hidden_size"].as_integer(), Some(32));
    // What is printed is a document that says the same.
    fs::write(place.path("printed.toml"), toml::to_string(&both).unwrap()).unwrap();
    assert_eq!(printed(&["--config", &place.text("printed.toml")]), both);
    let json = done(&["config", "--preset", "tiny", "--seed", "9", "--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json["seed"].as_u64(), json["training"]["steps"].as_u64()), (Some(9), Some(1000)));

    fs::write(place.path("bad.toml"), "[training]\nbatch_size = 0\n").unwrap();
    let bad = place.text("bad.toml");
    for wrong in [["--preset", "huge"], ["--config", &bad]] {
        let output = simdetr(&[&["config"][..], &wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    }
}

#[test]
fn report_works_on_stage_0_however_far_it_came() {
    let place = Place::new();
    let (images, run, truth) = (place.text("images"), place.text("run"), place.text("truth.json"));
    done(&["extract", "--images", &images, "--out", &run]);
    let (page, _) = place.report("run", &["--ground-truth", &truth]);
    assert!(page.contains("Stage 0: proposals") && page.contains("scene-0.png"));
    assert!(!page.contains("Pseudo-classes"), "nothing is clustered yet");

    // As after a kill before the first shard.
    fs::create_dir(place.path("killed")).unwrap();
    let record = fs::read_to_string(place.path("run/run.toml")).unwrap();
    let record = record.replace("steps = [\"extract\"]", "steps = []");
    fs::write(place.path("killed/run.toml"), record).unwrap();
    let (page, _) = place.report("killed", &[]);
    assert!(page.contains("images to be done"));

    done(&["cluster", "--run", &run, "--classes", "3"]);
    let before = fs::read_dir(&run).unwrap().count();
    let (page, path) = place.report("run", &["--ground-truth", &truth]);
    assert!(page.contains("pseudo-classes in use") && page.contains("AR@100"));
    assert_eq!(path, place.path("run/report.html"));
    assert_eq!(fs::read_dir(&run).unwrap().count(), before, "nothing is left beside the report");

    // Images that are gone are said, and those of another folder shown.
    fs::rename(&images, place.path("moved")).unwrap();
    let (page, _) = place.report("run", &[]);
    assert!(page.contains("pictures not found") && !page.contains("data:image/jpeg"));
    let (page, _) = place.report("run", &["--images", &place.text("moved")]);
    assert!(!page.contains("pictures not found") && page.contains("data:image/jpeg"));
}

#[test]
fn report_works_on_fine_tuning_and_a_preset_is_chosen_and_said() {
    let place = Place::new();
    let (images, truth, run) =
        (place.text("images"), place.text("truth.json"), place.text("tuned"));
    let config = place.text("config.toml");
    let tune = [
        "finetune",
        "--annotations",
        &truth,
        "--images",
        &images,
        "--init",
        "random",
        "--out",
        &run,
        "--config",
        &config,
        "--test-annotations",
        &truth,
    ];
    let output = done(&tune);
    let said: Vec<String> =
        stderr(&output).lines().filter(|line| line.contains("preset")).map(String::from).collect();
    assert_eq!(said.len(), 1, "{}", stderr(&output));
    assert!(said[0].contains("processor") && said[0].contains("deformable-detr-r50"), "{said:?}");
    let again = done(&[&tune[..], &["--json"]].concat());
    let answer: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert!(said[0].contains(&format!("preset {},", answer["preset"].as_str().unwrap())));
    assert_eq!(stderr(&again), "");
    assert!(stderr(&done(&tune)).contains("as the run in"), "a run goes on with its own preset");

    let (page, _) = place.report("tuned", &["--ground-truth", &truth, "--images", &images]);
    for part in ["A trained detector", "Learning rate", "AP50", "scene-0.png", "training.steps"] {
        assert!(page.contains(part), "{part}");
    }
    // As after a kill: the last line is cut, and nothing after training is there.
    for file in ["detector.safetensors", "predictions.json", "finetune.toml"] {
        fs::remove_file(place.path("tuned").join(file)).unwrap();
    }
    let metrics = fs::read(place.path("tuned/metrics.jsonl")).unwrap();
    fs::write(place.path("tuned/metrics.jsonl"), &metrics[..metrics.len() - 9]).unwrap();
    let (page, _) = place.report("tuned", &[]);
    assert!(page.contains("A detector in training") && page.contains("Learning rate"));
    fs::remove_file(place.path("tuned/metrics.jsonl")).unwrap();
    let (page, _) = place.report("tuned", &[]);
    assert!(page.contains("A detector in training") && !page.contains("Learning rate"));
}

#[test]
fn report_works_on_predictions_and_says_what_is_none() {
    let place = Place::new();
    small_detector::write(&place.path("detector.safetensors"));
    let (detector, images) = (place.text("detector.safetensors"), place.text("images"));
    let boxes = place.text("predicted/boxes.json");
    done(&["predict", "--detector", &detector, "--images", &images, "--out", &boxes]);
    for run in ["predicted", "predicted/boxes.json"] {
        let (page, path) = place.report(run, &[]);
        assert_eq!(path, place.path("predicted/boxes.report.html"));
        assert!(page.contains("Predictions") && page.contains("The most frequent categories"));
        let (page, _) = place.report(run, &["--images", &images]);
        assert!(page.contains("scene-3.png") && page.contains("data:image/jpeg"));
    }
    fs::write(place.path("predicted/boxes.report.html"), "<html>mine</html>").unwrap();
    let refused = simdetr(&["report", "--run", &boxes]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("boxes.report.html"), "{}", stderr(&refused));
    place.report("predicted", &["--force"]);

    fs::copy(&boxes, place.path("predicted/more.json")).unwrap();
    let several = simdetr(&["report", "--run", &place.text("predicted")]);
    assert!(stderr(&several).contains("several"), "{}", stderr(&several));
    let list = fs::read_to_string(place.path("truth.json")).unwrap();
    let list: Value = serde_json::from_str(&list).unwrap();
    let list = list["annotations"].to_string().replace("\"iscrowd\"", "\"score\":0.5,\"iscrowd\"");
    fs::write(place.path("list.json"), list).unwrap();
    assert!(place.report("list.json", &[]).0.contains("Predictions"));

    fs::create_dir(place.path("empty")).unwrap();
    for (run, words) in [
        ("empty", "holds no run"),
        ("images", "holds no run"),
        ("nowhere", "nowhere"),
        ("config.toml", "not a COCO file"),
    ] {
        let output = simdetr(&["report", "--run", &place.text(run)]);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(words) && message.trim_end().lines().count() == 1, "{message}");
        assert!(!Path::new(&place.text(run)).join("report.html").exists());
    }
}
