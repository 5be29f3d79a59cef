//! After pretraining: the detector with a new class head, trained on true labels.
//!
//! The patent judges pretraining by this (¶105-116): every arm of a comparison starts from other
//! weights and is trained in the same way. Everything but the class head comes from the start; a
//! run folder holds what a killed run needs to go on:
//!
//! ```text
//! finetune.toml images.tsv                    what the run reads, by content
//! metrics.jsonl checkpoints/stage1-*.safetensors detector.safetensors
//! predictions.json                            where test annotations are given
//! ```

pub(crate) mod record;
mod request;

pub use request::{FinetuneRequest, TestSet};

use super::config::RunConfig;
use super::predict::{PredictRequest, PredictionForm, predict_images};
use super::pretrain::initial_weights::{ENCODER, RANDOM, start_backbone};
use super::pretrain::stage_identity::steps_done;
use super::stage_keys::{stage_config, view};
use super::step_memory::{self, SizesOf};
use super::workspace::{Step, Workspace};
use crate::control::Control;
use crate::data::atomic_file;
use crate::data::coco::problems::Problems;
use crate::data::folder::{BrokenImage, FolderImage};
use crate::data::training::set::{DroppedBoxes, TrainingImage, TrainingSet};
use crate::detector::config::DetectorConfig;
use crate::detector::description::DetectorDescription;
use crate::detector::weights::take_over;
use crate::detector::whole_detector::{Detector, PredictionOptions};
use crate::evaluation::{self, Evaluation, EvaluationInput, EvaluationOptions};
use crate::nn::parameters::{Parameter, Role};
use crate::training::stage::{StageOutcome, train};
use crate::training::stage_config::{StageConfig, StagePaths};
use crate::training::trainable::{TrainableDetector, View};
use crate::training::trainer::Trainer;
use crate::workers::Workers;
use crate::{Error, Result};
use record::{FinetuneRecord, STAGE};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file of its detector.
const DETECTOR: &str = "detector.safetensors";

/// What a run did.
#[derive(Debug, Clone)]
pub struct FinetuneReport {
    pub detector: PathBuf,
    /// Images of the fraction.
    pub images_count: usize,
    pub boxes_count: usize,
    pub classes_count: usize,
    pub steps_count: usize,
    pub evaluation: Option<Evaluation>,
    /// Images that training could not read, as far as this call met them; others took their place.
    pub broken: Vec<BrokenImage>,
    /// Boxes of the labels that are not learnt from.
    pub dropped: DroppedBoxes,
    /// Other entries of the labels that are left out.
    pub left_out: Problems,
    /// Whether an earlier call had trained the same detector; it is measured again all the same.
    pub nothing_to_do: bool,
}

