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
    targets: RepeatedTargets,
}

/// The targets of a part's images, once for each group of queries that is matched to them.
#[derive(Debug, Default)]
struct RepeatedTargets {
    /// Of each group of each image.
    counts: Vec<u32>,
    /// Read where there are several groups; one reads the part's own.
    classes: Vec<u32>,
    boxes: Vec<[f32; 4]>,
    scores: Vec<f32>,
}

impl RepeatedTargets {
    fn of<'a>(
        &'a mut self,
        part: &'a Batch,
        groups: usize,
        classes_count: usize,
        reads_scores: bool,
    ) -> Result<Targets<'a>> {
        self.counts.clear();
        self.classes.clear();
        self.boxes.clear();
        self.scores.clear();
        for pair in part.offsets.windows(2) {
            let own = pair[0] as usize..pair[1] as usize;
            self.counts.extend(std::iter::repeat_n(own.len() as u32, groups));
            if groups > 1 {
                for _ in 0..groups {
                    self.classes.extend_from_slice(&part.classes[own.clone()]);
                    self.boxes.extend_from_slice(&part.boxes[own.clone()]);
                    self.scores.extend_from_slice(&part.scores[own.clone()]);
                }
            }
        }
        let (classes, boxes, scores) = match groups {
            1 => (&part.classes, &part.boxes, &part.scores),
            _ => (&self.classes, &self.boxes, &self.scores),
        };
        let targets = Targets::new(&self.counts, classes, boxes, classes_count)?;
        if reads_scores { targets.with_scores(scores) } else { Ok(targets) }
    }

    fn memory_bytes(&self) -> usize {
        (self.counts.capacity() + self.classes.capacity()) * size_of::<u32>()
            + self.boxes.capacity() * size_of::<[f32; 4]>()
            + self.scores.capacity() * size_of::<f32>()
    }
}

impl Judge {
    /// # Errors
    /// [`Error::InvalidArgument`] with the first key out of range.
    pub fn new(config: &CriterionConfig) -> Result<Judge> {
        let criterion = Criterion::new(config.clone())?;
        Ok(Judge { criterion, targets: RepeatedTargets::default() })
    }

    /// How a detector is judged.
    pub fn config(&self) -> &CriterionConfig {
        self.criterion.config()
    }

    /// Bytes kept between steps.
    pub fn memory_bytes(&self) -> usize {
        self.criterion.memory_bytes() + self.targets.memory_bytes()
    }

    /// Adds a part's losses to the step's report and writes the gradients of its predictions, whose
    /// batch is that of the part, each image as often as its queries have groups.
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
        // Under softmax the last logit is "no object".
        let beside = usize::from(self.config().class_loss == ClassLoss::Softmax);
        let classes_count = predictions.shape().classes.saturating_sub(beside);
        let groups = predictions.shape().batch / part.images_count().max(1);
        let (reads_scores, label_score) = (self.config().reads_scores(), self.config().label_score);
        let targets = self.targets.of(part, groups, classes_count, reads_scores)?;
        // Before the sum of the scores is divided by, which would name no target.
        targets.check_scores()?;
        let boxes_count = match label_score {
            LabelScore::Weight => report.scores_sum,
            LabelScore::Ignore | LabelScore::SoftTarget => report.boxes_count as f64,
        };
        let boxes_count = (boxes_count * groups as f64) as f32;
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
