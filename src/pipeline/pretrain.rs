//! Algorithm 1 end to end: propose, cluster, train, relabel, train again (patent ¶35-41, ¶64-72).
//!
//! A run folder holds every step's result, so that a killed run goes on where it stopped:
//!
//! ```text
//! proposals/ clusters.safetensors T0.json     stage 0
//! checkpoints/stage1-*.safetensors            stage 1 trains on T0
//! detector-stage1.safetensors T1.json         its detector and the labels that it gives
//! checkpoints/stage2-*.safetensors ...        stage 2 trains on T1
//! metrics.jsonl detector.safetensors          the last stage's detector
//! ```

mod initial_weights;

use super::cluster::cluster;
use super::config::RunConfig;
use super::export::export;
use super::extract::{ExtractRequest, extract};
use super::workspace::Workspace;
use crate::control::Control;
use crate::data::training::set::TrainingSet;
use crate::detector::deformable_detr::config::DetectorConfig;
use crate::detector::deformable_detr::description::DetectorDescription;
use crate::detector::deformable_detr::detector::Detector;
use crate::detector::deformable_detr::weights::Naming;
use crate::evaluation::{self, EvaluationInput, EvaluationOptions};
use crate::training::relabel::relabel;
use crate::training::stage::{StageConfig, StagePaths, train};
use crate::training::trainer::Trainer;
use crate::workers::Workers;
use crate::{Error, Result};
use initial_weights::start_backbone;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The keys of a whole run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PretrainConfig {
    /// Stages of training after clustering. Default 2: the patent's third gains little (Table 4).
    pub stages_count: u16,
    /// Each stage starts from the weights that the first one started with, instead of the last
    /// one's. Default false.
    pub cold: bool,
    /// What the backbone starts from: `encoder` (Algorithm 1 writes both as g_b), `random`, or a
    /// safetensors file of a ResNet. Default `encoder`.
    pub backbone_init: String,
}

impl Default for PretrainConfig {
    fn default() -> PretrainConfig {
        PretrainConfig { stages_count: 2, cold: false, backbone_init: "encoder".into() }
    }
}

/// Recall of one set of labels.
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
    pub detector: PathBuf,
}

/// What to pretrain.
#[derive(Debug, Clone, Copy)]
pub struct PretrainRequest<'a> {
    /// Folder of images.
    pub images: &'a Path,
    pub config: &'a RunConfig,
    /// A broken image is an error.
    pub strict: bool,
    /// True boxes, for measuring only.
    pub ground_truth: Option<&'a Path>,
}

/// Runs Algorithm 1, or goes on with it.
///
/// # Errors
/// Those of every step; [`Error::InvalidArgument`] where the encoder has no weights for the
/// backbone and `backbone_init` does not say what to start from.
pub fn pretrain(
    request: &PretrainRequest<'_>,
    workspace: &Workspace,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<PretrainReport> {
    let config = request.config;
    config.validate()?;
    let extraction = ExtractRequest { images: request.images, config, strict: request.strict };
    extract(&extraction, workspace, workers, control)?;
    let labels = |stage: u16| workspace.root().join(format!("T{stage}.json"));
    if !labels(0).exists() {
        cluster(workspace, config, workers, control)?;
        export(workspace, &labels(0), workers, control)?;
    }
    let mut set = Arc::new(TrainingSet::read(&labels(0), request.images)?);
    let mut run = Run::new(request, workspace, &set, workers)?;
    let mut reports = vec![run.describe(0, &labels(0), &set, workers, control)?];
    for stage in 1..=config.pretrain.stages_count {
        let path = labels(stage);
        run.stage(stage, &set, &path, workers, control)?;
        set = Arc::new(TrainingSet::read(&path, request.images)?);
        reports.push(run.describe(stage, &path, &set, workers, control)?);
    }
    let detector = workspace.root().join("detector.safetensors");
    run.detector(&set)?.save(&detector, Naming::Official)?;
    Ok(PretrainReport { labels: reports, detector })
}

/// The keys that a stage's bytes depend on, as text.
fn settings(config: &RunConfig) -> Result<String> {
    let mut config = config.clone();
    // More stages go on with the same run, and loaders make the same batches on any threads.
    config.pretrain.stages_count = PretrainConfig::default().stages_count;
    config.loader.loader_threads = 0;
    toml::to_string(&config)
        .map_err(|error| Error::Internal { reason: format!("settings: {error}") })
}

/// A run's detector and what surrounds it.
struct Run<'a> {
    request: PretrainRequest<'a>,
    detector: DetectorConfig,
    trainer: Trainer,
    root: PathBuf,
    paths: StagePaths,
    settings: String,
}

