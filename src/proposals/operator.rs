//! Products with the normalised affinity: all that the eigenvector solver asks of a graph.
//!
//! Y = D^-1/2 W D^-1/2 X for a block X of vectors. The scaling is applied to the block and not to
//! W; a low-rank W = F Fᵀ costs two thin products and is never formed.

use super::affinity::{Graph, Weights};
use super::features::Features;
use super::numeric::{bytes_of, sized};
use crate::nn::matrix_product::{Matrix, MatrixMut, Update, product};
use crate::workers::Workers;

/// Memory of [`apply`].
#[derive(Debug, Default)]
pub struct OperatorScratch {
    scaled: Vec<f32>,
    inner: Vec<f32>,
}

impl OperatorScratch {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.scaled) + bytes_of(&self.inner)
    }
}

/// `result` (`[cells, width]`, dense) = D^-1/2 W D^-1/2 `block`, whose rows start `stride`
/// numbers apart.
pub fn apply(
    graph: &Graph<'_>,
    block: &[f32],
    stride: usize,
    width: usize,
    result: &mut [f32],
    scratch: &mut OperatorScratch,
    workers: &Workers,
) {
    let cells = graph.scale.len();
    let scaled = sized(&mut scratch.scaled, cells * width);
    for ((target, source), factor) in
        scaled.chunks_exact_mut(width).zip(block.chunks(stride)).zip(graph.scale)
    {
        for (value, x) in target.iter_mut().zip(source) {
            *value = x * factor;
        }
    }
    let scaled = &*scaled;
    match graph.weights {
        Weights::Dense(affinity) => product(
            MatrixMut::new(result, cells, width),
            Matrix::new(affinity, cells, cells),
            Matrix::new(scaled, cells, width),
            Update::Overwrite,
            workers,
        ),
        Weights::LowRank(features) => {
            thin_products(&features, scaled, width, result, &mut scratch.inner, workers);
        }
        Weights::LowRankShifted(features) => {
            thin_products(&features, scaled, width, result, &mut scratch.inner, workers);
            let sums = sized(&mut scratch.inner, width);
            sums.fill(0.0);
            for row in scaled.chunks_exact(width) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
            for row in result[..cells * width].chunks_exact_mut(width) {
                for (value, sum) in row.iter_mut().zip(&*sums) {
                    *value = 0.5 * (*value + sum);
                }
            }
        }
    }
    for (row, factor) in result.chunks_exact_mut(width).zip(graph.scale) {
        row.iter_mut().for_each(|value| *value *= factor);
    }
}

/// F (Fᵀ X).
fn thin_products(
    features: &Features<'_>,
    block: &[f32],
    width: usize,
    result: &mut [f32],
    inner: &mut Vec<f32>,
    workers: &Workers,
) {
    let (cells, columns) = (features.cells, features.columns);
    let inner = sized(inner, columns * width);
    let rows = Matrix::new(features.rows, cells, columns);
    product(
        MatrixMut::new(inner, columns, width),
        rows.transposed(),
        Matrix::new(block, cells, width),
        Update::Overwrite,
        workers,
    );
    product(
        MatrixMut::new(result, cells, width),
        rows,
        Matrix::new(inner, columns, width),
        Update::Overwrite,
        workers,
    );
}