/// Trains, or goes on with it, and measures. Every input is read before anything is written: the
/// labels, the images that they name, what it starts from, and each image of the test set.
///
/// # Errors
/// [`Error::MissingImages`], [`Error::InvalidArgument`] for a fraction that leaves no image and for
/// `training.held_out_share`, which is of pretraining; those of opening what it starts from, of
/// training and of evaluation; [`Error::RunMismatch`] for a folder of another run, with the keys,
/// inputs and files that differ; [`Error::Locked`] when somebody else writes there.
pub fn finetune(
    request: &FinetuneRequest<'_>,
    out: &Path,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<FinetuneReport> {
    let config = request.config;
    config.validate()?;
    refuse_checks(config)?;
    check_folder(out)?;
    let whole = TrainingSet::read(request.annotations, request.images)?;
    if request.strict {
        whole.refuse_left_out(request.annotations)?;
    }
    let (dropped, left_out) = (whole.dropped(), whole.left_out().clone());
    let set = Arc::new(whole.subset(request.fraction, request.split_seed)?);
    let test = request.test.map(|test| checked(test, config, workers, control)).transpose()?;
    let mut trainer = start(request, &set, workers)?;
    let run = Workspace::new(out).restarted(request.restart).open(Step::Extract)?;
    let record = FinetuneRecord::of(request, &set, trainer.detector())?;
    let settings = record.begin(&run, request, &set, (workers, control))?;
    let paths = StagePaths::in_run(out);
    let done = steps_done(out, STAGE, trainer.checkpoint_extensions())?;
    let nothing_to_do =
        done == config.training.steps_count(set.images_count()) && out.join(DETECTOR).exists();
    // The weights are in place, so that the stage does not begin with others.
    let mut stage = StageConfig { fresh: false, ..stage_config(config, STAGE, settings) };
    stage.loader.strict_images |= request.strict;
    let StageOutcome { steps_count, broken } = train(&mut trainer, &set, &stage, &paths, control)?;
    let path = trainer.write_detector(&out.join("detector"), &view(config), set.categories())?;
    drop(trainer);
    let detector = Detector::open(&path, None)?;
    let measured = |(test, images): (TestSet<'_>, Vec<FolderImage>)| {
        measure(&detector, test, &images, config, out, workers, control)
    };
    Ok(FinetuneReport {
        detector: path,
        images_count: set.images_count(),
        boxes_count: set.targets_count(),
        classes_count: set.classes_count(),
        steps_count,
        evaluation: test.map(measured).transpose()?,
        broken,
        dropped,
        left_out,
        nothing_to_do,
    })
}

/// A test set whose annotations are well-formed and whose images can all be read: found now and not
/// after hours of training.
fn checked<'a>(
    test: TestSet<'a>,
    config: &RunConfig,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<(TestSet<'a>, Vec<FolderImage>)> {
    let set = TrainingSet::read(test.annotations, test.images)?;
    workers.try_map(set.images_count(), |index| {
        control.check()?;
        set.load(index, &config.limits).map(drop)
    })?;
    let image = |image: &TrainingImage| FolderImage {
        image_id: image.image_id,
        relative_path: image.relative_path.clone(),
    };
    Ok((test, set.images().iter().map(image).collect()))
}

/// Refuses early stopping: labels are true here, and those never choose when training ends.
fn refuse_checks(config: &RunConfig) -> Result<()> {
    let share = config.training.held_out_share;
    if share == 0.0 {
        return Ok(());
    }
    let reason =
        format!("{share}; fine-tuning learns from true labels and has no checks: set it to 0");
    Err(Error::invalid("training.held_out_share", reason))
}

/// Refuses a run folder in which a file of the run cannot be written.
fn check_folder(out: &Path) -> Result<()> {
    atomic_file::check_folder(out)?;
    let files = ["finetune.toml", "metrics.jsonl", DETECTOR, "predictions.json"];
    files.iter().try_for_each(|file| atomic_file::check(&out.join(file)))?;
    atomic_file::check_folder(&StagePaths::in_run(out).checkpoints)
}

/// The detector before its first step.
fn start(request: &FinetuneRequest<'_>, set: &TrainingSet, workers: &Workers) -> Result<Trainer> {
    let config = request.config;
    let sizes = |of: &DetectorConfig| DetectorConfig {
        classes_count: set.classes_count(),
        dropout: config.detector.dropout,
        frozen: config.detector.frozen,
        query_groups_count: config.detector.query_groups_count,
        look_forward_twice: config.detector.look_forward_twice,
        ..of.clone()
    };
    let trainer = |sizes: &DetectorConfig, sizes_of: SizesOf| {
        step_memory::check(config, (sizes, sizes_of), workers.count())?;
        let RunConfig { training, criterion, seed, .. } = config;
        Trainer::new(sizes, training, criterion, *seed, workers.clone())
    };
    if ![RANDOM, ENCODER].contains(&request.init) {
        let plain = plain_description(config);
        if let Some(from) = Detector::open_if_detector(Path::new(request.init), Some(&plain))? {
            let mut trainer = trainer(&sizes(from.config()), SizesOf::File)?;
            let (table, parameters, _) = trainer.state_mut();
            // The class heads stay as they were drawn.
            let taken = |one: &Parameter| one.role != Role::ClassHead;
            take_over(from.table(), from.parameters(), table, parameters, taken)?;
            return Ok(trainer);
        }
    }
    let sizes = sizes(&config.detector);
    let mut trainer = trainer(&sizes, SizesOf::Configuration)?;
    let (table, parameters, _) = trainer.state_mut();
    start_backbone(request.init, config, &sizes, table, parameters)?;
    Ok(trainer)
}

/// What a file that does not describe itself is taken for: the document's detector.
pub fn plain_description(config: &RunConfig) -> DetectorDescription {
    let View { normalisation, resize } = view(config);
    DetectorDescription::unnamed(config.detector.clone(), normalisation, resize)
}

/// Class-aware figures on the images that the test annotations list.
fn measure(
    detector: &Detector,
    test: TestSet<'_>,
    images: &[FolderImage],
    config: &RunConfig,
    out: &Path,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<Evaluation> {
    let predictions = out.join("predictions.json");
    let options = PredictionOptions::default();
    let (images_folder, limits) = (test.images, &config.limits);
    let request = PredictRequest {
        detector,
        images: images_folder,
        annotations: None,
        form: PredictionForm::DataSet,
        options: &options,
        limits,
        strict: true,
    };
    predict_images(&request, images, &predictions, workers, control)?;
    let input = EvaluationInput::from_files(test.annotations, &predictions)?;
    evaluation::evaluate(&input, &EvaluationOptions::default(), workers, control)
}
