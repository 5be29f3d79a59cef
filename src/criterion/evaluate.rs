//! The criterion: matching, losses and gradients of all decoder layers in one call.
//!
//! Each query's class loss is its own number, and they are added up in the order of the queries,
//! so that losses have the same bits on any number of workers.

use super::boxes::{overlap, pair_loss};
use super::classes::{ClassTerm, NO_CLASS, Wanted};
use super::config::{ClassTarget, CriterionConfig, LabelScore};
use crate::matching::input::{ImageTargets, PredictionsShape};
use crate::matching::{Matcher, Matches, Predictions, Targets};
use crate::workers::Workers;
use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Logits that one task works on: enough to outweigh handing the task out.
const BLOCK_LOGITS: usize = 1 << 16;

/// Where the gradients of the total go; both are written whole.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// `[layers, batch, queries, classes]`.
    pub logits: &'a mut [f32],
    /// `[layers, batch, queries, 4]`.
    pub boxes: &'a mut [f32],
}

/// The losses of one decoder layer, normalised but not weighted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LayerLosses {
    /// Focal or varifocal loss over the number of boxes, or weighted mean cross-entropy.
    pub class: f64,
    /// Sum of the matched boxes' L1 distances over the number of boxes.
    pub l1: f64,
    /// Sum of the matched boxes' 1 - GIoU over the number of boxes.
    pub giou: f64,
    /// Share of the matched queries whose best class is their target's (Table 9); 0 without any.
    pub accuracy: f64,
}

/// What one evaluation found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Losses {
    /// In the order of the predictions; the last is the decoder's output.
    pub layers: Vec<LayerLosses>,
    /// Weighted sum over all layers: what the gradients belong to.
    pub total: f64,
    /// What losses were divided by: boxes, or the sum of their scores where these are weights.
    pub boxes_count: f64,
    /// Pairs of target and query in each layer.
    pub pairs_count: usize,
    /// Targets of each layer that found no query.
    pub unmatched_count: usize,
}

/// What a task says about one query.
#[derive(Debug)]
struct QueryOutcome {
    wanted: Wanted,
    /// Bits of the f64; tasks fill in rows of a shared list.
    loss: AtomicU64,
    is_best: AtomicBool,
}

impl Default for QueryOutcome {
    fn default() -> QueryOutcome {
        let (loss, is_best) = (AtomicU64::default(), AtomicBool::default());
        QueryOutcome { wanted: Wanted::NOTHING, loss, is_best }
    }
}

/// Computes losses and gradients; keeps its memory between calls, so that a repeated call
/// allocates nothing.
#[derive(Debug)]
pub struct Criterion {
    config: CriterionConfig,
    matcher: Matcher,
    outcomes: Vec<QueryOutcome>,
    /// One over what the class losses of each layer are divided by.
    inverses: Vec<f64>,
    losses: Losses,
}

impl Criterion {
    /// # Errors
    /// Those of [`CriterionConfig::validate`].
    pub fn new(config: CriterionConfig) -> Result<Criterion> {
        config.validate()?;
        let matcher = Matcher::new(config.matcher())?;
        let (outcomes, inverses) = (Vec::new(), Vec::new());
        Ok(Criterion { config, matcher, outcomes, inverses, losses: Losses::default() })
    }

    /// Matches, and writes the gradients of the total by logits and boxes.
    ///
    /// `boxes_count` is what losses are divided by: in a run of several processes the mean number
    /// of targets of a process, or of the sum of their scores where these are weights. `None` takes
    /// that of this batch. Less than 1 counts as 1.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NonFinite`] and [`Error::InvalidArgument`] with place and
    /// numbers; nothing is written then.
    pub fn evaluate(
        &mut self,
        predictions: &Predictions<'_>,
        targets: &Targets<'_>,
        boxes_count: Option<f32>,
        gradients: &mut Gradients<'_>,
        workers: &Workers,
    ) -> Result<&Losses> {
        check_gradients(predictions.shape(), gradients)?;
        let (logits, boxes) = (&mut *gradients.logits, &mut *gradients.boxes);
        self.evaluate_into(
            predictions,
            targets,
            boxes_count,
            move || Gradients { logits, boxes },
            workers,
        )
    }

