//! Algorithm 1 for a program that calls it: the whole of it, a stage, a relabelling, or single steps on
//! batches of the program's own, with the built-in detector or one of the host's.
//!
//! Everything but single steps lives in the run's folder; what is in memory is the detector of one
//! stage of one run, which is read from that stage's last checkpoint where it is another one's that is
//! asked for.

use super::config::RunConfig;
use super::measure::HeldOut;
use super::pretrain::initial_weights::fingerprint_of;
use super::pretrain::stage_identity::{self, HOST_START, StageIdentity};
use super::pretrain::{
    PretrainReport, PretrainRequest, built_in, labels_for, pretrain_keeping, pretrain_with,
};
use super::stage_keys::{stage_config, view};
use super::step_memory::{self, SizesOf};
use super::workspace::stage_record::StageRecord;
use super::workspace::{Step, Workspace};
use crate::control::Control;
use crate::data::atomic_file;
use crate::data::coco::CocoCategory;
use crate::data::image_sources::ImageSources;
use crate::data::training::batch::Batch;
use crate::data::training::set::TrainingSet;
use crate::detector::config::DetectorConfig;
use crate::error::Difference;
use crate::training::checkpoint_files::last_checkpoint;
use crate::training::host_detector::HostDetector;
use crate::training::host_model::HostModel;
use crate::training::relabel::{
    DESCRIPTION, Purpose, RelabelReport, RelabelRequest, relabel, weights_of,
};
use crate::training::stage::train;
use crate::training::stage_config::StagePaths;
use crate::training::step::{StepPlace, StepReport};
use crate::training::trainable::{StageStart, TrainableDetector};
use crate::training::trainer::Trainer;
use crate::workers::Workers;
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whose detector is trained.
enum Owner {
    /// Made when the number of classes is known.
    BuiltIn(Option<Box<Trainer>>),
    Host(Box<HostDetector>),
}

/// Trains detectors as one configuration says.
pub struct Pretrainer {
    config: RunConfig,
    workers: Workers,
    owner: Owner,
    held: Held,
}

/// Whose parameters are in memory.
#[derive(Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    /// Those of a stage of the run in this folder, and the fingerprint of the stage's record.
    Stage(PathBuf, u16, String),
    /// Those of a loop of the program's own: the next step, and the classes.
    Loop(StepPlace, usize),
}

/// One data set of a run: T_{stage - 1}, which stage `stage` learns from.
#[derive(Debug, Clone, Copy)]
pub struct StageRequest<'a> {
    /// Folder of the run.
    pub run: &'a Path,
    /// From 1.
    pub stage: u16,
    /// COCO file.
    pub annotations: &'a Path,
    /// Folder that its file names are relative to.
    pub images: &'a Path,
}

/// What a stage did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageReport {
    /// Of the whole stage, those too that were spared because checks ended it.
    pub steps_count: usize,
    pub images_count: usize,
    pub boxes_count: usize,
    /// The detector alone.
    pub detector: PathBuf,
}

impl Pretrainer {
    /// With the built-in detector.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the first key of `config` out of range.
    pub fn new(config: RunConfig, workers: Workers) -> Result<Pretrainer> {
        config.validate()?;
        Ok(Pretrainer { config, workers, owner: Owner::BuiltIn(None), held: Held::Nothing })
    }

    /// With a detector of the host, which the table `detector` of the configuration says nothing
    /// about.
    ///
    /// # Errors
    /// As [`Pretrainer::new`].
    pub fn with_host(
        config: RunConfig,
        model: Box<dyn HostModel>,
        workers: Workers,
    ) -> Result<Pretrainer> {
        config.validate()?;
        let (training, criterion) = (&config.training, &config.criterion);
        let detector = HostDetector::new(model, training, criterion, workers.clone())?;
        Ok(Pretrainer {
            config,
            workers,
            owner: Owner::Host(Box::new(detector)),
            held: Held::Nothing,
        })
    }

