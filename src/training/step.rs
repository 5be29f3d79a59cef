//! What one optimiser step is, whoever computes the network: its place in the run, how its parts
//! are judged, and what it reports.
//!
//! A step's images come in one or more parts that are in memory one after another; their gradients
//! add up, divided by the number of boxes of the whole step, so that parts change memory and not
//! the result's meaning.

use crate::criterion::{Criterion, CriterionConfig, Gradients, LabelScore, LayerLosses, Losses};
use crate::data::training::batch::Batch;
use crate::matching::{ClassLoss, Predictions, Targets};
use crate::workers::Workers;
use crate::{Error, Result};

/// Where in a run a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepPlace {
    pub seed: u64,
    pub stage: u16,
    /// From 0.
    pub step: usize,
    /// Of the stage.
    pub steps_count: usize,
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
    /// The sum of their scores, which is what losses are divided by where scores are weights.
    pub scores_sum: f64,
    /// Those that found a query.
    pub pairs_count: usize,
}

impl StepReport {
    /// Of a step that has not begun yet.
    pub fn of(parts: &[Batch]) -> StepReport {
        let boxes_count = parts.iter().map(|part| part.boxes.len()).sum();
        let scores = parts.iter().flat_map(|part| &part.scores);
        let scores_sum = scores.map(|&score| f64::from(score)).sum();
        StepReport { boxes_count, scores_sum, ..StepReport::default() }
    }

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

    /// The error of a step whose numbers are not finite.
    pub fn diverged(&self, place: &StepPlace) -> Error {
        let (stage, step) = (place.stage, place.step);
        Error::Diverged { stage, step, loss: self.loss, norm: self.gradient_norm }
    }
}

/// The criterion, and the targets of a part in its form.
#[derive(Debug)]
pub struct Judge {
    criterion: Criterion,
    /// Targets of each image of a part.
    counts: Vec<u32>,
}

impl Judge {
    /// # Errors
    /// [`Error::InvalidArgument`] with the first key out of range.
    pub fn new(config: &CriterionConfig) -> Result<Judge> {
        Ok(Judge { criterion: Criterion::new(config.clone())?, counts: Vec::new() })
    }

    /// How a detector is judged.
    pub fn config(&self) -> &CriterionConfig {
        self.criterion.config()
    }

    /// Bytes kept between steps.
    pub fn memory_bytes(&self) -> usize {
        self.criterion.memory_bytes() + self.counts.capacity() * size_of::<u32>()
    }

    /// Adds a part's losses to the step's report and writes the gradients of its predictions.
    ///
    /// # Errors
    /// [`Error::Diverged`] for predictions that are not finite; those of the criterion for targets
    /// it refuses.
    pub fn evaluate(
        &mut self,
        predictions: &Predictions<'_>,
        part: &Batch,
        gradients: &mut Gradients<'_>,
        (report, place): (&mut StepReport, &StepPlace),
        workers: &Workers,
    ) -> Result<()> {
        self.counts.clear();
        self.counts.extend(part.offsets.windows(2).map(|pair| (pair[1] - pair[0]) as u32));
        // Under softmax the last logit is "no object".
        let beside = usize::from(self.config().class_loss == ClassLoss::Softmax);
        let classes_count = predictions.shape().classes.saturating_sub(beside);
        let mut targets = Targets::new(&self.counts, &part.classes, &part.boxes, classes_count)?;
        if self.config().reads_scores() {
            targets = targets.with_scores(&part.scores)?;
            // Before their sum is divided by, which would name no target.
            targets.check_scores()?;
        }
        let boxes_count = match self.config().label_score {
            LabelScore::Weight => report.scores_sum as f32,
            LabelScore::Ignore | LabelScore::SoftTarget => report.boxes_count as f32,
        };
        let losses = self
            .criterion
            .evaluate(predictions, &targets, Some(boxes_count), gradients, workers)
            .map_err(|error| match error {
                // What a network of finite weights says is finite, unless it has diverged.
                Error::NonFinite { .. } => report.diverged(place),
                error => error,
            })?;
        report.add(losses);
        Ok(())
    }
}
