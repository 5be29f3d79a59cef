//! What a stage of training reads, and where it writes: below the stage and its course, which share both.

use super::checkpoint::stem_of;
use super::config::TrainingConfig;
use super::relabel_config::BoxScore;
use super::trainable::View;
use crate::data::image::ImageLimits;
use crate::data::training::augmentation::AugmentationConfig;
use crate::data::training::loader::LoaderConfig;
use std::path::{Path, PathBuf};

/// What a stage reads.
#[derive(Debug, Clone)]
pub struct StageConfig {
    pub training: TrainingConfig,
    pub augmentation: AugmentationConfig,
    pub loader: LoaderConfig,
    /// How images that the stage is checked on are seen; batches have its normalisation.
    pub view: View,
    pub limits: ImageLimits,
    /// What ranks the boxes of checks on held-out images.
    pub box_score: BoxScore,
    pub seed: u64,
    /// 1 for the first stage after clustering.
    pub stage: u16,
    /// The stage starts from the weights that a run starts with.
    pub fresh: bool,
    /// What the run's results depend on, as text.
    pub settings: String,
}

/// What a stage writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagePaths {
    /// Folder of checkpoints.
    pub checkpoints: PathBuf,
    /// `metrics.jsonl`.
    pub metrics: PathBuf,
    /// The run's folder.
    root: PathBuf,
}

impl StagePaths {
    /// Those of a run that lives in `folder`.
    pub fn in_run(folder: &Path) -> StagePaths {
        let (checkpoints, metrics) = (folder.join("checkpoints"), folder.join("metrics.jsonl"));
        StagePaths { checkpoints, metrics, root: folder.into() }
    }

    /// Folder of the labels of the stage's detector that are done, until all of them are.
    pub fn relabel_shards(&self, stage: u16) -> PathBuf {
        self.root.join(format!("relabel-stage{stage}"))
    }

    /// The checkpoint after `step` steps of `stage`, of a detector whose files end like this.
    pub fn checkpoint(&self, stage: u16, step: usize, extension: &str) -> PathBuf {
        self.checkpoints.join(format!("{}.{extension}", stem_of(stage, step)))
    }
}
