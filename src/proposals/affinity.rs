//! How alike two cells are: the weighted graph whose cuts are the clusters.
//!
//! The patent names no affinity (algorithm.md §1.1), so each published one has a name:
//! `cosine` and `cosine_shifted` are low-rank and never formed (Chen 2018, "scalable spectral
//! clustering with cosine similarity"); `cosine_exp` and `rbf` are the Gaussian of Ng, Jordan and
//! Weiss 2001 on unit and on other vectors; `cosine_minmax` is selfmask's, `binary` TokenCut's.

use super::config::{Affinity, ProposalConfig};
use super::features::Features;
use super::numeric::{bytes_of, dot, exponential, sized, sum};
use super::row_product::{RowProduct, RowView};
use crate::workers::Workers;
use crate::{Error, Result};

/// Rows of the affinity in one task.
const ROWS_BLOCK: usize = 64;
/// Columns of the affinity that are computed together; only blocks on and below the diagonal are.
const AFFINITY_BLOCK: usize = 192;
/// What `binary` gives to pairs under `tau`, so that the graph stays connected (TokenCut).
const BINARY_LOW: f32 = 1e-5;

/// Memory of [`Graph::build`].
#[derive(Debug, Default)]
pub struct GraphScratch {
    affinity: Vec<f32>,
    scale: Vec<f32>,
    column_sums: Vec<f32>,
    product: RowProduct,
}

impl GraphScratch {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.affinity)
            + bytes_of(&self.scale)
            + bytes_of(&self.column_sums)
            + self.product.memory_bytes()
    }
}

/// How the affinity W is held.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// W = F Fᵀ, never formed.
    LowRank(Features<'a>),
    /// W = (1 1ᵀ + F Fᵀ) / 2, never formed.
    LowRankShifted(Features<'a>),
    /// W itself, `[cells, cells]`.
    Dense(&'a [f32]),
}

/// The normalised affinity D^-1/2 W D^-1/2 of one map.
#[derive(Debug, Clone, Copy)]
pub struct Graph<'a> {
    pub weights: Weights<'a>,
    /// D^-1/2, one number for each cell.
    pub scale: &'a [f32],
}

impl Graph<'_> {
    /// The graph over `features` with the configured affinity.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where a cell's degree is not positive, which only `cosine` over
    /// features of mixed signs can give.
    pub fn build<'a>(
        features: Features<'a>,
        level: usize,
        config: &ProposalConfig,
        scratch: &'a mut GraphScratch,
        workers: &Workers,
    ) -> Result<Graph<'a>> {
        let cells = features.cells;
        let scale = sized(&mut scratch.scale, cells);
        let weights = match config.affinity {
            Affinity::Cosine | Affinity::CosineShifted => {
                let shifted = config.affinity == Affinity::CosineShifted;
                let sums = &mut scratch.column_sums;
                low_rank_degrees(&features, shifted, sums, scale, workers);
                if shifted { Weights::LowRankShifted(features) } else { Weights::LowRank(features) }
            }
            _ => {
                let affinity = sized(&mut scratch.affinity, cells * cells);
                fill_dense(&features, config, affinity, &mut scratch.product, workers);
                workers.for_each_piece(scale, ROWS_BLOCK, |block, part| {
                    for (offset, degree) in part.iter_mut().enumerate() {
                        let from = (block * ROWS_BLOCK + offset) * cells;
                        *degree = sum(&affinity[from..from + cells]) as f32;
                    }
                });
                Weights::Dense(affinity)
            }
        };
        for (cell, degree) in scale.iter_mut().enumerate() {
            // Every cell is like itself, so a degree this small means negative affinities.
            if *degree <= 1e-3 {
                return Err(Error::invalid(
                    format!("map {level}"),
                    format!(
                        "cell {cell} has degree {degree}: `cosine` needs non-negative features; \
                         use `cosine_shifted` or `cosine_exp`"
                    ),
                ));
            }
            *degree = 1.0 / degree.sqrt();
        }
        Ok(Graph { weights, scale })
    }
}

