//! One stage: the batches of T_{s-1} in order, checkpoints and metrics on the way, resume.
//!
//! Batch i depends on the run's seed, the stage and i alone (see [`crate::data::training`]), and a
//! checkpoint holds everything else, so that a killed stage ends with the bytes of one that was not.
//! What stands between two steps is [`super::course`].

use super::checkpoint::Position;
use super::checkpoint_files::last_checkpoint;
use super::course::{Course, prune_to};
use super::held_out;
use super::metrics::Metrics;
use super::own_recall::HeldOutImages;
use super::stage_config::{StageConfig, StagePaths};
use super::step::StepPlace;
use super::trainable::{StageStart, TrainableDetector};
use crate::control::Control;
use crate::data::folder::BrokenImage;
use crate::data::training::loader::{LoaderRun, TrainingLoader};
use crate::data::training::set::TrainingSet;
use crate::{Error, Result};
use std::ops::Range;
use std::sync::Arc;

/// What a stage did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageOutcome {
    /// Steps of the whole stage, those too that were spared because checks ended it.
    pub steps_count: usize,
    /// Images that could not be read and were replaced by others, as far as this call met them.
    pub broken: Vec<BrokenImage>,
}

/// Trains `detector` on `set`, held-out images aside, from its last checkpoint where there is one, to
/// the end of the stage.
///
/// # Errors
/// [`Error::Diverged`] (the last checkpoint is then whole), [`Error::Cancelled`],
/// [`Error::RunMismatch`] for checkpoints of another run and for one that lies behind the end of the
/// stage, [`Error::Format`] for a damaged one or one under another's name, those of the loader, of
/// [`held_out::of_set`] and of predicting on held-out images, [`Error::Io`].
pub fn train(
    detector: &mut dyn TrainableDetector,
    set: &Arc<TrainingSet>,
    config: &StageConfig,
    paths: &StagePaths,
    control: &Control<'_>,
) -> Result<StageOutcome> {
    let training = &config.training;
    let positions = held_out::of_set(set, training, config.seed)?;
    let learned = match positions.is_empty() {
        true => set.clone(),
        false => Arc::new(set.without(&positions)?),
    };
    let steps_count = training.steps_count(learned.images_count());
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
    let Position { step: begun, checks, .. } = resume(detector, config, paths, steps_count)?;
    if begun == steps_count {
        // Lines of later stages may follow: a stage that is done leaves the metrics alone.
        return Ok(StageOutcome { steps_count, broken: Vec::new() });
    }
    let metrics = Metrics::resume(&paths.metrics, config.stage, begun)?;
    let held_out = images_held_out(set, positions, config);
    let mut course =
        Course { detector, config, paths, control, steps_count, metrics, held_out, checks };
    let parts = (training.batch_size / training.part()) as u64;
    let mut loader = loader(&learned, config, begun..steps_count, parts)?;
    let mut batches = Vec::with_capacity(parts as usize);
    let mut done = begun;
    while done < steps_count && !course.is_over() {
        for _ in 0..parts {
            let ended = || Error::Internal { reason: format!("no batches left at step {done}") };
            batches.push(loader.next(control)?.ok_or_else(ended)?);
        }
        let place = StepPlace { seed: config.seed, stage: config.stage, step: done, steps_count };
        let report = course.detector.step(&batches, &place)?;
        batches.drain(..).for_each(|batch| loader.recycle(batch));
        done += 1;
        course.after_step(done, &report)?;
        control.report("train", done as u64, steps_count as u64)?;
    }
    if done < steps_count {
        course.end(done)?;
    }
    let mut broken = broken_images(&learned, &loader);
    broken.extend(course.held_out.into_iter().flat_map(|images| images.broken));
    Ok(StageOutcome { steps_count, broken })
}

/// The images that the stage is checked on; `None` where there are none.
fn images_held_out(
    set: &Arc<TrainingSet>,
    positions: Vec<usize>,
    config: &StageConfig,
) -> Option<HeldOutImages> {
    (!positions.is_empty()).then(|| HeldOutImages {
        set: set.clone(),
        positions,
        view: config.view.clone(),
        box_score: config.box_score,
        limits: config.limits.clone(),
        strict: config.loader.strict_images,
        broken: Vec::new(),
    })
}

/// Makes the batches of these steps, `parts` each.
fn loader(
    learned: &Arc<TrainingSet>,
    config: &StageConfig,
    steps: Range<usize>,
    parts: u64,
) -> Result<TrainingLoader> {
    let first_of = |step: usize| parts.saturating_mul(step as u64);
    TrainingLoader::new(
        learned.clone(),
        LoaderRun {
            augmentation: config.augmentation.clone(),
            loader: config.loader.clone(),
            normalisation: config.view.normalisation.clone(),
            limits: config.limits.clone(),
            seed: config.seed,
            stage: config.stage,
            batch_size: config.training.part(),
            batches: first_of(steps.start)..first_of(steps.end),
        },
    )
}

/// The broken images that batches met, by their paths.
fn broken_images(set: &TrainingSet, loader: &TrainingLoader) -> Vec<BrokenImage> {
    let broken = set.images().iter().filter_map(|image| {
        let reason = loader.broken().get(&image.image_id)?;
        Some(BrokenImage { path: image.relative_path.clone(), reason: reason.clone() })
    });
    broken.collect()
}

/// Loads the stage's last checkpoint; answers where it was written, step 0 where there is none.
fn resume(
    detector: &mut dyn TrainableDetector,
    config: &StageConfig,
    paths: &StagePaths,
    steps_count: usize,
) -> Result<Position> {
    let (stage, extensions) = (config.stage, detector.checkpoint_extensions());
    let Some((_, path)) = last_checkpoint(&paths.checkpoints, stage, extensions)? else {
        let settings = config.settings.clone();
        return Ok(Position { stage, step: 0, settings, checks: Vec::new() });
    };
    let position = detector.load(&path, &config.settings)?;
    if position.stage != stage {
        let (found, wanted) = (position.stage.to_string(), stage.to_string());
        return Err(Error::mismatch(path, "stage", &found, &wanted));
    }
    if position.step > steps_count {
        let wanted = format!("at most {steps_count}");
        return Err(Error::mismatch(path, "step", &position.step.to_string(), &wanted));
    }
    // A kill may have come between the last checkpoint and the end of those before it.
    prune_to(&position, steps_count, config, paths, extensions)?;
    Ok(position)
}
