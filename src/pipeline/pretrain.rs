//! Algorithm 1 end to end: propose, cluster, train, relabel, train again (patent ¶35-41, ¶64-72).
//!
//! A run folder holds every step's result, so that a killed run goes on where it stopped:
//!
//! ```text
//! proposals/ clusters.safetensors T0.json     stage 0
//! stage1.toml checkpoints/stage1-*.safetensors stage 1 trains on T0
//! detector-stage1.safetensors T1.json         its detector and the labels that it gives
//! stage2.toml checkpoints/stage2-* ...        stage 2 trains on T1
//! metrics.jsonl detector.safetensors          the last stage's detector
//! measured/ validation/ validation-100/       where true boxes were given: what was measured
//! ```
//!
//! What happens to a run whose inputs or keys have changed in between is decided in
//! [`super::workspace::identity`]. With a detector of the host its files end with `.host` and `.toml` instead of `.safetensors`.

pub mod config;
pub(crate) mod initial_weights;
pub(crate) mod stage_identity;

use super::cluster::cluster_in;
use super::config::RunConfig;
use super::export::export;
use super::extract::{Begin, ExtractRequest, Prepared, check_proposals};
use super::folder_extraction::FolderReport;
use super::measure::context::Context;
use super::measure::figures::Truth;
use super::measure::held_out::CheckedHeldOut;
use super::measure::stages::{Measuring, Truths};
use super::measure::{HeldOut, MeasuredImages, MeasuredKind, MeasuredRow};
use super::stage_keys::{stage_config, view};
use super::step_memory::{self, SizesOf};
use super::workspace::{OpenRun, RunRecord, Step, Workspace};
use crate::Result;
use crate::control::Control;
use crate::data::folder::{BrokenImage, LeftOut};
use crate::data::image_sources::ImageSources;
use crate::data::training::set::TrainingSet;
use crate::detector::config::DetectorConfig;
use crate::training::relabel::{
    DESCRIPTION, Purpose, RelabelRequest, discard, relabel, weights_of,
};
use crate::training::stage::train;
use crate::training::stage_config::StagePaths;
use crate::training::trainable::TrainableDetector;
use crate::training::trainer::Trainer;
use crate::workers::Workers;
use initial_weights::{check_backbone, check_unchanged, fingerprint_of, start_backbone};
use stage_identity::{HOST_START, StageIdentity};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One set of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelsReport {
    /// 0 for the clusters' labels.
    pub stage: u16,
    pub path: PathBuf,
    pub images_count: usize,
    pub boxes_count: usize,
    /// Class-agnostic recall at 10, 25 and 100 boxes an image, where true boxes were given.
    pub recalls: Option<[f64; 3]>,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq)]
pub struct PretrainReport {
    pub labels: Vec<LabelsReport>,
    /// Every figure, held-out images first; empty where no true boxes were given.
    pub measured: Vec<MeasuredRow>,
    pub detector: PathBuf,
    /// Files of the folder that are no readable images, with the reason; those of earlier calls too.
    pub broken: Vec<BrokenImage>,
    /// Files of the folder that are no images to this library.
    pub left_out: Vec<LeftOut>,
    /// Whether earlier calls had done it all.
    pub nothing_to_do: bool,
}

/// What to pretrain.
#[derive(Debug, Clone, Copy)]
pub struct PretrainRequest<'a> {
    /// Folder of images.
    pub images: &'a Path,
    pub config: &'a RunConfig,
    /// A broken image is an error.
    pub strict: bool,
    /// True boxes of these images, for measuring only.
    pub ground_truth: Option<&'a Path>,
    /// Other images with true boxes, for measuring only.
    pub held_out: Option<HeldOut<'a>>,
}

