//! Algorithm 1 on a few drawn scenes in seconds: configuration, images with true boxes, and the files
//! of a run that must have the same bytes.
#![allow(dead_code)]

use simdetr::control::Control;
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::demo_scenes;
use simdetr::pipeline::preset;
use simdetr::pipeline::pretrain::PretrainRequest;
use simdetr::training::config::Schedule;
use simdetr::workers::Workers;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Optimiser steps of a stage.
pub const STEPS: usize = 4;

/// The `tiny` preset made smaller still, with every augmentation of the patent: batches of 4 in two parts, a checkpoint every two steps.
pub fn config() -> RunConfig {
    let mut config = preset::by_name("tiny").unwrap();
    config.cluster.classes = 4;
    config.proposals.proposals_max = 8;
    config.resize.image_short_side = 96;
    config.resize.image_long_side_max = 160;
    config.detector.hidden_size = 32;
    config.detector.queries_count = 12;
    config.augmentation.image_short_sides = vec![64];
    config.augmentation.image_long_side_max = 96;
    config.augmentation.crop_short_sides = vec![72];
    (config.augmentation.crop_side_min, config.augmentation.crop_side_max) = (64, 72);
    // What `tiny` leaves out runs too.
    let augmentation = &mut config.augmentation;
    (augmentation.mosaic_probability, augmentation.crop_probability) = (0.5, 0.5);
    augmentation.colour_probability = 0.8;
    let training = &mut config.training;
    (training.learning_rate, training.schedule) = (1e-3, Schedule::Step);
    (training.batch_size, training.part_size, training.steps) = (4, 2, STEPS);
    (training.checkpoint_steps, training.metrics_steps) = (2, 1);
    config
}

/// Four scenes with their true boxes.
pub struct Scenes {
    folder: tempfile::TempDir,
    pub images: PathBuf,
    pub truth: PathBuf,
}

impl Scenes {
    pub fn new() -> Scenes {
        let folder = tempfile::tempdir().unwrap();
        let (images, truth) = (folder.path().join("images"), folder.path().join("truth.json"));
        let (workers, control) = (Workers::caller(), Control::default());
        demo_scenes::write(1, 0..4, &images, &truth, &workers, &control).unwrap();
        Scenes { folder, images, truth }
    }

    pub fn request<'a>(&'a self, config: &'a RunConfig) -> PretrainRequest<'a> {
        let ground_truth = Some(self.truth.as_path());
        PretrainRequest { images: &self.images, config, strict: true, ground_truth, held_out: None }
    }
}

/// Every file of a run that must have the same bytes.
pub fn bytes(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in [run.to_path_buf(), run.join("checkpoints")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_str().unwrap().to_string();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}
