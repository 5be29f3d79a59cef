//! The built-in detector in training: forward, loss and backward of each part of a step, then AdamW.
//!
//! Networks are laid out for the batch shapes that were used last; an [`Executor`] runs them.

use super::adamw::{AdamW, StepSettings};
use super::checkpoint::{self, Position};
use super::config::TrainingConfig;
use super::executor::Executor;
use super::groups::groups;
use super::relabel_config::BoxScore;
use super::schedule;
use super::step::{Judge, StepPlace, StepReport};
use super::trainable::{StageStart, TrainableDetector, View};
use crate::control::Control;
use crate::criterion::CriterionConfig;
use crate::data::coco::CocoCategory;
use crate::data::image::Image;
use crate::data::training::batch::Batch;
use crate::detector::config::DetectorConfig;
use crate::detector::description::DetectorDescription;
use crate::detector::naming::Naming;
use crate::detector::network::{BatchShape, DetectorNetwork};
use crate::detector::parameters::initialise;
use crate::detector::parameters::parameter_table;
use crate::detector::prediction::{Detection, Detections, Wanted};
use crate::detector::predictor::{Predictor, PredictorMemory};
use crate::detector::weights::take_over;
use crate::detector::whole_detector::Detector;
use crate::kernels::matrix_product::Update;
use crate::matching::ClassLoss;
use crate::nn::kept::Kept;
use crate::nn::network::Purpose;
use crate::nn::operation::StepKey;
use crate::nn::parameters::ParameterTable;
use crate::workers::Workers;
use crate::{Error, Result, memory};
use std::path::{Path, PathBuf};

/// Changes drawn parameters into those that a run starts with.
pub type Start = Box<dyn Fn(&ParameterTable, &mut [f32]) -> Result<()> + Send>;

/// A detector that is being trained.
pub struct Trainer {
    detector: DetectorConfig,
    training: TrainingConfig,
    table: ParameterTable,
    executor: Executor,
    judge: Judge,
    networks: Kept<BatchShape, DetectorNetwork>,
    prediction: PredictorMemory,
    /// What a fresh start draws from.
    seed: u64,
    /// What a fresh start does after drawing.
    start: Option<Start>,
    workers: Workers,
}

