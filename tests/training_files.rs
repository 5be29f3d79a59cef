//! What a stage leaves on disk: which checkpoints stay, whose they are, and labels that a killed call
//! had begun. Training and labels end with the bytes of a call that nothing happened to.

#[path = "support/colour_model.rs"]
mod colour_model;
#[path = "support/tiny_run.rs"]
mod support;

use colour_model::{ColourModel, Script};
use simdetr::control::{Control, Progress};
use simdetr::criterion::CriterionConfig;
use simdetr::data::image::{Image, ImageLimits, encode};
use simdetr::data::training::set::TrainingSet;
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::pretrain::built_in;
use simdetr::pipeline::stage_keys::{stage_config, view};
use simdetr::training::checkpoint_files::last_checkpoint;
use simdetr::training::config::TrainingConfig;
use simdetr::training::host_detector::HostDetector;
use simdetr::training::metrics;
use simdetr::training::relabel::{
    DESCRIPTION, Purpose, RelabelConfig, RelabelReport, RelabelRequest, Suppression, relabel,
    weights_of,
};
use simdetr::training::stage::{StageOutcome, train};
use simdetr::training::stage_config::StagePaths;
use simdetr::training::trainable::{StageStart, TrainableDetector};
use simdetr::workers::Workers;
use simdetr::{Error, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use support::{STEPS, Scenes, bytes, config};

fn host(training: &TrainingConfig, script: &Arc<Mutex<Script>>) -> HostDetector {
    let model = Box::new(ColourModel::new(script.clone(), false));
    HostDetector::new(model, training, &CriterionConfig::default(), Workers::caller()).unwrap()
}

/// Runs `call` until it has reported `done` of `step`, as a kill at that moment would.
fn stopped_at<T>(step: &str, done: u64, call: impl FnOnce(&Control<'_>) -> Result<T>) {
    let stop = |progress: Progress<'_>| match progress.step == step && progress.done == done {
        true => -9,
        false => 0,
    };
    let outcome = call(&Control { cancel: None, progress: Some(&stop) });
    assert!(matches!(outcome, Err(Error::HostCallback { status: -9, .. })), "{step} {done}");
}

/// One stage on true labels with one of two detectors.
struct Stage {
    scenes: Scenes,
    set: Arc<TrainingSet>,
    config: RunConfig,
    /// What checkpoints hold as the run's settings: the tests change keys that no result depends on.
    settings: &'static str,
    is_host: bool,
}

impl Stage {
    fn new(is_host: bool) -> Stage {
        let scenes = Scenes::new();
        let set = Arc::new(TrainingSet::read(&scenes.truth, &scenes.images).unwrap());
        let mut config = config();
        config.pretrain.backbone_init = "random".into();
        config.training.checkpoint_steps = 1;
        config.training.checkpoints_kept = 2;
        Stage { scenes, set, config, settings: "run = 1\n", is_host }
    }

    fn extensions(&self) -> &'static [&'static str] {
        if self.is_host { &["toml", "host"] } else { &["safetensors"] }
    }

    fn train(&self, out: &Path, control: &Control<'_>) -> Result<StageOutcome> {
        let mut detector: Box<dyn TrainableDetector> = match self.is_host {
            true => Box::new(host(&self.config.training, &Arc::default())),
            false => {
                let classes_count = self.set.classes_count();
                Box::new(built_in(&self.config, None, classes_count, &Workers::caller()).unwrap())
            }
        };
        let settings = self.settings.into();
        let stage = stage_config(&self.config, 1, settings);
        train(detector.as_mut(), &self.set, &stage, &StagePaths::in_run(out), control)
    }

    fn checkpoints(&self, steps: &[usize]) -> Vec<String> {
        let name =
            |step| self.extensions().iter().map(move |end| format!("stage1-{step:06}.{end}"));
        let mut names: Vec<String> = steps.iter().flat_map(name).collect();
        names.sort();
        names
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    let mut names: Vec<String> = entries.map(|entry| name(entry).unwrap()).collect();
    names.sort();
    names
}

fn same(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>, why: &str) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{why}");
    for (name, content) in expected {
        assert!(found[name] == *content, "{name} differs: {why}");
    }
}