/// Runs Algorithm 1 with the built-in detector, or goes on with it. Inputs are checked before
/// anything is written.
///
/// # Errors
/// Those of every step; [`crate::Error::InvalidArgument`] where the encoder has no weights for the
/// backbone and `backbone_init` does not say what to start from, and for more pseudo-classes than
/// the images can give; [`crate::Error::RunMismatch`] for a folder of another run;
/// [`crate::Error::Locked`] when somebody else writes there.
pub fn pretrain(
    request: &PretrainRequest<'_>,
    workspace: &Workspace,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<PretrainReport> {
    pretrain_keeping(request, workspace, workers, control).map(|(report, _)| report)
}

/// [`pretrain`] that hands out the trained detector too.
///
/// # Errors
/// As [`pretrain`].
pub fn pretrain_keeping(
    request: &PretrainRequest<'_>,
    workspace: &Workspace,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<(PretrainReport, Trainer)> {
    let config = request.config;
    config.validate()?;
    let classes_count = config.cluster.classes as usize;
    let detector = DetectorConfig { classes_count, ..config.detector.clone() };
    step_memory::check(config, (&detector, SizesOf::Configuration), workers.count())?;
    let init = &config.pretrain.backbone_init;
    check_backbone(init, config, &detector)?;
    let start = fingerprint_of(init, config)?;
    let mut run = Run::begin(request, workspace, start.clone(), workers, control)?;
    let set = run.first_labels()?;
    let mut trainer = built_in(config, Some(start), set.classes_count(), workers)?;
    let report = run.stages(&mut trainer, set)?;
    Ok((report, trainer))
}

/// [`pretrain`] with another detector than the built-in one.
///
/// # Errors
/// Those of every step and of the detector; the run goes on where it stopped.
pub fn pretrain_with(
    detector: &mut dyn TrainableDetector,
    request: &PretrainRequest<'_>,
    workspace: &Workspace,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<PretrainReport> {
    request.config.validate()?;
    let mut run = Run::begin(request, workspace, HOST_START.into(), workers, control)?;
    let set = run.first_labels()?;
    run.stages(detector, set)
}

/// The built-in detector at the start of a run of `config`, for labels of `classes_count` classes. What its
/// backbone starts from has to be what `recorded` says whenever it is read, where a record holds it: hours
/// may lie between.
///
/// # Errors
/// As [`start_backbone`], [`check_unchanged`] and [`Trainer::new`].
pub fn built_in(
    config: &RunConfig,
    recorded: Option<String>,
    classes_count: usize,
    workers: &Workers,
) -> Result<Trainer> {
    let detector = DetectorConfig { classes_count, ..config.detector.clone() };
    let (training, criterion) = (&config.training, &config.criterion);
    let mut trainer = Trainer::new(&detector, training, criterion, config.seed, workers.clone())?;
    let config = config.clone();
    trainer.start_with(Box::new(move |table, parameters| {
        let init = &config.pretrain.backbone_init;
        start_backbone(init, &config, &detector, table, parameters)?;
        recorded.as_ref().map_or(Ok(()), |recorded| check_unchanged(init, &config, recorded))
    }))?;
    Ok(trainer)
}

/// What the steps of a run share.
struct Run<'a> {
    request: &'a PretrainRequest<'a>,
    run: OpenRun,
    record: RunRecord,
    sources: ImageSources,
    broken: Vec<BrokenImage>,
    left_out: Vec<LeftOut>,
    nothing_to_do: bool,
    truths: Truths,
    workers: &'a Workers,
    control: &'a Control<'a>,
}

impl<'a> Run<'a> {
    /// Checks what can be checked, opens the folder and extracts.
    fn begin(
        request: &'a PretrainRequest<'a>,
        workspace: &Workspace,
        start: String,
        workers: &'a Workers,
        control: &'a Control<'a>,
    ) -> Result<Run<'a>> {
        let PretrainRequest { images, config, strict, .. } = *request;
        workspace.check_writable(config.pretrain.stages_count)?;
        let held_out = request.held_out.as_ref();
        let truths = Truths {
            training: request.ground_truth.map(Truth::read).transpose()?,
            held_out: held_out.map(|one| CheckedHeldOut::new(one, images, strict)).transpose()?,
        };
        let extraction = ExtractRequest { images, config, strict };
        let prepared = Prepared::new(&extraction)?;
        prepared.check_classes()?;
        prepared.check_held_out()?;
        let run = workspace.open(Step::Extract)?;
        let begin = Begin { until: Step::Train, start };
        let (report, record) = prepared.extract(&run, &begin, workers, control)?;
        let sources = ImageSources::read(&run.sources())?.unwrap_or_default();
        let FolderReport { broken, left_out, nothing_to_do, .. } = report;
        Ok(Run {
            request,
            run,
            record,
            sources,
            broken,
            left_out,
            nothing_to_do,
            truths,
            workers,
            control,
        })
    }

    /// The file of T_stage.
    fn labels(&self, stage: u16) -> PathBuf {
        self.run.labels(stage)
    }

    /// T_0: the proposals of every image, clustered.
    fn first_labels(&mut self) -> Result<Arc<TrainingSet>> {
        let Run { run, record, workers, control, .. } = self;
        let config = self.request.config;
        if !record.has(Step::Cluster) {
            check_proposals(run, config)?;
        }
        let clustered = cluster_in(run, record, config, workers, control)?;
        let path = run.labels(0);
        if !clustered.nothing_to_do || !path.exists() {
            export(run, &path, workers, control)?;
            self.nothing_to_do = false;
        }
        Ok(Arc::new(TrainingSet::read(&path, self.request.images)?))
    }

    /// Trains and relabels, stage after stage.
    fn stages(
        mut self,
        detector: &mut dyn TrainableDetector,
        mut set: Arc<TrainingSet>,
    ) -> Result<PretrainReport> {
        let mut labels = vec![self.describe(0, &set)];
        let truths = std::mem::take(&mut self.truths);
        let (path, sources) = (self.labels(0), stage_identity::images(&set, &self.sources));
        let first = (&set, path.as_path(), sources);
        let mut measuring = Measuring::begin(truths, first, &self.measuring())?;
        self.run.done(&mut self.record, Step::Train)?;
        let PretrainRequest { images, config, .. } = *self.request;
        for stage in 1..=config.pretrain.stages_count {
            self.stage(detector, stage, &set)?;
            let path = self.labels(stage);
            set = Arc::new(match stage < config.pretrain.stages_count {
                true => labels_for(stage + 1, config, &path, images)?,
                false => TrainingSet::read(&path, images)?,
            });
            labels.push(self.describe(stage, &set));
            measuring.stage(detector, stage, &path, &self.measuring())?;
        }
        let detector = self.write_detector(detector, "detector", &set)?;
        let (measured, is_new) = measuring.finish();
        labels.iter_mut().for_each(|labels| labels.recalls = recalls(&measured, labels.stage));
        let Run { broken, left_out, nothing_to_do, .. } = self;
        let nothing_to_do = nothing_to_do && !is_new;
        Ok(PretrainReport { labels, measured, detector, broken, left_out, nothing_to_do })
    }

    /// Trains on `set` and writes the detector's own labels, unless both are done.
    fn stage(
        &mut self,
        detector: &mut dyn TrainableDetector,
        stage: u16,
        set: &Arc<TrainingSet>,
    ) -> Result<()> {
        let config = self.request.config;
        let root = self.run.root();
        let identity = StageIdentity {
            root,
            stage,
            labels: &self.run.labels(stage - 1),
            images: stage_identity::images(set, &self.sources),
            start: &self.record.inputs.start,
        };
        let record = identity.record(config, set)?;
        let extensions = detector.checkpoint_extensions();
        let done = stage_identity::begin(&record, root, stage, extensions, Vec::new())?;
        self.nothing_to_do &= done == record.steps_count;
        let paths = StagePaths::in_run(root);
        let stage_config = stage_config(config, stage, record.text()?);
        let outcome = train(detector, set, &stage_config, &paths, self.control)?;
        self.note_broken(outcome.broken);
        let (out, shards) = (self.labels(stage), paths.relabel_shards(stage));
        if out.exists() {
            // A kill may have come between the labels and the end of their shards.
            return discard(&shards);
        }
        self.nothing_to_do = false;
        self.write_detector(detector, &format!("detector-stage{stage}"), set)?;
        let request = RelabelRequest {
            purpose: Purpose::Labels,
            description: DESCRIPTION,
            set,
            view: &view(config),
            limits: &config.limits,
            config: &config.relabel,
            strict: self.request.strict || config.loader.strict_images,
            weights: &weights_of(&paths.checkpoints, stage, extensions)?,
            shards: &shards,
            out: &out,
        };
        let report = relabel(detector, &request, self.control)?;
        self.note_broken(report.broken);
        Ok(())
    }

    /// Images that were whole when they were extracted and are not now.
    fn note_broken(&mut self, found: Vec<BrokenImage>) {
        for image in found {
            if !self.broken.iter().any(|known| known.path == image.path) {
                self.broken.push(image);
            }
        }
    }

    fn write_detector(
        &self,
        detector: &mut dyn TrainableDetector,
        stem: &str,
        set: &TrainingSet,
    ) -> Result<PathBuf> {
        let stem = self.run.root().join(stem);
        detector.write_detector(&stem, &view(self.request.config), set.categories())
    }

    fn describe(&self, stage: u16, set: &TrainingSet) -> LabelsReport {
        let (images_count, boxes_count) = (set.images_count(), set.targets_count());
        LabelsReport { stage, path: self.labels(stage), images_count, boxes_count, recalls: None }
    }

    /// What measuring shares with the run.
    fn measuring(&self) -> Context<'_> {
        let Run { request, run, workers, control, .. } = self;
        let (config, strict) = (request.config, request.strict);
        Context { config, root: run.root(), strict, workers, control }
    }
}

/// Recall of T_stage of the training images, where it was measured.
fn recalls(measured: &[MeasuredRow], stage: u16) -> Option<[f64; 3]> {
    let kind = if stage == 0 { MeasuredKind::Proposals } else { MeasuredKind::Labels };
    let is_it = |row: &&MeasuredRow| {
        (row.images, row.kind, row.stage) == (MeasuredImages::Training, kind, stage)
    };
    Some(measured.iter().find(is_it)?.figures.recalls())
}

/// The labels that `stage` learns from: with their scores from the second one on, if these count, as
/// a detector wrote them then. The `score` of T_0 is a rank and says nothing about its box.
///
/// # Errors
/// Those of [`TrainingSet::read_scored`].
pub(super) fn labels_for(
    stage: u16,
    config: &RunConfig,
    annotations: &Path,
    images: &Path,
) -> Result<TrainingSet> {
    match stage > 1 && config.criterion.reads_scores() {
        true => TrainingSet::read_scored(annotations, images),
        false => TrainingSet::read(annotations, images),
    }
}