/// Row sums of F Fᵀ or (1 1ᵀ + F Fᵀ) / 2: each is one product with the sum of all rows.
fn low_rank_degrees(
    features: &Features<'_>,
    shifted: bool,
    sums: &mut Vec<f32>,
    degrees: &mut [f32],
    workers: &Workers,
) {
    let (cells, columns) = (features.cells, features.columns);
    let sums = sized(sums, cells.div_ceil(ROWS_BLOCK) * columns);
    workers.for_each_piece(sums, columns, |block, part| {
        part.fill(0.0);
        for cell in block * ROWS_BLOCK..cells.min((block + 1) * ROWS_BLOCK) {
            part.iter_mut().zip(features.row(cell)).for_each(|(sum, value)| *sum += value);
        }
    });
    let (total, others) = sums.split_at_mut(columns);
    for part in others.chunks_exact(columns) {
        total.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    let total = &*total;
    workers.for_each_piece(degrees, ROWS_BLOCK, |block, part| {
        for (offset, degree) in part.iter_mut().enumerate() {
            let along = dot(features.row(block * ROWS_BLOCK + offset), total);
            *degree = if shifted { 0.5 * (cells as f32 + along) } else { along };
        }
    });
}

/// All affinities: inner products of the blocks on and below the diagonal, the element-wise
/// function there, and the mirror image above.
fn fill_dense(
    features: &Features<'_>,
    config: &ProposalConfig,
    affinity: &mut [f32],
    product: &mut RowProduct,
    workers: &Workers,
) {
    let (cells, columns) = (features.cells, features.columns);
    for from in (0..cells).step_by(AFFINITY_BLOCK) {
        let width = AFFINITY_BLOCK.min(cells - from);
        product
            .load(columns, width, |channel, cell| features.rows[(from + cell) * columns + channel]);
        let rows = RowView::dense(&features.rows[from * columns..], cells - from, columns);
        product.multiply(rows, &mut affinity[from * cells + from..], cells, workers);
    }
    let computed = |row: usize| cells.min((row / AFFINITY_BLOCK + 1) * AFFINITY_BLOCK);
    let (low, high) = match config.affinity {
        Affinity::CosineMinmax => extremes(affinity, cells, &computed),
        _ => (0.0, 0.0),
    };
    let squared_lengths = |cell: usize| dot(features.row(cell), features.row(cell));
    workers.for_each_piece(affinity, ROWS_BLOCK * cells, |block, part| {
        for (offset, row) in part.chunks_exact_mut(cells).enumerate() {
            let cell = block * ROWS_BLOCK + offset;
            let row = &mut row[..computed(cell)];
            match config.affinity {
                Affinity::CosineExp => {
                    let sharpness = 1.0 / config.temperature;
                    row.iter_mut().for_each(|x| *x = exponential((*x - 1.0).min(0.0) * sharpness));
                }
                Affinity::CosineMinmax if high > low => {
                    row.iter_mut().for_each(|x| *x = (*x - low) / (high - low));
                }
                Affinity::CosineMinmax => row.fill(1.0),
                Affinity::Binary => {
                    row.iter_mut().for_each(|x| *x = if *x > config.tau { 1.0 } else { BINARY_LOW })
                }
                Affinity::Rbf => gaussian(row, cell, features, config.sigma, &squared_lengths),
                // Clamped; the low-rank forms never come here.
                _ => row.iter_mut().for_each(|x| *x = x.max(0.0)),
            }
        }
    });
    mirror(affinity, cells);
}

/// Smallest and largest inner product among those computed.
fn extremes(affinity: &[f32], cells: usize, computed: &impl Fn(usize) -> usize) -> (f32, f32) {
    affinity.chunks_exact(cells).enumerate().fold(
        (f32::INFINITY, f32::NEG_INFINITY),
        |range, (cell, row)| {
            row[..computed(cell)]
                .iter()
                .fold(range, |(low, high), value| (low.min(*value), high.max(*value)))
        },
    )
}

/// exp(-d² / (2 sigma² m)) where d is the distance of two cells and m the mean of d² over all
/// pairs, which is twice their mean square once centred.
fn gaussian(
    row: &mut [f32],
    cell: usize,
    features: &Features<'_>,
    sigma: f32,
    squared_length: &impl Fn(usize) -> f32,
) {
    if features.square == 0.0 {
        row.fill(1.0);
        return;
    }
    let sharpness = (1.0 / (4.0 * f64::from(sigma).powi(2) * features.square)) as f32;
    let mine = squared_length(cell);
    for (other, value) in row.iter_mut().enumerate() {
        let distance = (mine + squared_length(other) - 2.0 * *value).max(0.0);
        *value = exponential(-distance * sharpness);
    }
}

/// Copies what lies below the diagonal blocks to above them, in squares that fit the cache.
fn mirror(matrix: &mut [f32], size: usize) {
    const SQUARE: usize = 32;
    for row_block in (0..size).step_by(SQUARE) {
        let computed_to = row_block / AFFINITY_BLOCK * AFFINITY_BLOCK;
        for column_block in (0..computed_to).step_by(SQUARE) {
            for row in row_block..size.min(row_block + SQUARE) {
                for column in column_block..column_block + SQUARE {
                    matrix[column * size + row] = matrix[row * size + column];
                }
            }
        }
    }
}
