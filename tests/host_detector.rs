//! Algorithm 1 with a detector of the host: its loss falls, a callback that fails at any step comes
//! back with its status, and the run then ends with the bytes of one that nothing happened to.

#[path = "support/colour_model.rs"]
mod colour_model;
#[path = "support/tiny_run.rs"]
mod support;

use colour_model::{ColourModel, Script};
use simdetr::control::Control;
use simdetr::criterion::CriterionConfig;
use simdetr::matching::ClassLoss;
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::pretrain::{PretrainReport, pretrain, pretrain_with};
use simdetr::pipeline::workspace::Workspace;
use simdetr::training::host_detector::HostDetector;
use simdetr::workers::Workers;
use simdetr::{Error, Result};
use std::path::Path;
use std::sync::{Arc, Mutex};
use support::{Scenes, bytes, config};

/// One call of a program that brings a model of its own.
fn run(
    scenes: &Scenes,
    out: &Path,
    config: &RunConfig,
    script: &Arc<Mutex<Script>>,
) -> Result<PretrainReport> {
    let workers = Workers::caller();
    let softmax = config.criterion.class_loss == ClassLoss::Softmax;
    let model = ColourModel::new(script.clone(), softmax);
    let (training, criterion) = (&config.training, &config.criterion);
    let mut detector = HostDetector::new(Box::new(model), training, criterion, workers.clone())?;
    let (request, workspace) = (scenes.request(config), Workspace::new(out));
    pretrain_with(&mut detector, &request, &workspace, &workers, &Control::default())
}

#[test]
fn a_failing_callback_comes_back_and_the_run_ends_with_the_same_bytes() {
    let scenes = Scenes::new();
    let runs = tempfile::tempdir().unwrap();
    let config = config();
    let whole = runs.path().join("whole");
    let script = Arc::default();
    let report = run(&scenes, &whole, &config, &script).unwrap();
    assert_eq!(report.labels.len(), 3);
    assert!(report.labels.iter().all(|labels| labels.boxes_count > 0), "{report:?}");
    let expected = bytes(&whole);
    for name in ["stage1-000002.toml", "stage1-000002.host", "T2.json", "detector.host"] {
        assert!(expected.contains_key(name), "{name} is missing: {:?}", expected.keys());
    }
    for (callback, call) in [
        ("start_stage", 1),
        ("start_stage", 2),
        ("forward", 1),
        ("forward", 6),
        ("backward", 5),
        ("step", 3),
        ("step", 7),
        ("save", 1),
        ("save", 2),
        ("save", 3),
        ("detect", 2),
    ] {
        let out = runs.path().join(format!("{callback}-{call}"));
        script.lock().unwrap().failure = Some((callback, call, -40));
        let error = run(&scenes, &out, &config, &script).unwrap_err();
        assert!(matches!(error, Error::HostCallback { status: -40, .. }), "{callback}: {error}");
        assert!(error.to_string().contains(callback) && error.to_string().contains("-40"));
        // Then it may fail to read its checkpoint, where there is one.
        script.lock().unwrap().failure = Some(("load", 1, 7));
        if let Err(error) = run(&scenes, &out, &config, &script) {
            assert!(matches!(error, Error::HostCallback { callback: "load", status: 7 }));
            run(&scenes, &out, &config, &script).unwrap();
        }
        let found = bytes(&out);
        for (name, content) in &expected {
            assert!(found[name] == *content, "{name} differs after {callback} {call} failed");
        }
        assert_eq!(found.len(), expected.len(), "{:?}", found.keys());
    }
}

#[test]
fn its_loss_falls_under_every_class_loss() {
    let scenes = Scenes::new();
    let runs = tempfile::tempdir().unwrap();
    for class_loss in [ClassLoss::Focal, ClassLoss::Varifocal, ClassLoss::Softmax] {
        let mut config = config();
        config.criterion.class_loss = class_loss;
        if class_loss == ClassLoss::Softmax {
            // It has no targets between 0 and 1, which the preset has.
            let plain = CriterionConfig::default();
            config.criterion.label_score = plain.label_score;
            config.criterion.class_target = plain.class_target;
        }
        config.pretrain.stages_count = 1;
        (config.training.steps, config.training.warmup_steps) = (40, 0);
        let script: Arc<Mutex<Script>> = Arc::default();
        let out = runs.path().join(format!("{class_loss:?}"));
        run(&scenes, &out, &config, &script).unwrap();
        let losses = script.lock().unwrap().losses.clone();
        assert_eq!(losses.len(), 40);
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let (first, last) = (mean(&losses[..5]), mean(&losses[35..]));
        assert!(last < 0.8 * first, "{class_loss:?}: {first} -> {last}");
    }
}

#[test]
fn checkpoints_never_mix_states_and_other_detectors_are_refused() {
    let scenes = Scenes::new();
    let runs = tempfile::tempdir().unwrap();
    let (mut config, script) = (config(), Arc::default());
    config.pretrain.stages_count = 1;
    let out = runs.path().join("run");
    run(&scenes, &out, &config, &script).unwrap();
    let expected = bytes(&out);
    let checkpoints = out.join("checkpoints");
    let again = || run(&scenes, &out, &config, &script);
    let remove = |name: &str| std::fs::remove_file(out.join(name)).unwrap();

    // Killed between the host's file and the position file: the host's is of no step.
    remove("checkpoints/stage1-000004.toml");
    remove("T1.json");
    std::fs::write(checkpoints.join("stage1-000004.host"), b"of another life").unwrap();
    std::fs::write(checkpoints.join("stage1-000004.toml.partial"), b"versi").unwrap();
    again().unwrap();
    let found = bytes(&out);
    assert!(expected.iter().all(|(name, content)| found[name] == *content));

    let position = checkpoints.join("stage1-000004.toml");
    let text = std::fs::read_to_string(&position).unwrap();
    std::fs::write(&position, text.replace("colours", "shapes")).unwrap();
    assert!(again().unwrap_err().to_string().contains("`host` is shapes there, colours here"));
    std::fs::write(&position, text.replace("version = 1", "version = 9")).unwrap();
    assert!(again().unwrap_err().to_string().contains("version 9"));
    std::fs::write(&position, &text[..text.len() / 3]).unwrap();
    assert!(matches!(again().unwrap_err(), Error::Format { .. }));
    std::fs::write(&position, &text).unwrap();
    std::fs::write(checkpoints.join("stage1-000004.host"), b"cut").unwrap();
    assert!(again().unwrap_err().to_string().contains("3 bytes"));

    let (workers, workspace) = (Workers::caller(), Workspace::new(&out));
    let error = pretrain(&scenes.request(&config), &workspace, &workers, &Control::default());
    let error = error.unwrap_err();
    assert!(
        matches!(&error, Error::RunMismatch { differences, .. } if differences[0].key == "inputs.start"),
        "{error}"
    );
}
