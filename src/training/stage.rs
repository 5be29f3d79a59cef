//! One stage: the batches of T_{s-1} in order, checkpoints and metrics on the way, resume.
//!
//! Batch i depends on the run's seed, the stage and i alone (see [`crate::data::training`]), and a
//! checkpoint holds everything else, so that a killed stage ends with the bytes of one that was not.

use super::checkpoint::{Position, stem_of};
use super::checkpoint_files::{last_checkpoint, prune};
use super::config::TrainingConfig;
use super::metrics::{Metrics, MetricsLine};
use super::step::StepPlace;
use super::trainable::{StageStart, TrainableDetector};
use crate::control::Control;
use crate::data::folder::BrokenImage;
use crate::data::image::{ImageLimits, Normalisation};
use crate::data::training::augmentation::AugmentationConfig;
use crate::data::training::loader::{LoaderConfig, LoaderRun, TrainingLoader};
use crate::data::training::set::TrainingSet;
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a stage reads.
#[derive(Debug, Clone)]
pub struct StageConfig {
    pub training: TrainingConfig,
    pub augmentation: AugmentationConfig,
    pub loader: LoaderConfig,
    pub normalisation: Normalisation,
    pub limits: ImageLimits,
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

/// What a stage did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageOutcome {
    /// Steps of the whole stage.
    pub steps_count: usize,
    /// Images that could not be read and were replaced by others, as far as this call met them.
    pub broken: Vec<BrokenImage>,
}

/// Trains `detector` on `set`, from its last checkpoint where there is one, to the end of the stage.
///
/// # Errors
/// [`Error::Diverged`] (the last checkpoint is then whole), [`Error::Cancelled`],
/// [`Error::RunMismatch`] for checkpoints of another run and for one that lies behind the end of the
/// stage, [`Error::Format`] for a damaged one or one under another's name, those of the loader,
/// [`Error::Io`].
pub fn train(
    detector: &mut dyn TrainableDetector,
    set: &Arc<TrainingSet>,
    config: &StageConfig,
    paths: &StagePaths,
    control: &Control<'_>,
) -> Result<StageOutcome> {
    let training = &config.training;
    let steps_count = training.steps_count(set.images_count());
    std::fs::create_dir_all(&paths.checkpoints)
        .map_err(|error| Error::io(&paths.checkpoints, error))?;
    let start = StageStart {
        stage: config.stage,
        fresh: config.fresh,
        classes_count: set.classes_count(),
        steps_count,
        seed: config.seed,
    };
    detector.start_stage(&start)?;
    let begun = resume(detector, config, paths, steps_count)?;
    if begun == steps_count {
        // Lines of later stages may follow: a stage that is done leaves the metrics alone.
        return Ok(StageOutcome { steps_count, broken: Vec::new() });
    }
    let mut metrics = Metrics::resume(&paths.metrics, config.stage, begun)?;
    let parts = (training.batch_size / training.part()) as u64;
    let mut loader = TrainingLoader::new(
        set.clone(),
        LoaderRun {
            augmentation: config.augmentation.clone(),
            loader: config.loader.clone(),
            normalisation: config.normalisation.clone(),
            limits: config.limits.clone(),
            seed: config.seed,
            stage: config.stage,
            batch_size: training.part(),
            batches: parts.saturating_mul(begun as u64)..parts.saturating_mul(steps_count as u64),
        },
    )?;
    let mut batches = Vec::with_capacity(parts as usize);
    for step in begun..steps_count {
        for _ in 0..parts {
            let ended = || Error::Internal { reason: format!("no batches left at step {step}") };
            batches.push(loader.next(control)?.ok_or_else(ended)?);
        }
        let place = StepPlace { seed: config.seed, stage: config.stage, step, steps_count };
        let report = detector.step(&batches, &place)?;
        batches.drain(..).for_each(|batch| loader.recycle(batch));
        let done = step + 1;
        if done.is_multiple_of(training.metrics_steps) || done == steps_count {
            let rate = training.learning_rate;
            let images = training.batch_size;
            metrics.write(&MetricsLine::new(config.stage, done, &report, rate, images))?;
        }
        let due = training.checkpoint_steps != 0 && done.is_multiple_of(training.checkpoint_steps);
        if due || done == steps_count {
            let position =
                Position { stage: config.stage, step: done, settings: config.settings.clone() };
            let extensions = detector.checkpoint_extensions();
            detector.save(&paths.checkpoint(config.stage, done, extensions[0]), &position)?;
            prune(&paths.checkpoints, config.stage, extensions, training.checkpoints_kept)?;
        }
        control.report("train", done as u64, steps_count as u64)?;
    }
    Ok(StageOutcome { steps_count, broken: broken_images(set, &loader) })
}

/// The broken images that batches met, by their paths.
fn broken_images(set: &TrainingSet, loader: &TrainingLoader) -> Vec<BrokenImage> {
    let broken = set.images().iter().filter_map(|image| {
        let reason = loader.broken().get(&image.image_id)?;
        Some(BrokenImage { path: image.relative_path.clone(), reason: reason.clone() })
    });
    broken.collect()
}

/// Loads the stage's last checkpoint; answers the step that it holds, 0 where there is none.
fn resume(
    detector: &mut dyn TrainableDetector,
    config: &StageConfig,
    paths: &StagePaths,
    steps_count: usize,
) -> Result<usize> {
    let extensions = detector.checkpoint_extensions();
    let Some((_, path)) = last_checkpoint(&paths.checkpoints, config.stage, extensions)? else {
        return Ok(0);
    };
    let Position { stage, step, .. } = detector.load(&path, &config.settings)?;
    if stage != config.stage {
        return Err(Error::mismatch(path, "stage", &stage.to_string(), &config.stage.to_string()));
    }
    if step > steps_count {
        let wanted = format!("at most {steps_count}");
        return Err(Error::mismatch(path, "step", &step.to_string(), &wanted));
    }
    // A kill may have come between the last checkpoint and the end of those before it.
    prune(&paths.checkpoints, stage, extensions, config.training.checkpoints_kept)?;
    Ok(step)
}