    /// Every key.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Bytes kept between calls, those of the host aside.
    pub fn memory_bytes(&self) -> usize {
        let detector = match &self.owner {
            Owner::BuiltIn(None) => 0,
            Owner::BuiltIn(Some(trainer)) => trainer.memory_bytes(),
            Owner::Host(detector) => detector.memory_bytes(),
        };
        size_of::<Pretrainer>() + self.workers.memory_bytes() + detector
    }

    /// The whole of Algorithm 1 on a folder of images, or what is left of it in `run`; true boxes, of
    /// those images or of held-out ones, only measure.
    ///
    /// # Errors
    /// As [`super::pretrain::pretrain`], and those of the host's detector.
    pub fn pretrain(
        &mut self,
        images: &Path,
        run: &Path,
        (ground_truth, held_out): (Option<&Path>, Option<HeldOut<'_>>),
        strict: bool,
        control: &Control<'_>,
    ) -> Result<PretrainReport> {
        self.held = Held::Nothing;
        let (config, workers) = (&self.config, &self.workers);
        let request = PretrainRequest { images, config, strict, ground_truth, held_out };
        let workspace = Workspace::new(run);
        let report = match &mut self.owner {
            Owner::Host(host) => {
                pretrain_with(host.as_mut(), &request, &workspace, workers, control)?
            }
            Owner::BuiltIn(kept) => {
                *kept = None;
                let (report, trainer) = pretrain_keeping(&request, &workspace, workers, control)?;
                *kept = Some(Box::new(trainer));
                report
            }
        };
        let stage = config.pretrain.stages_count;
        if stage > 0 {
            self.held = Held::Stage(run.into(), stage, StageRecord::fingerprint(run, stage)?);
        }
        Ok(report)
    }

    /// One stage of training, or what is left of it. A warm one goes on from the stage before, which
    /// must have been trained in the same run folder.
    ///
    /// # Errors
    /// As [`train`]; [`Error::RunStep`] while the stage before is not whole; [`Error::RunMismatch`]
    /// when the stage was begun with other keys, labels, images or weights; [`Error::Locked`] when
    /// somebody else writes into the folder; [`Error::InvalidArgument`] for stage 0.
    pub fn train(
        &mut self,
        request: &StageRequest<'_>,
        control: &Control<'_>,
    ) -> Result<StageReport> {
        let StageRequest { run, stage, annotations, images } = *request;
        if stage == 0 {
            return Err(Error::invalid("stage", "0 is the clusters' own; training starts with 1"));
        }
        atomic_file::check_folder(run)?;
        let set = Arc::new(labels_for(stage, &self.config, annotations, images)?);
        let _open = Workspace::new(run).open(Step::Train)?;
        let StageInputs { record, sources, files, table } =
            self.stage_inputs(request, &set, control)?;
        let config = stage_config(&self.config, stage, record.text()?);
        if !config.fresh {
            self.bring(run, stage - 1, &set)?;
        }
        self.held = Held::Nothing;
        let view = view(&self.config);
        if let Owner::BuiltIn(_) = self.owner {
            let classes_count = set.classes_count();
            let sizes = DetectorConfig { classes_count, ..self.config.detector.clone() };
            let sizes_of = SizesOf::Configuration;
            step_memory::check(&self.config, (&sizes, sizes_of), self.workers.count())?;
        }
        let detector = self.detector(set.classes_count())?;
        stage_identity::begin(&record, run, stage, detector.checkpoint_extensions(), files)?;
        sources.write(&table)?;
        let paths = StagePaths::in_run(run);
        let steps_count = train(detector, &set, &config, &paths, control)?.steps_count;
        let stem = run.join(format!("detector-stage{stage}"));
        let path = detector.write_detector(&stem, &view, set.categories())?;
        self.held = Held::Stage(run.into(), stage, StageRecord::fingerprint(run, stage)?);
        let (images_count, boxes_count) = (set.images_count(), set.targets_count());
        Ok(StageReport { steps_count, images_count, boxes_count, detector: path })
    }

    /// Writes what the detector of a stage finds in every image of a data set to `out`.
    ///
    /// # Errors
    /// As [`relabel`]; [`Error::RunStep`] when that stage has not been trained to its end in the run
    /// folder; [`Error::RunMismatch`] when it was trained under other keys; [`Error::Locked`].
    pub fn relabel(
        &mut self,
        request: &StageRequest<'_>,
        out: &Path,
        control: &Control<'_>,
    ) -> Result<RelabelReport> {
        atomic_file::check(out)?;
        let set = TrainingSet::read(request.annotations, request.images)?;
        if !request.run.is_dir() {
            return Err(Error::RunStep { path: request.run.into(), step: "train" });
        }
        let _open = Workspace::new(request.run).open(Step::Train)?;
        self.bring(request.run, request.stage, &set)?;
        let (view, config) = (view(&self.config), self.config.relabel.clone());
        let (limits, strict) = (self.config.limits.clone(), self.config.loader.strict_images);
        let detector = self.detector(set.classes_count())?;
        let paths = StagePaths::in_run(request.run);
        let extensions = detector.checkpoint_extensions();
        let request = RelabelRequest {
            purpose: Purpose::Labels,
            description: DESCRIPTION,
            set: &set,
            view: &view,
            limits: &limits,
            config: &config,
            strict,
            weights: &weights_of(&paths.checkpoints, request.stage, extensions)?,
            shards: &paths.relabel_shards(request.stage),
            out,
        };
        relabel(detector, &request, control)
    }

    /// Begins a loop of single steps: a detector at the start of a run, for labels of
    /// `classes_count` classes.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a count of 0; as [`built_in`]; those of the host's detector.
    pub fn begin(&mut self, classes_count: usize, steps_count: usize) -> Result<()> {
        for (name, count) in [("classes_count", classes_count), ("steps_count", steps_count)] {
            if count == 0 {
                return Err(Error::invalid(name, "0; at least 1 is needed"));
            }
        }
        self.held = Held::Nothing;
        let place = StepPlace { seed: self.config.seed, stage: 1, step: 0, steps_count };
        let StepPlace { seed, stage, .. } = place;
        let detector = self.detector(classes_count)?;
        detector.start_stage(&StageStart {
            stage,
            fresh: true,
            classes_count,
            steps_count,
            seed,
        })?;
        self.held = Held::Loop(place, classes_count);
        Ok(())
    }

    /// Classes of the loop of single steps.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] before [`Pretrainer::begin`].
    pub fn loop_classes(&self) -> Result<usize> {
        match &self.held {
            Held::Loop(_, classes_count) => Ok(*classes_count),
            _ => Err(Error::invalid("trainer", "no loop of single steps has begun")),
        }
    }

    /// One step of the loop. One that fails can be taken again.
    ///
    /// # Errors
    /// As [`TrainableDetector::step`]; [`Error::InvalidArgument`] before [`Pretrainer::begin`] and
    /// after the last step.
    pub fn step(&mut self, batch: &Batch) -> Result<StepReport> {
        let classes_count = self.loop_classes()?;
        let Held::Loop(place, _) = std::mem::replace(&mut self.held, Held::Nothing) else {
            return Err(Error::Internal { reason: "a loop without its place".into() });
        };
        let outcome = match place.step < place.steps_count {
            true => self.detector(classes_count)?.step(std::slice::from_ref(batch), &place),
            false => Err(Error::invalid("steps_count", format!("all {} are done", place.step))),
        };
        let step = place.step + usize::from(outcome.is_ok());
        self.held = Held::Loop(StepPlace { step, ..place }, classes_count);
        outcome
    }

    /// Writes the detector of the loop as `stem` with an ending of its own; answers the path.
    ///
    /// # Errors
    /// As [`TrainableDetector::write_detector`]; [`Error::InvalidArgument`] before
    /// [`Pretrainer::begin`].
    pub fn write_detector(&mut self, stem: &Path) -> Result<PathBuf> {
        let classes_count = self.loop_classes()?;
        let category = |id| CocoCategory::new(id, "");
        let categories: Vec<CocoCategory> = (0..classes_count as i64).map(category).collect();
        let view = view(&self.config);
        self.detector(classes_count)?.write_detector(stem, &view, &categories)
    }

    /// The detector for labels of `classes_count` classes.
    fn detector(&mut self, classes_count: usize) -> Result<&mut dyn TrainableDetector> {
        match &mut self.owner {
            Owner::Host(detector) => Ok(detector.as_mut()),
            Owner::BuiltIn(kept) => {
                let fits = |trainer: &Trainer| trainer.detector().classes_count == classes_count;
                let trainer = match kept.take() {
                    Some(trainer) if fits(&trainer) => trainer,
                    _ => Box::new(built_in(&self.config, None, classes_count, &self.workers)?),
                };
                Ok(kept.insert(trainer).as_mut())
            }
        }
    }

    /// Makes the detector in memory that of `stage` of `run`.
    fn bring(&mut self, run: &Path, stage: u16, set: &TrainingSet) -> Result<()> {
        let classes_count = set.classes_count();
        let wanted = Held::Stage(run.to_path_buf(), stage, StageRecord::fingerprint(run, stage)?);
        let fits = match &self.owner {
            Owner::Host(_) => true,
            Owner::BuiltIn(kept) => {
                kept.as_ref().is_some_and(|kept| kept.detector().classes_count == classes_count)
            }
        };
        if self.held == wanted && fits {
            return Ok(());
        }
        self.held = Held::Nothing;
        let missing = || Error::RunStep { path: run.into(), step: "train" };
        let record = StageRecord::read(run, stage)?.ok_or_else(missing)?;
        record.check_keys(&self.config, run)?;
        let (seed, steps_count) = (self.config.seed, record.steps_count);
        let detector = self.detector(classes_count)?;
        let folder = StagePaths::in_run(run).checkpoints;
        let found = match folder.is_dir() {
            true => last_checkpoint(&folder, stage, detector.checkpoint_extensions())?,
            false => None,
        };
        // A stage that was stopped is none that another may go on from.
        let (_, path) = found.filter(|(step, _)| *step >= steps_count).ok_or_else(missing)?;
        detector.start_stage(&StageStart {
            stage,
            fresh: true,
            classes_count,
            steps_count,
            seed,
        })?;
        detector.load(&path, &record.text()?)?;
        self.held = wanted;
        Ok(())
    }

    /// What the stage of a request reads.
    fn stage_inputs(
        &self,
        request: &StageRequest<'_>,
        set: &TrainingSet,
        control: &Control<'_>,
    ) -> Result<StageInputs> {
        let StageRequest { run, stage, annotations, images } = *request;
        let table = run.join(format!("stage{stage}-images.tsv"));
        let known = ImageSources::read(&table)?;
        let pairs: Vec<(u32, &str)> = set
            .images()
            .iter()
            .map(|image| (image.image_id, image.relative_path.as_str()))
            .collect();
        let sources = ImageSources::take(images, &pairs, known.as_ref(), &self.workers, control)?;
        let start = match &self.owner {
            Owner::Host(_) => HOST_START.into(),
            Owner::BuiltIn(_) => fingerprint_of(&self.config.pretrain.backbone_init, &self.config)?,
        };
        let identity = StageIdentity {
            root: run,
            stage,
            labels: annotations,
            images: stage_identity::images(set, &sources),
            start: &start,
        };
        let record = identity.record(&self.config, set)?;
        let files = known.map_or_else(Vec::new, |known| known.differences(&sources));
        Ok(StageInputs { record, sources, files, table })
    }
}

/// What a stage reads, and the table of its images, which is kept in the run's folder.
struct StageInputs {
    record: StageRecord,
    sources: ImageSources,
    /// Images that are not those of the table that lies there.
    files: Vec<Difference>,
    table: PathBuf,
}
