//! Whose folder it is: locks, half-trained stages, and the stores of the library's own callers.

use super::finetuned;
use super::place::*;
use super::pretrained;
use simdetr::Error;
use simdetr::control::{Control, Progress};
use simdetr::data::folder_lock::FolderLock;
use simdetr::encoder::source;
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::image_extractor::ImageExtractor;
use simdetr::pipeline::pretrainer::{Pretrainer, StageRequest};
use simdetr::pipeline::store_extraction::{extract_into_store, proposals_document};
use simdetr::workers::Workers;
use std::fs;

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