    /// [`Criterion::evaluate`] into gradients that are only made once everything else has been
    /// checked, such as a host's memory that holds nothing yet.
    ///
    /// # Errors
    /// As [`Criterion::evaluate`]; `gradients` is called only where there is none, but for sizes
    /// of its own that do not fit.
    pub fn evaluate_into<'a>(
        &mut self,
        predictions: &Predictions<'_>,
        targets: &Targets<'_>,
        boxes_count: Option<f32>,
        gradients: impl FnOnce() -> Gradients<'a>,
        workers: &Workers,
    ) -> Result<&Losses> {
        let shape = predictions.shape();
        if self.config.reads_scores() {
            targets.check_scores()?;
        }
        let boxes_count = match boxes_count {
            Some(count) if !(count >= 0.0 && count.is_finite()) => {
                return Err(Error::invalid("boxes_count", format!("{count} is not in [0, inf)")));
            }
            Some(count) => f64::from(count).max(1.0),
            None => self.own_count(targets).max(1.0),
        };
        self.matcher.run(predictions, targets, workers)?;
        let gradients = gradients();
        check_gradients(shape, &gradients)?;
        let pairs = targets.pairs(shape.queries);
        let term = ClassTerm::new(&self.config);
        self.find_wanted(&term, predictions, targets, boxes_count);
        self.run_classes(&term, predictions, gradients.logits, workers);
        self.losses.boxes_count = boxes_count;
        self.losses.pairs_count = pairs;
        self.losses.unmatched_count = targets.total() - pairs;
        self.losses.layers.clear();
        gradients.boxes.fill(0.0);
        for layer in 0..shape.layers {
            let losses = self.layer(layer, predictions, targets, gradients.boxes);
            self.losses.layers.push(losses);
        }
        self.losses.total = self.losses.layers.iter().map(|layer| self.weighted(layer)).sum();
        Ok(&self.losses)
    }

    /// The pairs that the last successful evaluation was based on.
    pub fn matches(&self) -> &Matches {
        self.matcher.matches()
    }

    /// What the last successful evaluation found.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// The keys.
    pub fn config(&self) -> &CriterionConfig {
        &self.config
    }

    /// Bytes held between calls.
    pub fn memory_bytes(&self) -> usize {
        self.matcher.memory_bytes()
            + self.outcomes.capacity() * size_of::<QueryOutcome>()
            + self.inverses.capacity() * size_of::<f64>()
            + self.losses.layers.capacity() * size_of::<LayerLosses>()
    }

    /// What losses of these targets are divided by.
    fn own_count(&self, targets: &Targets<'_>) -> f64 {
        match self.config.label_score {
            LabelScore::Weight => targets.scores_sum(),
            LabelScore::Ignore | LabelScore::SoftTarget => targets.total() as f64,
        }
    }

    /// Writes down what each query is to say, and what the class losses of each layer are divided by.
    fn find_wanted(
        &mut self,
        term: &ClassTerm,
        predictions: &Predictions<'_>,
        targets: &Targets<'_>,
        boxes_count: f64,
    ) {
        let PredictionsShape { layers, batch, queries, .. } = predictions.shape();
        self.outcomes.resize_with(layers * batch * queries, QueryOutcome::default);
        self.outcomes.iter_mut().for_each(|outcome| outcome.wanted = Wanted::NOTHING);
        self.inverses.clear();
        for layer in 0..layers {
            let (mut pairs, mut weights) = (0, 0.0);
            for (unit, image) in (layer * batch..).zip(0..batch) {
                let (of_image, boxes) = (targets.of_image(image), predictions.boxes_of(unit));
                for (target, query) in self.matcher.matches().units()[unit].pairs() {
                    let wanted = self.wanted(&of_image, target, &boxes[query]);
                    self.outcomes[unit * queries + query].wanted = wanted;
                    pairs += 1;
                    weights += wanted.weight;
                }
            }
            let inverse = term.inverse(boxes_count, weights, batch * queries - pairs);
            self.inverses.push(inverse);
        }
    }

    /// What the query of a target is to say, whose own box is `bounds`.
    fn wanted(&self, targets: &ImageTargets<'_>, target: usize, bounds: &[f32; 4]) -> Wanted {
        let (class, score) = (targets.classes[target], f64::from(targets.score(target)));
        let quality = match self.config.class_target {
            ClassTarget::One => 1.0,
            ClassTarget::Iou => overlap(bounds, &targets.boxes[target]),
        };
        match self.config.label_score {
            LabelScore::Ignore => Wanted { class, probability: quality, weight: 1.0 },
            LabelScore::SoftTarget => Wanted { class, probability: quality * score, weight: 1.0 },
            LabelScore::Weight => Wanted { class, probability: quality, weight: score },
        }
    }

    /// Class losses of all queries, by blocks that do not depend on the workers.
    fn run_classes(
        &self,
        term: &ClassTerm,
        predictions: &Predictions<'_>,
        gradient: &mut [f32],
        workers: &Workers,
    ) {
        let PredictionsShape { batch, queries, classes, .. } = predictions.shape();
        let block_rows = (BLOCK_LOGITS / classes).max(1);
        let units = self.matcher.matches().units();
        workers.for_each_piece(gradient, block_rows * classes, |block, gradient| {
            for (at, gradient) in gradient.chunks_exact_mut(classes).enumerate() {
                let row = block * block_rows + at;
                let (unit, query) = (row / queries, row % queries);
                let logits = &predictions.logits_of(unit)[query * classes..][..classes];
                let outcome = &self.outcomes[row];
                let log_sum = units[unit].log_sums.get(query).copied().unwrap_or(0.0);
                let numbers = (log_sum, self.inverses[unit / batch]);
                let loss = term.query(logits, &outcome.wanted, numbers, gradient);
                outcome.loss.store(loss.to_bits(), Ordering::Relaxed);
                let class = outcome.wanted.class;
                let is_best = class != NO_CLASS && term.is_best(logits, class);
                outcome.is_best.store(is_best, Ordering::Relaxed);
            }
        });
    }

    /// Adds up one layer, and writes the gradients of its matched boxes.
    fn layer(
        &self,
        layer: usize,
        predictions: &Predictions<'_>,
        targets: &Targets<'_>,
        gradient: &mut [f32],
    ) -> LayerLosses {
        let shape = predictions.shape();
        let rows = shape.batch * shape.queries;
        let mut losses = LayerLosses::default();
        let (mut best, mut pairs) = (0, 0);
        for outcome in &self.outcomes[layer * rows..][..rows] {
            losses.class += f64::from_bits(outcome.loss.load(Ordering::Relaxed));
            best += usize::from(outcome.is_best.load(Ordering::Relaxed));
        }
        let inverse = 1.0 / self.losses.boxes_count;
        let l1_scale = f64::from(self.config.l1_weight) * inverse;
        let giou_scale = f64::from(self.config.giou_weight) * inverse;
        for image in 0..shape.batch {
            let unit = layer * shape.batch + image;
            let (predicted, wanted) = (predictions.boxes_of(unit), targets.of_image(image).boxes);
            for (target, query) in self.matcher.matches().units()[unit].pairs() {
                let found = pair_loss(&predicted[query], &wanted[target]);
                let row = unit * shape.queries + query;
                let weight = self.outcomes[row].wanted.weight;
                pairs += 1;
                losses.l1 += found.l1 * weight * inverse;
                losses.giou += found.giou * weight * inverse;
                let own = &mut gradient[row * 4..][..4];
                for (axis, value) in own.iter_mut().enumerate() {
                    let l1 = l1_scale * found.l1_gradient[axis];
                    *value = ((l1 + giou_scale * found.giou_gradient[axis]) * weight) as f32;
                }
            }
        }
        losses.accuracy = if pairs == 0 { 0.0 } else { best as f64 / pairs as f64 };
        losses
    }

    fn weighted(&self, losses: &LayerLosses) -> f64 {
        f64::from(self.config.class_weight) * losses.class
            + f64::from(self.config.l1_weight) * losses.l1
            + f64::from(self.config.giou_weight) * losses.giou
    }
}

/// # Errors
/// [`Error::Shape`] when a gradient does not have the size of what it belongs to.
fn check_gradients(shape: PredictionsShape, gradients: &Gradients<'_>) -> Result<()> {
    let PredictionsShape { layers, batch, queries, classes } = shape;
    for (name, got, last) in [
        ("logits_gradient", gradients.logits.len(), classes),
        ("boxes_gradient", gradients.boxes.len(), 4),
    ] {
        if got != layers * batch * queries * last {
            let expected = format!("[{layers}, {batch}, {queries}, {last}]");
            return Err(Error::shape(name, expected, format!("{got} values")));
        }
    }
    Ok(())
}
