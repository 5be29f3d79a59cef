//! A detector that Algorithm 1 can train: the built-in one ([`super::trainer::Trainer`]) or one that
//! lives in the host ([`super::host_detector::HostDetector`]).
//!
//! Stages, relabelling and checkpoints know detectors by this alone.

use super::checkpoint::Position;
use super::relabel_config::BoxScore;
use super::step::{StepPlace, StepReport};
use crate::Result;
use crate::data::coco::CocoCategory;
use crate::data::image::{Image, Normalisation, ResizeRule};
use crate::data::training::batch::Batch;
use crate::detector::prediction::Detection;
use std::path::{Path, PathBuf};

/// How a stage begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageStart {
    /// 1 for the first stage after clustering.
    pub stage: u16,
    /// Weights are those that a run starts with: in the first stage, and in a cold start of a later
    /// one. Otherwise they stay as they are.
    pub fresh: bool,
    /// Classes of the labels.
    pub classes_count: usize,
    /// Optimiser steps of the stage.
    pub steps_count: usize,
    /// Of the run.
    pub seed: u64,
}

/// How a detector sees an image that it labels.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The size.
    pub resize: ResizeRule,
    /// That of training.
    pub normalisation: Normalisation,
}

/// What Algorithm 1 asks of a detector.
pub trait TrainableDetector {
    /// How the names of this detector's checkpoints end, without the dot: first that of the file
    /// that [`TrainableDetector::save`] writes last, then those of files beside it.
    fn checkpoint_extensions(&self) -> &'static [&'static str];

    /// Makes ready for a stage: weights as `start` says, the optimiser without memory.
    ///
    /// # Errors
    /// Those of the detector.
    fn start_stage(&mut self, start: &StageStart) -> Result<()>;

    /// Changes the parameters against the loss of `parts`, the images of one step.
    ///
    /// # Errors
    /// [`crate::Error::Diverged`] when a loss or the gradients' norm is not finite; those of the
    /// criterion for targets it refuses; those of the detector. Parameters are then those of before.
    fn step(&mut self, parts: &[Batch], place: &StepPlace) -> Result<StepReport>;

    /// The `count` best boxes of an upright image, in its pixels, best first, each query once with
    /// its best class, ranked by `score`; all of them under `usize::MAX`.
    ///
    /// # Errors
    /// Those of the detector and of resizing.
    fn detect(
        &mut self,
        image: &Image,
        view: &View,
        score: BoxScore,
        count: usize,
    ) -> Result<Vec<Detection>>;

    /// Writes weights, optimiser and `position`; what lay at `path` stays whole until then.
    ///
    /// # Errors
    /// [`crate::Error::Io`] and those of the detector.
    fn save(&mut self, path: &Path, position: &Position) -> Result<()>;

    /// Reads what [`TrainableDetector::save`] wrote in a run of these `settings`.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; [`crate::Error::Format`] for a damaged checkpoint;
    /// [`crate::Error::RunMismatch`] for another run's; those of the detector.
    fn load(&mut self, path: &Path, settings: &str) -> Result<Position>;

    /// Writes the detector alone, for use after training, as `stem` with an ending of its own;
    /// answers the path. `categories` are what its classes mean.
    ///
    /// # Errors
    /// [`crate::Error::Io`] and those of the detector.
    fn write_detector(
        &mut self,
        stem: &Path,
        view: &View,
        categories: &[CocoCategory],
    ) -> Result<PathBuf>;

    /// Bytes that the library keeps for it.
    fn memory_bytes(&self) -> usize;
}
