//! Early stopping on the recall of held-out images' own labels: when a stage ends and with which weights,
//! that nothing is learned from those images, the same bytes after any kill and at any number of threads.

#[path = "support/scripted_model.rs"]
mod scripted_model;
#[path = "support/tiny_run.rs"]
mod support;

use scripted_model::{ScriptedModel, Seen, object};
use simdetr::control::{Control, Progress};
use simdetr::criterion::CriterionConfig;
use simdetr::data::image::{Image, encode};
use simdetr::data::training::set::TrainingSet;
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::finetune::{FinetuneRequest, finetune};
use simdetr::pipeline::pretrain::pretrain;
use simdetr::pipeline::pretrainer::{Pretrainer, StageRequest};
use simdetr::pipeline::stage_keys::stage_config;
use simdetr::pipeline::workspace::Workspace;
use simdetr::training::checks;
use simdetr::training::held_out;
use simdetr::training::host_detector::HostDetector;
use simdetr::training::metric_lines::CheckLine;
use simdetr::training::metrics;
use simdetr::training::relabel::BoxScore;
use simdetr::training::stage::train;
use simdetr::training::stage_config::StagePaths;
use simdetr::workers::Workers;
use simdetr::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use support::{STEPS, Scenes, bytes, config};

/// Images of the painted set.
const IMAGES: u32 = 16;
/// Steps of a stage on it.
const ALL_STEPS: usize = 12;
/// IoU at each step: checks come every two, and those of steps 4 and 8 are equal.
const OVERLAPS: [f32; ALL_STEPS + 1] =
    [0.0, 0.1, 0.61, 0.9, 0.81, 0.1, 0.71, 0.1, 0.81, 0.1, 0.91, 0.1, 0.71];

/// A set of black images, but those that are held out are white, each with one object.
struct Painted {
    folder: tempfile::TempDir,
    set: Arc<TrainingSet>,
    config: RunConfig,
    held_out_count: usize,
    seen: Arc<Mutex<Seen>>,
}

