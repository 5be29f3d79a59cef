//! Rough scores from an f32 matrix product, for processors without fast 8-bit products.
//!
//! They are rough only by the rounding of the product, so hardly a centroid but the best is left.

use super::centroids::{Centroids, distinct, squared_length};
use super::contest::Contest;
use super::inner_products::rounding_bound;
use crate::kernels::matrix_product::{Matrix, MatrixMut, Update, product};
use crate::workers::Workers;

/// Classes scored at once.
const CLASSES: usize = 256;

/// Centroids without their duplicates.
pub(super) struct F32Filter {
    classes: Vec<u32>,
    /// `[classes, dimensions]`.
    values: Vec<f32>,
    biases: Vec<f32>,
    dimensions: usize,
    length_max: f32,
    bias_max: f32,
    /// Slabs are shared among the workers; inside of one there is its thread alone.
    alone: Workers,
}

impl F32Filter {
    /// Bytes for so many centroids.
    pub fn memory_bytes(classes: usize, dimensions: usize) -> usize {
        classes * (dimensions + 2) * 4
    }

    /// Bytes for the scores of `count` vectors.
    pub fn scratch_bytes(count: usize) -> usize {
        count * CLASSES * 4
    }

    /// Gathers the centroids; `biases` are theirs.
    pub fn new(centroids: &Centroids, biases: &[f32]) -> F32Filter {
        let classes = distinct(centroids);
        let rows = classes.iter().map(|class| centroids.row(*class as usize));
        let length_max = rows.clone().map(squared_length).fold(0.0, f64::max).sqrt() as f32;
        let biases: Vec<f32> = classes.iter().map(|class| biases[*class as usize]).collect();
        F32Filter {
            values: rows.flatten().copied().collect(),
            dimensions: centroids.dimensions(),
            bias_max: biases.iter().fold(0.0, |max, bias| bias.abs().max(max)),
            length_max,
            biases,
            classes,
            alone: Workers::caller(),
        }
    }

    /// Says how wrong the scores of `vectors` can be.
    pub fn prepare(&self, vectors: &[f32], contest: &mut Contest) {
        let rounding = rounding_bound(self.dimensions);
        for (row, vector) in vectors.chunks_exact(self.dimensions).enumerate() {
            let lengths = squared_length(vector).sqrt() as f32 * self.length_max;
            contest.slacks[row] = (2.0 * lengths + self.bias_max) * rounding;
            contest.spans[row] = 2.0 * contest.slacks[row];
        }
    }

    /// Offers every centroid that may be the best to `contest`.
    pub fn scan(&self, vectors: &[f32], scores: &mut Vec<f32>, contest: &mut Contest) {
        let count = contest.thresholds.len();
        let vectors = Matrix::new(vectors, count, self.dimensions);
        for first in (0..self.classes.len()).step_by(CLASSES) {
            let classes = CLASSES.min(self.classes.len() - first);
            let values = &self.values[first * self.dimensions..][..classes * self.dimensions];
            let values = Matrix::new(values, classes, self.dimensions).transposed();
            scores.resize(count * classes, 0.0);
            let output = MatrixMut::new(scores, count, classes);
            product(output, vectors, values, Update::Overwrite, &self.alone);
            for (row, scores) in scores.chunks_exact(classes).enumerate() {
                for (column, score) in scores.iter().enumerate() {
                    let score = score + self.biases[first + column];
                    if score > contest.thresholds[row] {
                        contest.offer(row, self.classes[first + column], score);
                    }
                }
            }
        }
    }
}
