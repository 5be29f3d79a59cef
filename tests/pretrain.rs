//! Algorithm 1 on a few drawn scenes: labels of every stage, the same bytes at any number of threads
//! and after being stopped, divergence and other runs' checkpoints as named errors.

#[path = "support/tiny_run.rs"]
mod support;

use simdetr::control::{Control, Progress};
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::pretrain::{PretrainReport, pretrain};
use simdetr::pipeline::workspace::Workspace;
use simdetr::workers::Workers;
use simdetr::{Error, Result};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{Scenes, bytes, config};

fn run(
    scenes: &Scenes,
    out: &Path,
    config: &RunConfig,
    threads: usize,
    control: &Control<'_>,
) -> Result<PretrainReport> {
    let workers = Workers::with_threads(threads).unwrap();
    pretrain(&scenes.request(config), &Workspace::new(out), &workers, control)
}

#[test]
fn two_stages_have_the_same_bytes_at_any_threads_and_after_every_stop() {
    let scenes = Scenes::new();
    let runs = tempfile::tempdir().unwrap();
    let (config, control) = (config(), Control::default());
    let whole = runs.path().join("whole");
    let report = run(&scenes, &whole, &config, 2, &control).unwrap();
    assert_eq!(report.labels.len(), 3);
    for labels in &report.labels {
        assert!(labels.boxes_count > 0 && labels.images_count == 4, "{labels:?}");
        assert!(labels.recalls.unwrap().iter().all(|recall| (0.0..=1.0).contains(recall)));
    }
    let expected = bytes(&whole);
    for name in ["T0.json", "T1.json", "T2.json", "detector.safetensors", "metrics.jsonl"] {
        assert!(expected.contains_key(name), "{name} is missing");
    }
    assert_eq!(
        expected
            .keys()
            .filter(|name| name.starts_with("stage1-") || name.starts_with("stage2-"))
            .count(),
        4
    );
    let alone = runs.path().join("alone");
    run(&scenes, &alone, &config, 1, &control).unwrap();
    assert!(bytes(&alone) == expected, "one thread gives other bytes than two");

    // Stopped again and again, after one training step more each time.
    let stopped = runs.path().join("stopped");
    let mut attempts = 0;
    let finished = loop {
        let allowed = AtomicU64::new(attempts % 3 + 1);
        let stop = |progress: Progress<'_>| {
            let over = progress.step == "train" && allowed.fetch_sub(1, Ordering::Relaxed) == 1;
            if over { -9 } else { 0 }
        };
        let control = Control { cancel: None, progress: Some(&stop) };
        match run(&scenes, &stopped, &config, 3, &control) {
            Err(Error::HostCallback { status: -9, .. }) => attempts += 1,
            outcome => break outcome,
        }
        assert!(attempts < 20);
    };
    finished.unwrap();
    assert!(attempts >= 3, "{attempts}");
    let found = bytes(&stopped);
    for (name, content) in &expected {
        assert!(found[name] == *content, "{name} differs after {attempts} stops");
    }
}

#[test]
fn divergence_is_named_and_leaves_the_last_checkpoint() {
    let scenes = Scenes::new();
    let runs = tempfile::tempdir().unwrap();
    let mut config = config();
    config.training.checkpoint_steps = 1;
    config.training.gradient_norm_max = 0.0;
    config.training.warmup_steps = 0;
    config.training.learning_rate = 1e30;
    let out = runs.path().join("run");
    let error = run(&scenes, &out, &config, 1, &Control::default()).unwrap_err();
    assert!(matches!(error, Error::Diverged { stage: 1, .. }), "{error}");
    assert!(!out.join("T1.json").exists());
}

#[test]
fn another_configuration_does_not_go_on_with_a_run() {
    let scenes = Scenes::new();
    let runs = tempfile::tempdir().unwrap();
    let mut config = config();
    config.pretrain.stages_count = 1;
    let out = runs.path().join("run");
    run(&scenes, &out, &config, 1, &Control::default()).unwrap();
    config.training.learning_rate *= 2.0;
    let error = run(&scenes, &out, &config, 1, &Control::default()).unwrap_err();
    assert!(matches!(error, Error::RunMismatch { .. }), "{error}");
}
