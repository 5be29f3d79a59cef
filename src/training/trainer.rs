//! One optimiser step: forward, loss and backward of each part, then AdamW.
//!
//! A step's images come in one or more parts that are in memory one after another; their gradients
//! add up, divided by the number of boxes of the whole step, so that parts change memory and not
//! the result's meaning. Networks are laid out once for each batch shape and share one arena.

use super::adamw::{AdamW, StepSettings};
use super::config::TrainingConfig;
use super::groups::{Group, groups};
use super::schedule;
use crate::criterion::{Criterion, CriterionConfig, Gradients, LayerLosses, Losses};
use crate::data::training::batch::Batch;
use crate::detector::deformable_detr::config::DetectorConfig;
use crate::detector::deformable_detr::initialise::initialise;
use crate::detector::deformable_detr::names::parameter_table;
use crate::detector::deformable_detr::network::{BatchShape, DetectorNetwork};
use crate::matching::{Predictions, Targets};
use crate::nn::matrix_product::Update;
use crate::nn::network::{Memory, Purpose};
use crate::nn::operation::StepKey;
use crate::nn::parameters::ParameterTable;
use crate::workers::Workers;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// A detector that is being trained.
#[derive(Debug)]
pub struct Trainer {
    detector: DetectorConfig,
    training: TrainingConfig,
    table: ParameterTable,
    parameters: Vec<f32>,
    gradients: Vec<f32>,
    optimiser: AdamW,
    groups: Vec<Group>,
    criterion: Criterion,
    networks: BTreeMap<BatchShape, DetectorNetwork>,
    memory: Memory<f32>,
    /// Targets of each image of a part.
    counts: Vec<u32>,
    workers: Workers,
}

/// What one step did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepReport {
    /// Weighted sum of all losses of all layers.
    pub loss: f64,
    /// Of the last layer, before their weights; `accuracy` is the mean over the matched queries.
    pub last_layer: LayerLosses,
    /// Norm of the gradients before clipping.
    pub gradient_norm: f64,
    /// The schedule's factor on every learning rate.
    pub rate_factor: f64,
    /// Targets of the step's images.
    pub boxes_count: usize,
    /// Those that found a query.
    pub pairs_count: usize,
}

impl StepReport {
    /// Adds a part, whose losses are divided by the boxes of the whole step.
    fn add(&mut self, losses: &Losses) {
        self.loss += losses.total;
        let last = losses.layers.last().copied().unwrap_or_default();
        let sum = &mut self.last_layer;
        sum.class += last.class;
        sum.l1 += last.l1;
        sum.giou += last.giou;
        let pairs = (self.pairs_count + losses.pairs_count).max(1) as f64;
        sum.accuracy += (last.accuracy - sum.accuracy) * losses.pairs_count as f64 / pairs;
        self.pairs_count += losses.pairs_count;
    }
}

/// Where in a run a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepPlace {
    pub seed: u64,
    pub stage: u16,
    pub step: usize,
    pub steps_count: usize,
}

impl Trainer {
    /// A detector with drawn weights. `criterion` says how it is judged.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the first key out of range.
    pub fn new(
        detector: &DetectorConfig,
        training: &TrainingConfig,
        criterion: &CriterionConfig,
        seed: u64,
        workers: Workers,
    ) -> Result<Trainer> {
        detector.validate()?;
        training.validate()?;
        let table = parameter_table(detector)?;
        Ok(Trainer {
            parameters: initialise(detector, &table, seed),
            gradients: vec![0.0; table.trained_length()],
            optimiser: AdamW::new(table.trained_length()),
            groups: groups(&table, training),
            criterion: Criterion::new(criterion.clone())?,
            networks: BTreeMap::new(),
            memory: Memory::default(),
            counts: Vec::new(),
            detector: detector.clone(),
            training: training.clone(),
            table,
            workers,
        })
    }

    /// Every parameter by name.
    pub fn table(&self) -> &ParameterTable {
        &self.table
    }

    /// The sizes of the detector.
    pub fn detector(&self) -> &DetectorConfig {
        &self.detector
    }