#[test]
fn old_checkpoints_go_and_a_run_killed_at_any_step_ends_with_the_same_files() {
    for is_host in [true, false] {
        let mut stage = Stage::new(is_host);
        let runs = tempfile::tempdir().unwrap();
        let whole = runs.path().join("whole");
        assert_eq!(stage.train(&whole, &Control::default()).unwrap().steps_count, STEPS);
        assert_eq!(names(&whole.join("checkpoints")), stage.checkpoints(&[3, 4]));
        let expected = bytes(&whole);
        for done in 1..=STEPS {
            let out = runs.path().join(format!("stopped-{done}"));
            stopped_at("train", done as u64, |control| stage.train(&out, control));
            stage.train(&out, &Control::default()).unwrap();
            same(&bytes(&out), &expected, &format!("stopped after step {done}"));
        }
        let all = runs.path().join("all");
        stage.config.training.checkpoints_kept = 0;
        stage.train(&all, &Control::default()).unwrap();
        assert_eq!(names(&all.join("checkpoints")), stage.checkpoints(&[1, 2, 3, 4]));
        // As if killed between the last checkpoint and the end of those before it.
        stage.config.training.checkpoints_kept = 2;
        stage.train(&all, &Control::default()).unwrap();
        same(&bytes(&all), &expected, "killed before old checkpoints went");
    }
}

#[test]
fn keys_that_change_no_result_may_change_when_a_run_goes_on() {
    for is_host in [true, false] {
        let mut stage = Stage::new(is_host);
        let runs = tempfile::tempdir().unwrap();
        let (whole, out) = (runs.path().join("whole"), runs.path().join("changed"));
        stage.train(&whole, &Control::default()).unwrap();
        stopped_at("train", 1, |control| stage.train(&out, control));
        let config = &mut stage.config;
        (config.loader.loader_threads, config.loader.prefetch_batches) = (0, 1);
        (config.training.metrics_steps, config.training.checkpoint_steps) = (2, 3);
        (config.training.checkpoints_kept, config.training.networks_kept) = (1, 1);
        stage.train(&out, &Control::default()).unwrap();
        let last = "checkpoints/".to_string() + &stage.checkpoints(&[4])[0];
        assert_eq!(fs::read(out.join(&last)).unwrap(), fs::read(whole.join(&last)).unwrap());
        assert_eq!(names(&out.join("checkpoints")), stage.checkpoints(&[4]));
        let lines = |run: &Path| metrics::read(&run.join("metrics.jsonl")).unwrap();
        let (every, some) = (lines(&whole), lines(&out));
        assert_eq!(some.iter().map(|line| line.step).collect::<Vec<_>>(), [1, 2, 4]);
        assert!(some.iter().all(|line| *line == every[line.step - 1]));
    }
}

#[test]
fn a_checkpoint_is_what_its_header_says() {
    for is_host in [true, false] {
        let mut stage = Stage::new(is_host);
        let runs = tempfile::tempdir().unwrap();
        let out = runs.path().join("run");
        stage.train(&out, &Control::default()).unwrap();
        let expected = bytes(&out);
        let named = |stem: &str, extension: &str| {
            out.join("checkpoints").join(format!("{stem}.{extension}"))
        };
        let copies = |stem: &str| -> Vec<PathBuf> {
            let copy = |extension: &&str| {
                let copy = named(stem, extension);
                fs::copy(named("stage1-000003", extension), &copy).unwrap();
                copy
            };
            stage.extensions().iter().map(copy).collect()
        };
        // It would be taken for the end of the stage, and for one behind it.
        for (stem, said) in [("stage1-000004", "step 4"), ("stage1-000009", "step 9")] {
            let made = copies(stem);
            let error = stage.train(&out, &Control::default()).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error}");
            let message = error.to_string();
            assert!(message.contains(said) && message.contains("stage 1, step 3"), "{message}");
            made.iter().for_each(|path| fs::remove_file(path).unwrap());
        }
        stage.train(&out, &Control::default()).unwrap();
        same(&bytes(&out), &expected, "step 4 was taken again");

        stage.config.training.steps = 2;
        let error = stage.train(&out, &Control::default()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("`step` is 4 there, at most 2 here"), "{message}");
        stage.config.training.steps = STEPS;
        stage.settings = "run = 2\nother = 'x'\n";
        let message = stage.train(&out, &Control::default()).unwrap_err().to_string();
        assert!(message.ends_with("`other` is absent there, \"x\" here; `run` is 1 there, 2 here"));
    }
}

#[test]
fn an_image_that_the_disk_does_not_give_ends_training_which_then_goes_on() {
    let stage = Stage::new(true);
    let runs = tempfile::tempdir().unwrap();
    let (whole, out) = (runs.path().join("whole"), runs.path().join("out"));
    stage.train(&whole, &Control::default()).unwrap();
    let path = stage.set.path(2);
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).unwrap();
    let error = stage.train(&out, &Control::default()).unwrap_err();
    assert!(matches!(&error, Error::Io { path: named, .. } if *named == path), "{error}");
    fs::rename(&aside, &path).unwrap();
    stage.train(&out, &Control::default()).unwrap();
    same(&bytes(&out), &bytes(&whole), "an image was away for a while");
    drop(stage.scenes);
}

/// Images of the set that is labelled: two whole shards and a part.
const IMAGES: usize = 70;
/// Of one shard.
const SHARD: usize = 32;

