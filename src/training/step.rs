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
    /// Those that found a query, in each group of queries: it is the same number in all.
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

    /// Adds a part, whose losses are divided by the boxes of the whole step for each of `groups`.
    fn add(&mut self, losses: &Losses, groups: usize) {
        self.loss += losses.total;
        let last = losses.layers.last().copied().unwrap_or_default();
        let sum = &mut self.last_layer;
        sum.class += last.class;
        sum.l1 += last.l1;
        sum.giou += last.giou;
        let found = losses.pairs_count / groups;
        let pairs = (self.pairs_count + found).max(1) as f64;
        sum.accuracy += (last.accuracy - sum.accuracy) * found as f64 / pairs;
        self.pairs_count += found;
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
    repeated: RepeatedTargets,
}

/// The targets of a part's images, once for each group of queries that is matched to them.
#[derive(Debug, Default)]
struct RepeatedTargets {
    /// Of each group of each image.
    counts: Vec<u32>,
    classes: Vec<u32>,
    boxes: Vec<[f32; 4]>,
    /// Empty where the targets have none.
    scores: Vec<f32>,
}

impl RepeatedTargets {
    fn of(&mut self, images: &Targets<'_>, groups: usize, has_scores: bool) -> Result<Targets<'_>> {
        self.counts.clear();
        self.classes.clear();
        self.boxes.clear();
        self.scores.clear();
        for image in 0..images.batch() {
            let own = images.of_image(image);
            let count = own.boxes.len();
            for _ in 0..groups {
                self.counts.push(count as u32);
                self.classes.extend_from_slice(own.classes);
                self.boxes.extend_from_slice(own.boxes);
                if has_scores {
                    self.scores.extend((0..count).map(|target| own.score(target)));
                }
            }
        }
        let classes_count = images.classes_count();
        let targets = Targets::new(&self.counts, &self.classes, &self.boxes, classes_count)?;
        if has_scores { targets.with_scores(&self.scores) } else { Ok(targets) }
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
        Ok(Judge { criterion, counts: Vec::new(), repeated: RepeatedTargets::default() })
    }

    /// How a detector is judged.
    pub fn config(&self) -> &CriterionConfig {
        self.criterion.config()
    }

    /// Bytes kept between steps.
    pub fn memory_bytes(&self) -> usize {
        let counts = self.counts.capacity() * size_of::<u32>();
        self.criterion.memory_bytes() + counts + self.repeated.memory_bytes()
    }

    /// Adds a part's losses to the step's report and writes the gradients of its predictions, whose
    /// batch is that of the part, each image as often as its queries have groups.
    ///
    /// # Errors
    /// [`Error::Diverged`] for predictions that are not finite; [`Error::Shape`] for targets of
    /// another number of images; those of the criterion for targets it refuses.
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
        let groups = (predictions.shape().batch / part.images_count().max(1)).max(1);
        let (reads_scores, label_score) = (self.config().reads_scores(), self.config().label_score);
        self.counts.clear();
        self.counts.extend(part.offsets.windows(2).map(|pair| (pair[0]..pair[1]).len() as u32));
        if self.counts.len() != part.images_count() {
            let expected = format!("counts of {} images", part.images_count());
            return Err(Error::shape("targets", expected, self.counts.len()));
        }
        // Looked at before they are repeated, so that errors name the image, and before the sum of the
        // scores is divided by, which would name no target.
        let mut targets = Targets::new(&self.counts, &part.classes, &part.boxes, classes_count)?;
        if reads_scores {
            targets = targets.with_scores(&part.scores)?;
            targets.check_scores()?;
        }
        if groups > 1 {
            targets = self.repeated.of(&targets, groups, reads_scores)?;
        }
        let boxes_count = match label_score {
            LabelScore::Weight => report.scores_sum,
            LabelScore::Ignore | LabelScore::SoftTarget => report.boxes_count as f64,
        };
        // What counts as one box, as the criterion has it, does so for every group.
        let boxes_count = (boxes_count.max(1.0) * groups as f64) as f32;
        let losses = self
            .criterion
            .evaluate(predictions, &targets, Some(boxes_count), gradients, workers)
            .map_err(|error| match error {
                // What a network of finite weights says is finite, unless it has diverged.
                Error::NonFinite { .. } => report.diverged(place),
                error => error,
            })?;
        report.add(losses, groups);
        Ok(())
    }
}