    /// The flat parameters, in the places that [`Trainer::table`] says.
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// The flat parameters, to be loaded.
    pub fn parameters_mut(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    /// The flat parameters and the optimiser, to be saved or loaded together.
    pub fn state_mut(&mut self) -> (&ParameterTable, &mut Vec<f32>, &mut AdamW) {
        (&self.table, &mut self.parameters, &mut self.optimiser)
    }

    /// Draws every parameter anew.
    pub fn draw(&mut self, seed: u64) {
        self.parameters = initialise(&self.detector, &self.table, seed);
    }

    /// Forgets the optimiser's moments: each stage starts with none.
    pub fn reset_optimiser(&mut self) {
        self.optimiser = AdamW::new(self.table.trained_length());
    }

    /// Bytes of parameters, gradients, moments and the arena.
    pub fn memory_bytes(&self) -> usize {
        let numbers =
            self.parameters.len() + self.gradients.len() + 2 * self.table.trained_length();
        numbers * size_of::<f32>() + self.memory.memory_bytes()
    }

    /// Changes the parameters against the loss of `parts`, the images of one step.
    ///
    /// # Errors
    /// [`Error::Diverged`] when a loss or the gradients' norm is not finite; parameters and moments
    /// are then those of before. Those of the criterion for targets it refuses.
    pub fn step(&mut self, parts: &[Batch], place: &StepPlace) -> Result<StepReport> {
        let boxes_count = parts.iter().map(|part| part.boxes.len()).sum();
        let mut report = StepReport { boxes_count, ..StepReport::default() };
        for (index, part) in parts.iter().enumerate() {
            let key = StepKey {
                seed: place.seed,
                stage: place.stage,
                step: place.step as u32,
                part: index as u16,
                training: true,
            };
            let update = if index == 0 { Update::Overwrite } else { Update::Add };
            self.accumulate(part, &mut report, update, &key)?;
        }
        report.rate_factor = schedule::factor(&self.training, place.step, place.steps_count);
        let settings = StepSettings {
            rate_factor: report.rate_factor,
            weight_decay: self.training.weight_decay,
            gradient_norm_max: self.training.gradient_norm_max,
        };
        report.gradient_norm = self.optimiser.step(
            &mut self.parameters,
            &self.gradients,
            &self.groups,
            &settings,
            &self.workers,
        );
        if !report.gradient_norm.is_finite() {
            return Err(diverged(&report, place.stage, place.step));
        }
        Ok(report)
    }

    fn lay_out(&mut self, shape: BatchShape) -> Result<()> {
        if !self.networks.contains_key(&shape) {
            let workers = self.workers.count();
            let (detector, table) = (&self.detector, &self.table);
            let network = DetectorNetwork::new(detector, table, shape, Purpose::Training, workers)?;
            self.networks.insert(shape, network);
        }
        Ok(())
    }

    fn accumulate(
        &mut self,
        batch: &Batch,
        report: &mut StepReport,
        update: Update,
        key: &StepKey,
    ) -> Result<()> {
        let (images, height, width) = (batch.images_count(), batch.height, batch.width);
        let shape = BatchShape { images, height, width };
        self.lay_out(shape)?;
        let network = &self.networks[&shape];
        let memory = &mut self.memory;
        network.images_mut(memory).copy_from_slice(&batch.maps);
        network.set_sizes(memory, &batch.sizes);
        network.network().forward(memory, &self.parameters, key, &self.workers);
        let outputs = network.outputs(memory);
        let sizes = network.predictions();
        let predictions = Predictions::new(outputs.logits, outputs.boxes, sizes)?;
        self.counts.clear();
        self.counts.extend(batch.offsets.windows(2).map(|pair| (pair[1] - pair[0]) as u32));
        let (classes, boxes) = (&batch.classes, &batch.boxes);
        let targets = Targets::new(&self.counts, classes, boxes, sizes.classes)?;
        let (logits, boxes) = (outputs.logits_gradient, outputs.boxes_gradient);
        let mut gradients = Gradients { logits, boxes };
        let boxes_count = Some(report.boxes_count as f32);
        let losses = self
            .criterion
            .evaluate(&predictions, &targets, boxes_count, &mut gradients, &self.workers)
            .map_err(|error| match error {
                // What a network of finite weights says is finite, unless it has diverged.
                Error::NonFinite { .. } => diverged(report, key.stage, key.step as usize),
                error => error,
            })?;
        report.add(losses);
        network.network().backward(
            memory,
            &self.parameters,
            &mut self.gradients,
            update,
            key,
            &self.workers,
        );
        Ok(())
    }
}

fn diverged(report: &StepReport, stage: u16, step: usize) -> Error {
    Error::Diverged { stage, step, loss: report.loss, norm: report.gradient_norm }
}