impl Trainer {
    /// A detector with drawn weights. `criterion` says how it is judged.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the first key out of range, and for a softmax over the
    /// classes: each has a logit of its own and "no object" has none.
    pub fn new(
        detector: &DetectorConfig,
        training: &TrainingConfig,
        criterion: &CriterionConfig,
        seed: u64,
        workers: Workers,
    ) -> Result<Trainer> {
        detector.validate()?;
        training.validate()?;
        if criterion.class_loss == ClassLoss::Softmax {
            let reason = "softmax; the built-in detector has a sigmoid for each class (focal)";
            return Err(Error::invalid("class_loss", reason));
        }
        let table = parameter_table(detector)?;
        let (parameters, groups) = (initialise(&table, seed)?, groups(&table, training));
        let executor = Executor::new(parameters, table.trained_length(), groups, workers.clone())?;
        Ok(Trainer {
            executor,
            judge: Judge::new(criterion)?,
            networks: Kept::new(training.networks_kept),
            prediction: PredictorMemory::keeping(training.networks_kept),
            seed,
            start: None,
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
        self.executor.parameters().as_slice()
    }

    /// The flat parameters, to be loaded.
    pub fn parameters_mut(&mut self) -> &mut [f32] {
        self.executor.parameters_mut()
    }

    /// The flat parameters and the optimiser, to be saved or loaded together.
    pub fn state_mut(&mut self) -> (&ParameterTable, &mut [f32], &mut AdamW) {
        let (parameters, optimiser) = self.executor.state_mut();
        (&self.table, parameters, optimiser)
    }

    /// Applies `start` to the parameters, now and at every later fresh start.
    ///
    /// # Errors
    /// Those of `start`.
    pub fn start_with(&mut self, start: Start) -> Result<()> {
        start(&self.table, self.executor.parameters_mut())?;
        self.start = Some(start);
        Ok(())
    }

    fn accumulate(
        &mut self,
        part: &Batch,
        report: (&mut StepReport, &StepPlace),
        step: (&StepKey, Update),
    ) -> Result<()> {
        let (images, height, width) = (part.images_count(), part.height, part.width);
        let shape = BatchShape { images, height, width };
        let network = self.networks.of(shape, || {
            let (table, purpose) =
                (&self.table, Purpose::Training { recompute: self.training.recompute });
            DetectorNetwork::new(&self.detector, table, shape, purpose, self.workers.count())
        })?;
        let (judge, workers) = (&mut self.judge, &self.workers);
        self.executor.accumulate(network, part, step, |predictions, gradients| {
            judge.evaluate(predictions, part, gradients, report, workers)
        })
    }
}

impl TrainableDetector for Trainer {
    fn checkpoint_extensions(&self) -> &'static [&'static str] {
        &["safetensors"]
    }

    fn start_stage(&mut self, start: &StageStart) -> Result<()> {
        if start.fresh {
            let drawn = initialise(&self.table, self.seed)?;
            let parameters = self.executor.parameters_mut();
            parameters.copy_from_slice(&drawn);
            if let Some(start) = &self.start {
                start(&self.table, parameters)?;
            }
        }
        self.executor.forget_steps()?;
        self.prediction = PredictorMemory::keeping(self.training.networks_kept);
        Ok(())
    }

    fn step(&mut self, parts: &[Batch], place: &StepPlace) -> Result<StepReport> {
        self.prediction.forget();
        self.executor.forget_packed();
        let mut report = StepReport::of(parts);
        for (index, part) in parts.iter().enumerate() {
            let key = StepKey {
                seed: place.seed,
                stage: place.stage,
                step: place.step as u32,
                part: index as u16,
                training: true,
            };
            let update = if index == 0 { Update::Overwrite } else { Update::Add };
            self.accumulate(part, (&mut report, place), (&key, update))?;
        }
        report.rate_factor = schedule::factor(&self.training, place.step, place.steps_count);
        let settings = StepSettings {
            rate_factor: report.rate_factor,
            weight_decay: self.training.weight_decay,
            gradient_norm_max: self.training.gradient_norm_max,
        };
        report.gradient_norm = self.executor.update(&settings);
        match report.gradient_norm.is_finite() {
            true => Ok(report),
            false => Err(report.diverged(place)),
        }
    }

    fn detect(
        &mut self,
        image: &Image,
        view: &View,
        score: BoxScore,
        count: usize,
    ) -> Result<Vec<Detection>> {
        let predictor = Predictor {
            config: &self.detector,
            table: &self.table,
            parameters: self.executor.parameters(),
            resize: &view.resize,
            normalisation: &view.normalisation,
        };
        let wanted = Wanted { count, score_min: 0.0, reading: score.reading() };
        let read = |_: usize, frame: &mut Image| {
            frame.clone_from(image);
            Ok(())
        };
        let (mut found, runners) = (Detections::default(), (&self.workers, &Control::default()));
        predictor.predict((1, read), &wanted, &mut self.prediction, runners, &mut found)?;
        Ok(found.all().to_vec())
    }

    fn save(&mut self, path: &Path, position: &Position) -> Result<()> {
        let (parameters, optimiser) = self.executor.state();
        checkpoint::save(path, position, &self.table, parameters, optimiser)
    }

    fn load(&mut self, path: &Path, settings: &str) -> Result<Position> {
        let (parameters, optimiser) = self.executor.state_mut();
        checkpoint::load(path, settings, &self.table, parameters, optimiser)
    }

    fn write_detector(
        &mut self,
        stem: &Path,
        view: &View,
        categories: &[CocoCategory],
    ) -> Result<PathBuf> {
        let description = DetectorDescription {
            config: self.detector.predicting(),
            normalisation: view.normalisation.clone(),
            resize: view.resize.clone(),
            categories: categories.to_vec(),
        };
        let path = stem.with_extension("safetensors");
        let table = parameter_table(&description.config)?;
        let mut parameters = memory::filled(0.0, table.length(), "the parameters of a detector")?;
        take_over(&self.table, self.parameters(), &table, &mut parameters, |_| true)?;
        Detector::new(description, parameters)?.save(&path, Naming::Official)?;
        Ok(path)
    }

    fn memory_bytes(&self) -> usize {
        let networks: usize = self.networks.values().map(DetectorNetwork::memory_bytes).sum();
        size_of::<Trainer>()
            + networks
            + self.executor.memory_bytes()
            + self.prediction.memory_bytes()
            + self.judge.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_softmax_is_refused_because_no_object_has_no_logit() {
        let criterion =
            CriterionConfig { class_loss: ClassLoss::Softmax, ..CriterionConfig::default() };
        let (detector, training) = (DetectorConfig::default(), TrainingConfig::default());
        let refused = Trainer::new(&detector, &training, &criterion, 0, Workers::caller());
        let message = refused.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.starts_with("class_loss: softmax"), "{message}");
    }
}