impl Painted {
    fn new(patience_checks: usize) -> Painted {
        let mut config = config();
        let augmentation = &mut config.augmentation;
        (augmentation.mosaic_probability, augmentation.copy_paste_probability) = (0.5, 1.0);
        augmentation.colour_probability = 0.0;
        let training = &mut config.training;
        (training.held_out_share, training.check_steps) = (0.25, 2);
        (training.patience_checks, training.steps) = (patience_checks, ALL_STEPS);
        (training.checkpoint_steps, training.checkpoints_kept) = (3, 1);
        let held_out = held_out::positions(1..IMAGES + 1, training, config.seed);
        let (folder, held_out) = (tempfile::tempdir().unwrap(), held_out.unwrap());
        let images = folder.path().join("images");
        fs::create_dir(&images).unwrap();
        let (mut listed, mut boxes) = (Vec::new(), Vec::new());
        for id in 1..=IMAGES {
            let white = held_out.contains(&(id as usize - 1));
            let image = Image::filled(96, 72, [if white { 255 } else { 0 }; 3]).unwrap();
            fs::write(images.join(format!("{id:03}.png")), encode::png(&image).unwrap()).unwrap();
            listed.push(format!(r#"{{"id": {id}, "file_name": "{id:03}.png"}}"#));
            let [_, _, width, height] = object(96.0, 72.0);
            boxes.push(format!(
                r#"{{"id": {id}, "image_id": {id}, "category_id": 3, "bbox": [0, 0, {width}, {height}]}}"#
            ));
        }
        let (listed, boxes) = (listed.join(","), boxes.join(","));
        let text = format!(
            r#"{{"images": [{listed}], "annotations": [{boxes}], "categories": [{{"id": 3}}]}}"#
        );
        fs::write(folder.path().join("T0.json"), text).unwrap();
        let set = TrainingSet::read(&folder.path().join("T0.json"), &images).unwrap();
        let (set, held_out_count, seen) = (Arc::new(set), held_out.len(), Arc::default());
        Painted { folder, set, config, held_out_count, seen }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn model(&self) -> Box<ScriptedModel> {
        Box::new(ScriptedModel::new(&OVERLAPS, &self.seen))
    }

    /// Trains stage 1; answers how many steps the detector has made then.
    fn train(&self, out: &Path, control: &Control<'_>) -> Result<usize> {
        let (training, criterion) = (&self.config.training, CriterionConfig::default());
        let workers = Workers::caller();
        let mut detector = HostDetector::new(self.model(), training, &criterion, workers)?;
        let stage = stage_config(&self.config, 1, "run = 1\n".into());
        let paths = StagePaths::in_run(out);
        let outcome = train(&mut detector, &self.set, &stage, &paths, control)?;
        assert_eq!((outcome.steps_count, outcome.broken.len()), (ALL_STEPS, 0));
        Ok(made(&out.join("checkpoints/stage1-000012.host")))
    }
}

/// Steps that the detector in a file of the scripted model has made.
fn made(path: &Path) -> usize {
    fs::read_to_string(path).unwrap().parse().unwrap()
}

fn check_lines(run: &Path) -> Vec<CheckLine> {
    checks::read(&run.join("metrics.jsonl")).unwrap()
}

/// Runs `call` until its report number `count`, as a kill at that moment would; answers whether it
/// was stopped.
fn stopped_at(count: u64, call: impl FnOnce(&Control<'_>) -> Result<usize>) -> bool {
    let left = AtomicU64::new(count);
    let stop = |_: Progress<'_>| if left.fetch_sub(1, Ordering::Relaxed) == 1 { -9 } else { 0 };
    match call(&Control { cancel: None, progress: Some(&stop) }) {
        Err(Error::HostCallback { status: -9, .. }) => true,
        outcome => outcome.map(|_| false).unwrap(),
    }
}

#[test]
fn a_stage_ends_when_checks_get_no_better_and_with_the_weights_of_the_best() {
    let control = Control::default();
    for (patience, weights, checked, recalls) in [
        (1, 4, 6, &[0.3, 0.7, 0.5][..]),
        (2, 4, 8, &[0.3, 0.7, 0.5, 0.7]),
        (3, 10, 12, &[0.3, 0.7, 0.5, 0.7, 0.9, 0.5]),
        (9, 10, 12, &[0.3, 0.7, 0.5, 0.7, 0.9, 0.5]),
        (0, 12, 12, &[0.3, 0.7, 0.5, 0.7, 0.9, 0.5]),
    ] {
        let painted = Painted::new(patience);
        let out = painted.path("run");
        assert_eq!(painted.train(&out, &control).unwrap(), weights, "patience {patience}");
        let expected: Vec<CheckLine> = recalls
            .iter()
            .enumerate()
            .map(|(at, &recall)| CheckLine {
                stage: 1,
                step: 2 * (at + 1),
                held_out_own_recall: recall,
            })
            .collect();
        let found = check_lines(&out);
        assert_eq!(found.len(), expected.len(), "patience {patience}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!((found.stage, found.step), (1, expected.step));
            let difference = found.held_out_own_recall - expected.held_out_own_recall;
            assert!(difference.abs() < 1e-9, "{found:?}");
        }
        let lines = metrics::read(&out.join("metrics.jsonl")).unwrap();
        assert_eq!(lines.last().unwrap().step, checked);
        let names: Vec<String> = bytes(&out).into_keys().collect();
        let kept = ["metrics.jsonl", "stage1-000012.host", "stage1-000012.toml"];
        assert_eq!(names, kept, "patience {patience}");
        let seen = painted.seen.lock().unwrap();
        assert_eq!(seen.detected_count, recalls.len() * painted.held_out_count);
        // A stage that is done is left alone.
        drop(seen);
        let before = bytes(&out);
        assert_eq!(painted.train(&out, &control).unwrap(), weights);
        assert!(bytes(&out) == before);
    }
}

#[test]
fn held_out_images_are_never_learned_from() {
    let mut painted = Painted::new(0);
    assert!(painted.held_out_count > 0);
    painted.train(&painted.path("run"), &Control::default()).unwrap();
    // Normalised, black is below 0 and white above 2; between them is what images are padded with.
    assert!(painted.seen.lock().unwrap().brightest < 1.0);
    let training = &mut painted.config.training;
    (training.held_out_share, training.check_steps) = (0.0, 0);
    painted.train(&painted.path("all"), &Control::default()).unwrap();
    assert!(painted.seen.lock().unwrap().brightest > 2.0);
    assert!(check_lines(&painted.path("all")).is_empty());
    let header = fs::read_to_string(painted.path("all/checkpoints/stage1-000012.toml")).unwrap();
    assert!(!header.contains("checks"), "{header}");
}

#[test]
fn a_stage_killed_at_any_moment_ends_with_the_same_bytes() {
    for patience in [2, 9] {
        let painted = Painted::new(patience);
        let whole = painted.path("whole");
        let weights = painted.train(&whole, &Control::default()).unwrap();
        let expected = bytes(&whole);
        let mut count = 1;
        loop {
            let out = painted.path(&format!("stopped-{count}"));
            let was_stopped = stopped_at(count, |control| painted.train(&out, control));
            assert_eq!(painted.train(&out, &Control::default()).unwrap(), weights);
            assert!(bytes(&out) == expected, "stopped at report {count}");
            if !was_stopped {
                break;
            }
            count += 1;
        }
        assert!(count > 8);
        // Again and again, a little further each time.
        let out = painted.path("often");
        let further = painted.held_out_count as u64 + 3;
        while stopped_at(further, |control| painted.train(&out, control)) {}
        assert!(bytes(&out) == expected);
    }
}

/// Two stages of the built-in detector on drawn scenes, which learns nothing under a rate of 0.
fn idle() -> RunConfig {
    let mut config = config();
    let training = &mut config.training;
    (training.learning_rate, training.backbone_learning_rate) = (0.0, 0.0);
    training.weight_decay = 0.0;
    (training.held_out_share, training.check_steps, training.patience_checks) = (0.5, 1, 1);
    config
}

#[test]
fn two_stages_that_do_not_improve_end_early_with_the_same_bytes_at_any_threads() {
    let scenes = Scenes::new();
    let runs = tempfile::tempdir().unwrap();
    let config = idle();
    let run = |name: &str, threads: usize| {
        let workers = Workers::with_threads(threads).unwrap();
        let (request, out) = (scenes.request(&config), runs.path().join(name));
        pretrain(&request, &Workspace::new(&out), &workers, &Control::default()).unwrap();
        out
    };
    let one = run("one", 1);
    let found = bytes(&one);
    let steps: Vec<(u16, usize)> =
        check_lines(&one).iter().map(|line| (line.stage, line.step)).collect();
    assert_eq!(steps, [(1, 1), (1, 2), (2, 1), (2, 2)]);
    for name in ["stage1-000004.safetensors", "stage2-000004.safetensors"] {
        assert!(found.contains_key(name), "{name} is missing");
    }
    for threads in [2, 3, 7] {
        let other = run(&format!("{threads} threads"), threads);
        assert!(bytes(&other) == found, "one thread gives other bytes than {threads}");
    }
    // All images are labelled, those too that nothing was learned from.
    let set = TrainingSet::read(&one.join("T1.json"), &scenes.images).unwrap();
    assert_eq!(set.images_count(), 4);
    let held_out = held_out::of_set(&set, &config.training, config.seed).unwrap();
    assert!(held_out.iter().all(|&position| !set.targets(position).is_empty()));
    assert_eq!(metrics::read(&one.join("metrics.jsonl")).unwrap().len(), STEPS);
}

/// Of a safetensors file: weights and the optimiser's memory, without what the header says.
fn tensors(path: &Path) -> Vec<u8> {
    let file = fs::read(path).unwrap();
    let header = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    file[8 + header..].to_vec()
}

#[test]
fn the_built_in_detector_goes_back_to_its_best_weights() {
    let scenes = Scenes::new();
    let runs = tempfile::tempdir().unwrap();
    let mut config = idle();
    // So large a rate that no later check is better than the first.
    config.training.learning_rate = 0.1;
    config.training.checkpoints_kept = 0;
    config.pretrain.stages_count = 1;
    let (request, out) = (scenes.request(&config), runs.path().join("run"));
    pretrain(&request, &Workspace::new(&out), &Workers::caller(), &Control::default()).unwrap();
    let checks = check_lines(&out);
    let steps: Vec<usize> = checks.iter().map(|check| check.step).collect();
    assert_eq!(steps, [1, 2], "{checks:?}");
    let of = |step| tensors(&out.join(format!("checkpoints/stage1-00000{step}.safetensors")));
    assert!(of(1) != of(2), "the second step changes nothing");
    assert!(of(4) == of(1), "the last checkpoint is not the best one");
}

#[test]
fn single_stages_stop_too_and_belong_to_their_keys() {
    let painted = Painted::new(1);
    let (images, run) = (painted.path("images"), painted.path("run"));
    let first = StageRequest {
        run: &run,
        stage: 1,
        annotations: &painted.path("T0.json"),
        images: &images,
    };
    let pretrainer = |config: &RunConfig| {
        Pretrainer::with_host(config.clone(), painted.model(), Workers::caller()).unwrap()
    };
    let control = Control::default();
    let mut trainer = pretrainer(&painted.config);
    let report = trainer.train(&first, &control).unwrap();
    assert_eq!((report.steps_count, report.images_count), (ALL_STEPS, IMAGES as usize));
    assert_eq!(made(&report.detector), 4);
    // In another process: from the checkpoint.
    let labels = painted.path("T1.json");
    let report = pretrainer(&painted.config).relabel(&first, &labels, &control).unwrap();
    assert_eq!(report.images_count, IMAGES as usize);
    let mut other = painted.config.clone();
    other.relabel.suppression_iou = 0.5;
    pretrainer(&other).train(&first, &control).unwrap();
    other.relabel.box_score = BoxScore::BestClass;
    let error = pretrainer(&other).train(&first, &control).unwrap_err().to_string();
    assert!(error.contains("`config.relabel.box_score`"), "{error}");
    let mut other = painted.config.clone();
    other.training.patience_checks = 2;
    let error = pretrainer(&other).train(&first, &control).unwrap_err().to_string();
    assert!(error.contains("`config.training.patience_checks` is 1 there, 2 here"), "{error}");
    // Off, what ranks boxes is no part of a stage.
    let mut plain = painted.config.clone();
    let training = &mut plain.training;
    (training.held_out_share, training.check_steps, training.patience_checks) = (0.0, 0, 0);
    let run = painted.path("plain");
    pretrainer(&plain).train(&StageRequest { run: &run, ..first }, &control).unwrap();
    let record = fs::read_to_string(run.join("stage1.toml")).unwrap();
    assert!(!record.contains("box_score"), "{record}");
}

#[test]
fn what_cannot_be_checked_is_refused_before_anything_is_written() {
    let scenes = Scenes::new();
    let runs = tempfile::tempdir().unwrap();
    let out = runs.path().join("run");
    let (workers, control) = (Workers::caller(), Control::default());
    let mut config = idle();
    config.training.held_out_share = 1e-9;
    let error = pretrain(&scenes.request(&config), &Workspace::new(&out), &workers, &control);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("0.000000001 of 4 images holds out none of them"), "{error}");
    config.training.held_out_share = 0.25;
    let request = FinetuneRequest {
        annotations: &scenes.truth,
        images: &scenes.images,
        init: "random",
        fraction: 1.0,
        split_seed: 0,
        config: &config,
        test: None,
        strict: false,
        restart: false,
    };
    let error = finetune(&request, &out, &workers, &control).unwrap_err().to_string();
    assert!(error.starts_with("training.held_out_share: 0.25; fine-tuning learns from"), "{error}");
    assert!(!out.exists());
    // Labels on held-out images there must be.
    let painted = Painted::new(1);
    let bare = r#"{"images": [{"id": 1, "file_name": "001.png"}, {"id": 2, "file_name": "002.png"},
        {"id": 3, "file_name": "003.png"}, {"id": 4, "file_name": "004.png"}],
        "annotations": [], "categories": [{"id": 3}]}"#;
    fs::write(painted.path("bare.json"), bare).unwrap();
    let set = TrainingSet::read(&painted.path("bare.json"), &painted.path("images")).unwrap();
    let mut training = painted.config.training.clone();
    training.held_out_share = 0.5;
    let refused = (0..20).filter_map(|seed| held_out::of_set(&set, &training, seed).err());
    let refused: Vec<String> = refused.map(|error| error.to_string()).collect();
    assert!(refused.len() == 20 && refused[0].starts_with("held_out_share: 0.5"), "{refused:?}");
    assert!(refused.iter().any(|error| error.contains("none has a label")), "{refused:?}");
}
