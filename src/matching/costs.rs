//! What each pair of target and query of one image costs: class, L1 and GIoU (DETR's matcher,
//! Carion et al., ECCV 2020; the focal form is Deformable DETR's).
//!
//! Rows are targets, so that every loop runs over all queries without a gap; only the classes
//! that an image's own targets have are looked at.

use super::config::{ClassLoss, MatcherConfig};
use super::input::ImageTargets;
use crate::kernels::simd::elementary::{Sigmoid, exponential, logarithm, sigmoid};

/// Added to a probability before its logarithm, as Deformable DETR does, so that the cost of a
/// hopeless pair stays finite.
const PROBABILITY_MIN: f32 = 1e-8;

/// The boxes of all queries as corners, one array for each number.
#[derive(Debug, Default)]
struct Corners {
    sides: [Vec<f32>; 4],
    areas: Vec<f32>,
}

/// Computes the costs of one image at a time in memory that it keeps.
#[derive(Debug, Default)]
pub struct PairCosts {
    values: Vec<f32>,
    corners: Corners,
}

/// What one image's queries predict.
#[derive(Debug, Clone, Copy)]
pub struct ImagePredictions<'a> {
    /// `[queries, classes]`.
    pub logits: &'a [f32],
    /// cxcywh, `[queries]`.
    pub boxes: &'a [[f32; 4]],
    /// ln of the sum of exp of each query's logits, `[queries]`; read under softmax only.
    pub log_sums: &'a [f32],
}

impl PairCosts {
    /// The costs `[targets, queries]`.
    pub fn compute(
        &mut self,
        config: &MatcherConfig,
        predictions: &ImagePredictions<'_>,
        targets: &ImageTargets<'_>,
    ) -> &[f32] {
        let queries = predictions.boxes.len();
        self.values.resize(targets.boxes.len() * queries, 0.0);
        if self.values.is_empty() {
            return &self.values;
        }
        self.gather_logits(predictions, targets);
        self.corners.fill(predictions.boxes);
        let rows = self.values.chunks_exact_mut(queries);
        for (row, bounds) in rows.zip(targets.boxes) {
            match config.class_loss {
                ClassLoss::Focal | ClassLoss::Varifocal => focal_costs(row, config),
                ClassLoss::Softmax => softmax_costs(row, predictions.log_sums, config.class_cost),
            }
            add_l1(row, predictions.boxes, bounds, config.l1_cost);
            self.corners.add_giou(row, bounds, config.giou_cost);
        }
        &self.values
    }

    /// Bytes held between calls.
    pub fn memory_bytes(&self) -> usize {
        let sides: usize = self.corners.sides.iter().map(Vec::capacity).sum();
        (self.values.capacity() + sides + self.corners.areas.capacity()) * size_of::<f32>()
    }

    /// Query by query, because each one's logits lie far from the next one's.
    fn gather_logits(&mut self, predictions: &ImagePredictions<'_>, targets: &ImageTargets<'_>) {
        let queries = predictions.boxes.len();
        let classes = predictions.logits.len() / queries;
        for (query, logits) in predictions.logits.chunks_exact(classes).enumerate() {
            for (target, &class) in targets.classes.iter().enumerate() {
                self.values[target * queries + query] = logits[class as usize];
            }
        }
    }
}

/// Turns logits into focal class costs: the loss that the class would have, less the one that it
/// has as background.
fn focal_costs(row: &mut [f32], config: &MatcherConfig) {
    let (alpha, gamma) = (config.focal_alpha, config.focal_gamma);
    let (positive, negative) = (config.class_cost * alpha, config.class_cost * (1.0 - alpha));
    let cost = |yes: f32, no: f32, yes_power: f32, no_power: f32| {
        negative * yes_power * logarithm(no + PROBABILITY_MIN)
            - positive * no_power * logarithm(yes + PROBABILITY_MIN)
    };
    if gamma == 2.0 {
        for value in row {
            let Sigmoid { yes, no, .. } = sigmoid(*value);
            *value = cost(yes, no, yes * yes, no * no);
        }
        return;
    }
    for value in row {
        let Sigmoid { yes, no, yes_loss, no_loss } = sigmoid(*value);
        *value = cost(yes, no, exponential(-gamma * yes_loss), exponential(-gamma * no_loss));
    }
}

/// Turns logits into minus the class's probability.
fn softmax_costs(row: &mut [f32], log_sums: &[f32], weight: f32) {
    for (value, log_sum) in row.iter_mut().zip(log_sums) {
        *value = -weight * exponential(*value - log_sum);
    }
}

fn add_l1(row: &mut [f32], boxes: &[[f32; 4]], target: &[f32; 4], weight: f32) {
    for (value, bounds) in row.iter_mut().zip(boxes) {
        let sides = (bounds[0] - target[0]).abs() + (bounds[1] - target[1]).abs();
        let sizes = (bounds[2] - target[2]).abs() + (bounds[3] - target[3]).abs();
        *value += weight * (sides + sizes);
    }
}

/// cxcywh to x0, y0, x1, y1.
fn corners([x, y, width, height]: [f32; 4]) -> [f32; 4] {
    let (half_width, half_height) = (0.5 * width, 0.5 * height);
    [x - half_width, y - half_height, x + half_width, y + half_height]
}

/// Not `f32::min` and `f32::max`, whose rules for NaN cost more instructions.
fn lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

impl Corners {
    fn fill(&mut self, boxes: &[[f32; 4]]) {
        self.sides.iter_mut().for_each(Vec::clear);
        self.areas.clear();
        for &bounds in boxes {
            let found = corners(bounds);
            for (side, value) in self.sides.iter_mut().zip(found) {
                side.push(value);
            }
            self.areas.push((found[2] - found[0]) * (found[3] - found[1]));
        }
    }

    /// Adds minus the generalised intersection over union (Rezatofighi et al., CVPR 2019).
    fn add_giou(&self, row: &mut [f32], target: &[f32; 4], weight: f32) {
        let target = corners(*target);
        let target_area = (target[2] - target[0]) * (target[3] - target[1]);
        let [left, top, right, bottom] = &self.sides;
        let sides = left.iter().zip(top).zip(right).zip(bottom).zip(&self.areas);
        for (value, ((((&x0, &y0), &x1), &y1), &area)) in row.iter_mut().zip(sides) {
            let width = greater(lesser(x1, target[2]) - greater(x0, target[0]), 0.0);
            let height = greater(lesser(y1, target[3]) - greater(y0, target[1]), 0.0);
            let shared = width * height;
            let union = area + target_area - shared;
            let around = (greater(x1, target[2]) - lesser(x0, target[0]))
                * (greater(y1, target[3]) - lesser(y0, target[1]));
            *value -= weight * (shared / union - (around - union) / around);
        }
    }
}