/// A set of small pictures, and what labels it.
struct Labels {
    folder: tempfile::TempDir,
    set: TrainingSet,
    config: RunConfig,
    weights: &'static str,
    strict: bool,
    script: Arc<Mutex<Script>>,
}

impl Labels {
    fn new() -> Labels {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        fs::create_dir(&images).unwrap();
        let mut listed = Vec::new();
        for id in 1..=IMAGES {
            picture(&images.join(format!("{id:03}.png")), id as u8 * 3);
            listed.push(format!(r#"{{"id": {id}, "file_name": "{id:03}.png"}}"#));
        }
        let text = format!(
            r#"{{"images": [{}], "annotations": [], "categories": [{{"id": 3}}, {{"id": 8}}]}}"#,
            listed.join(",")
        );
        let file = folder.path().join("set.json");
        fs::write(&file, text).unwrap();
        let set = TrainingSet::read(&file, &images).unwrap();
        let (mut config, script) = (config(), Arc::default());
        // The patent's, which looks at every image once.
        config.relabel = RelabelConfig { predictions_per_image: 20, ..RelabelConfig::default() };
        Labels { folder, set, config, weights: "first", strict: false, script }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn relabel(&self, out: &str, control: &Control<'_>) -> Result<RelabelReport> {
        let mut detector = host(&self.config.training, &self.script);
        let classes_count = self.set.classes_count();
        let start = StageStart { stage: 1, fresh: true, classes_count, steps_count: 1, seed: 0 };
        detector.start_stage(&start)?;
        let (view, limits) = (view(&self.config), ImageLimits::default());
        let request = RelabelRequest {
            purpose: Purpose::Labels,
            description: DESCRIPTION,
            set: &self.set,
            view: &view,
            limits: &limits,
            config: &self.config.relabel,
            strict: self.strict,
            weights: self.weights,
            shards: &self.path("shards"),
            out: &self.path(out),
        };
        relabel(&mut detector, &request, control)
    }

    /// Images that were labelled since the last question.
    fn labelled(&self) -> usize {
        self.script.lock().unwrap().calls.remove("detect").unwrap_or(0)
    }

    fn read(&self, out: &str) -> Vec<u8> {
        fs::read(self.path(out)).unwrap()
    }
}

fn picture(path: &Path, shade: u8) {
    let mut image = Image::filled(48, 32, [shade, 90, 200 - shade / 2]).unwrap();
    (0..20).for_each(|x| image.set_pixel(x, x, [255, 255 - shade, shade]));
    fs::write(path, encode::png(&image).unwrap()).unwrap();
}

#[test]
fn labels_that_were_killed_at_any_image_end_with_the_same_bytes() {
    let labels = Labels::new();
    let report = labels.relabel("whole.json", &Control::default()).unwrap();
    assert_eq!((report.images_count, report.broken.len()), (IMAGES, 0));
    assert!(report.boxes_count > IMAGES, "{report:?}");
    assert_eq!(labels.labelled(), IMAGES);
    assert!(!labels.path("shards").exists());
    let expected = labels.read("whole.json");
    for done in [0, 1, 31, 32, 33, 63, 64, 69, 70] {
        stopped_at("relabel", done as u64, |control| labels.relabel("out.json", control));
        assert_eq!(labels.labelled(), done);
        assert!(!labels.path("out.json").exists());
        let again = labels.relabel("out.json", &Control::default()).unwrap();
        let kept = if done == IMAGES { IMAGES } else { done / SHARD * SHARD };
        assert_eq!((again, labels.labelled()), (report.clone(), IMAGES - kept), "{done}");
        assert!(labels.read("out.json") == expected, "stopped at image {done}");
        assert!(!labels.path("shards").exists());
        fs::remove_file(labels.path("out.json")).unwrap();
    }
}

#[test]
fn no_label_is_stale() {
    let mut labels = Labels::new();
    let half = |labels: &Labels| {
        stopped_at("relabel", 40, |control| labels.relabel("out.json", control));
        labels.labelled();
    };
    let again = |labels: &Labels| {
        let mut twin = Labels::new();
        (twin.config, twin.weights) = (labels.config.clone(), labels.weights);
        for (own, other) in (0..IMAGES).map(|index| (labels.set.path(index), twin.set.path(index)))
        {
            fs::copy(own, other).unwrap();
        }
        twin.relabel("out.json", &Control::default()).unwrap();
        labels.relabel("out.json", &Control::default()).unwrap();
        assert!(labels.read("out.json") == twin.read("out.json"));
        labels.labelled()
    };
    half(&labels);
    labels.config.relabel.suppression_iou = 0.1;
    assert_eq!(again(&labels), IMAGES, "another option");
    half(&labels);
    labels.config.relabel.suppression = Suppression::Off;
    assert_eq!(again(&labels), IMAGES, "no suppression");
    half(&labels);
    labels.config.relabel.mirrored = true;
    assert_eq!(again(&labels), 2 * IMAGES, "mirrored images too");
    labels.config.relabel.mirrored = false;
    half(&labels);
    labels.weights = "second";
    assert_eq!(again(&labels), IMAGES, "another detector");
    half(&labels);
    let path = labels.set.path(5);
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    while fs::metadata(&path).unwrap().modified().unwrap() == before {
        picture(&path, 77);
    }
    assert_eq!(again(&labels), IMAGES, "another picture in the only shard");
    half(&labels);
    assert_eq!(again(&labels), IMAGES - SHARD, "nothing changed");
    half(&labels);
    let shard = labels.path("shards/000000.json");
    let whole = fs::read(&shard).unwrap();
    fs::write(&shard, &whole[..whole.len() / 2]).unwrap();
    fs::write(labels.path("shards/notes.txt"), "mine").unwrap();
    assert_eq!(again(&labels), IMAGES, "a damaged shard");
    assert_eq!(names(&labels.path("shards")), ["notes.txt"]);
}

#[test]
fn a_bad_moment_of_the_disk_ends_the_call_and_a_broken_image_does_not() {
    let mut labels = Labels::new();
    labels.relabel("whole.json", &Control::default()).unwrap();
    labels.labelled();
    let expected = labels.read("whole.json");
    let path = labels.set.path(50);
    let aside = labels.path("aside");
    fs::rename(&path, &aside).unwrap();
    // Gone, then something that opens and cannot be read.
    for made in [false, true] {
        if made {
            fs::create_dir(&path).unwrap();
        }
        let error = labels.relabel("out.json", &Control::default()).unwrap_err();
        assert!(matches!(&error, Error::Io { path: named, .. } if *named == path), "{error}");
        assert!(!labels.path("out.json").exists());
    }
    fs::remove_dir(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    labels.labelled();
    labels.relabel("out.json", &Control::default()).unwrap();
    assert_eq!(labels.labelled(), IMAGES - SHARD);
    assert!(labels.read("out.json") == expected);

    for index in [3, 50] {
        fs::write(labels.set.path(index), b"not an image").unwrap();
    }
    stopped_at("relabel", 60, |control| labels.relabel("out.json", control));
    let report = labels.relabel("out.json", &Control::default()).unwrap();
    let broken: Vec<&str> = report.broken.iter().map(|image| image.path.as_str()).collect();
    assert_eq!((report.images_count, broken), (IMAGES - 2, vec!["004.png", "051.png"]));
    assert!(report.broken.iter().all(|image| image.reason.contains("not a JPEG")), "{report:?}");

    stopped_at("relabel", 60, |control| labels.relabel("strict.json", control));
    labels.strict = true;
    let error = labels.relabel("strict.json", &Control::default()).unwrap_err();
    assert!(matches!(&error, Error::ImageDecode { image, .. } if image.ends_with("004.png")));
    assert!(!labels.path("strict.json").exists());

    labels.strict = false;
    (0..IMAGES).for_each(|index| fs::write(labels.set.path(index), b"not an image").unwrap());
    let error = labels.relabel("none.json", &Control::default()).unwrap_err();
    assert!(matches!(&error, Error::NoReadableImage { files: IMAGES, .. }), "{error}");
}

#[test]
fn weights_are_known_by_the_content_of_every_file_of_the_last_checkpoint() {
    let stage = Stage::new(true);
    let runs = tempfile::tempdir().unwrap();
    let out = runs.path().join("run");
    stage.train(&out, &Control::default()).unwrap();
    let folder = out.join("checkpoints");
    let weights = || weights_of(&folder, 1, stage.extensions());
    let first = weights().unwrap();
    let (_, position) = last_checkpoint(&folder, 1, stage.extensions()).unwrap().unwrap();
    let file = position.with_extension("host");
    let content = fs::read(&file).unwrap();
    fs::write(&file, [&content[..content.len() - 1], &[77]].concat()).unwrap();
    assert_ne!(weights().unwrap(), first);
    fs::write(&file, content).unwrap();
    assert_eq!(weights().unwrap(), first);
    assert!(matches!(weights_of(&folder, 2, stage.extensions()), Err(Error::RunStep { .. })));
}

/// Hours lie between a run's record and the moment at which its detector reads the weights that it starts from.
#[test]
fn weights_that_are_not_those_of_the_record_start_no_detector() {
    let mut config = config();
    config.pretrain.backbone_init = "random".into();
    let make = |recorded: &str| built_in(&config, Some(recorded.into()), 2, &Workers::caller());
    assert!(make("random").is_ok());
    let refused = make("file:7:0123").map(|_| ()).unwrap_err().to_string();
    let expected = "pretrain.backbone_init: `random` changed during the run: file:7:0123 before";
    assert!(refused.starts_with(expected), "{refused}");
}
