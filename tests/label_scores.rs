//! What a detector thought of its labels, through Algorithm 1: scores enter from the second stage on and
//! never with T_0, whose score is a rank; bytes are the same at any number of threads and after a stop.

#[path = "support/colour_model.rs"]
mod colour_model;
#[path = "support/tiny_run.rs"]
mod support;

use colour_model::ColourModel;
use simdetr::control::{Control, Progress};
use simdetr::criterion::{ClassTarget, LabelScore};
use simdetr::data::coco::read::read_dataset;
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::pretrain::{pretrain, pretrain_with};
use simdetr::pipeline::pretrainer::{Pretrainer, StageRequest};
use simdetr::pipeline::workspace::Workspace;
use simdetr::training::host_detector::HostDetector;
use simdetr::training::relabel::Suppression;
use simdetr::workers::Workers;
use simdetr::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use support::{Scenes, bytes, config};

fn model() -> Box<ColourModel> {
    Box::new(ColourModel::new(Arc::default(), false))
}

/// The files of a run with the host's detector.
fn hosted(scenes: &Scenes, out: &Path, config: &RunConfig) -> BTreeMap<String, Vec<u8>> {
    let workers = Workers::caller();
    let (training, criterion) = (&config.training, &config.criterion);
    let mut detector = HostDetector::new(model(), training, criterion, workers.clone()).unwrap();
    let (request, workspace) = (scenes.request(config), Workspace::new(out));
    pretrain_with(&mut detector, &request, &workspace, &workers, &Control::default()).unwrap();
    bytes(out)
}

#[test]
fn scores_enter_with_the_labels_of_a_detector_and_not_with_t0() {
    let scenes = Scenes::new();
    let runs = tempfile::tempdir().unwrap();
    let of = |name: &str, label_score, class_target| {
        let mut config = config();
        (config.criterion.label_score, config.criterion.class_target) = (label_score, class_target);
        hosted(&scenes, &runs.path().join(name), &config)
    };
    let plain = of("ignore", LabelScore::Ignore, ClassTarget::One);
    let scores = |name: &str| {
        let file = read_dataset(&runs.path().join("ignore").join(name)).unwrap();
        file.annotations.into_iter().map(|annotation| annotation.score.unwrap())
    };
    assert!(scores("T0.json").any(|score| score < 1.0), "nothing could have entered");
    assert!(scores("T1.json").all(|score| score > 0.0 && score < 1.0));
    for (name, label_score) in [("soft", LabelScore::SoftTarget), ("weight", LabelScore::Weight)] {
        let found = of(name, label_score, ClassTarget::One);
        assert!(found["T1.json"] == plain["T1.json"], "{name}: T_0's rank entered");
        assert!(found["stage1-000004.host"] == plain["stage1-000004.host"], "{name}");
        assert!(found["stage2-000004.host"] != plain["stage2-000004.host"], "{name}: no effect");
    }
    let placed = of("iou", LabelScore::Ignore, ClassTarget::Iou);
    assert!(placed["stage1-000004.host"] != plain["stage1-000004.host"], "iou: no effect");
}

#[test]
fn a_score_that_is_no_probability_is_named_where_it_counts() {
    let scenes = Scenes::new();
    let runs = tempfile::tempdir().unwrap();
    let mut config = config();
    config.pretrain.stages_count = 1;
    let whole = runs.path().join("run");
    hosted(&scenes, &whole, &config);
    let labels = std::fs::read_to_string(whole.join("T1.json")).unwrap();
    let (before, after) = labels.split_once("\"score\":").unwrap();
    let rest = after.find(['}', ',']).unwrap();
    let annotations = runs.path().join("bad.json");
    let text = format!("{before}\"score\":1.5{}", &after[rest..]);
    std::fs::write(&annotations, text).unwrap();
    let train = |label_score, run: &str, stage| {
        let mut config = config.clone();
        config.criterion.label_score = label_score;
        // Each stage starts anew, so that no folder needs the stage before.
        config.pretrain.cold = true;
        let mut pretrainer = Pretrainer::with_host(config, model(), Workers::caller()).unwrap();
        let (run, images) = (runs.path().join(run), &scenes.images);
        let request = StageRequest { run: &run, stage, annotations: &annotations, images };
        pretrainer.train(&request, &Control::default())
    };
    train(LabelScore::Ignore, "ignored", 2).unwrap();
    train(LabelScore::SoftTarget, "first", 1).unwrap();
    for label_score in [LabelScore::SoftTarget, LabelScore::Weight] {
        let error = train(label_score, "refused", 2).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error}");
        assert!(
            error.to_string().contains("annotation 0: `score` 1.5 is not in [0, 1]"),
            "{error}"
        );
    }
}

#[test]
fn runs_under_every_new_key_have_the_same_bytes_at_any_threads_and_after_a_stop() {
    let scenes = Scenes::new();
    let runs = tempfile::tempdir().unwrap();
    let mut config = config();
    config.criterion.label_score = LabelScore::SoftTarget;
    config.criterion.class_target = ClassTarget::Iou;
    let relabel = &mut config.relabel;
    (relabel.predictions_per_image, relabel.predictions_share) = (0, 0.25);
    relabel.suppression = Suppression::BeforeCut;
    // Kept well apart, so that all twelve queries are looked at before three of them stay.
    relabel.suppression_iou = 0.9;
    let run = |name: &str, threads, control: &Control<'_>| -> Result<_> {
        let out = runs.path().join(name);
        let workers = Workers::with_threads(threads).unwrap();
        pretrain(&scenes.request(&config), &Workspace::new(&out), &workers, control)?;
        Ok(bytes(&out))
    };
    let expected = run("one", 1, &Control::default()).unwrap();
    assert!(run("two", 2, &Control::default()).unwrap() == expected, "other bytes on two threads");
    let file = read_dataset(&runs.path().join("one/T1.json")).unwrap();
    assert!(file.annotations.len() <= 3 * file.images.len() && !file.annotations.is_empty());
    let stop = |progress: Progress<'_>| {
        // In the second stage: T_1 is there, and a checkpoint of its half.
        let second = runs.path().join("stopped/checkpoints/stage2-000002.safetensors").exists();
        if progress.step == "train" && second { -9 } else { 0 }
    };
    let stopping = Control { cancel: None, progress: Some(&stop) };
    let stopped = run("stopped", 2, &stopping);
    assert!(matches!(stopped, Err(Error::HostCallback { status: -9, .. })));
    let found = run("stopped", 1, &Control::default()).unwrap();
    for (name, content) in &expected {
        assert!(found[name] == *content, "{name} differs after a stop");
    }
}