impl<'a> Run<'a> {
    fn new(
        request: &PretrainRequest<'a>,
        workspace: &Workspace,
        set: &TrainingSet,
        workers: &Workers,
    ) -> Result<Run<'a>> {
        let config = request.config;
        let detector =
            DetectorConfig { classes_count: set.classes_count(), ..config.detector.clone() };
        let settings = settings(config)?;
        let paths = StagePaths {
            checkpoints: workspace.root().join("checkpoints"),
            metrics: workspace.root().join("metrics.jsonl"),
        };
        let trainer = Trainer::new(
            &detector,
            &config.training,
            &config.criterion,
            config.seed,
            workers.clone(),
        )?;
        let root = workspace.root().to_path_buf();
        let mut run = Run { request: *request, detector, trainer, root, paths, settings };
        run.start_backbone()?;
        Ok(run)
    }

    /// The weights that the first stage starts with.
    fn start_backbone(&mut self) -> Result<()> {
        let config = self.request.config;
        let (table, parameters, _) = self.trainer.state_mut();
        start_backbone(&config.pretrain.backbone_init, config, &self.detector, table, parameters)
    }

    /// The detector as it is now, with the classes of `set`.
    fn detector(&self, set: &TrainingSet) -> Result<Detector> {
        let description = DetectorDescription {
            config: self.detector.clone(),
            normalisation: self.request.config.encoder.normalisation(),
            resize: self.request.config.augmentation.seen_size(),
            categories: set.categories().to_vec(),
        };
        Detector::new(description, self.trainer.parameters().to_vec())
    }

    /// Trains on `set` and writes the detector's own labels to `labels`, unless both are done.
    fn stage(
        &mut self,
        stage: u16,
        set: &Arc<TrainingSet>,
        labels: &Path,
        workers: &Workers,
        control: &Control<'_>,
    ) -> Result<()> {
        let config = self.request.config;
        if stage > 1 && config.pretrain.cold {
            self.trainer.draw(config.seed);
            self.start_backbone()?;
        }
        self.trainer.reset_optimiser();
        let stage_config = StageConfig {
            training: config.training.clone(),
            augmentation: config.augmentation.clone(),
            loader: config.loader.clone(),
            normalisation: config.encoder.normalisation(),
            limits: config.limits.clone(),
            seed: config.seed,
            stage,
            settings: self.settings.clone(),
        };
        train(&mut self.trainer, set, &stage_config, &self.paths, control)?;
        if labels.exists() {
            return Ok(());
        }
        let detector = self.detector(set)?;
        let path = self.root.join(format!("detector-stage{stage}.safetensors"));
        detector.save(&path, Naming::Official)?;
        let predictor = detector.predictor();
        relabel(set, &predictor, &config.relabel, labels, workers, control).map(drop)
    }

    fn describe(
        &self,
        stage: u16,
        path: &Path,
        set: &TrainingSet,
        workers: &Workers,
        control: &Control<'_>,
    ) -> Result<LabelsReport> {
        let recalls = match self.request.ground_truth {
            None => None,
            Some(truth) => {
                let input = EvaluationInput::from_files(truth, path)?;
                let options =
                    EvaluationOptions { class_agnostic: true, detections_max: vec![10, 25, 100] };
                let found = evaluation::evaluate(&input, &options, workers, control)?;
                Some([0, 1, 2].map(|place| found.average_recall[place]))
            }
        };
        Ok(LabelsReport {
            stage,
            path: path.into(),
            images_count: set.images_count(),
            boxes_count: set.targets_count(),
            recalls,
        })
    }
}
