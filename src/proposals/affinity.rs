//! How alike two cells are: the weighted graph whose cuts are the clusters.
//!
//! The patent names no affinity (algorithm.md §1.1), so each published one has a name:
//! `cosine` and `cosine_shifted` are low-rank and never formed (Chen 2018, "scalable spectral
//! clustering with cosine similarity"); `cosine_exp` and `rbf` are the Gaussian of Ng, Jordan and
//! Weiss 2001 on unit and on other vectors; `cosine_minmax` is selfmask's, `binary` TokenCut's.
//! Those that are formed can be limited to cells near each other (`nearness`).

use super::config::{Affinity, ProposalConfig};
use super::features::Features;
use super::grid::Grid;
use super::inner_products::{InnerProducts, computed_columns, mirror};
use super::nearness::Nearness;
use super::numeric::{bytes_of, dot, sized, sum};
use super::pointwise::Pointwise;
use super::row_product::RowView;
use crate::memory::aligned::AlignedFloats;
use crate::workers::Workers;
use crate::{Error, Result};

/// Rows of the affinity in one task.
const ROWS_BLOCK: usize = 64;

/// Memory of [`Graph::build`].
#[derive(Debug)]
pub struct GraphScratch {
    affinity: AlignedFloats,
    scale: Vec<f32>,
    column_sums: Vec<f32>,
    squares: Vec<f32>,
    products: InnerProducts,
    nearness: Nearness,
}

impl Default for GraphScratch {
    fn default() -> GraphScratch {
        GraphScratch {
            affinity: AlignedFloats::zeros(0),
            scale: Vec::new(),
            column_sums: Vec::new(),
            squares: Vec::new(),
            products: InnerProducts::default(),
            nearness: Nearness::default(),
        }
    }
}

impl GraphScratch {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.affinity.memory_bytes()
            + bytes_of(&self.scale)
            + bytes_of(&self.column_sums)
            + bytes_of(&self.squares)
            + self.products.memory_bytes()
            + self.nearness.memory_bytes()
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
    /// The graph over `features`, those of the cells of `grid`, with the configured affinity.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where a cell's degree is not positive, which only `cosine` over
    /// features of mixed signs can give.
    pub fn build<'a>(
        features: Features<'a>,
        (level, grid): (usize, Grid),
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
                scratch
                    .affinity
                    .try_grow(cells.saturating_mul(cells), "affinities of all cells")?;
                let affinity = &mut scratch.affinity.as_mut_slice()[..cells * cells];
                let GraphScratch { products, squares, nearness, .. } = scratch;
                nearness.prepare(grid, config.affinity_reach);
                let memory = (products, squares, &*nearness);
                fill_dense(&features, config, affinity, memory, workers);
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

/// All affinities: inner products on and below the diagonal, the element-wise function there, and
/// the mirror image above.
fn fill_dense(
    features: &Features<'_>,
    config: &ProposalConfig,
    affinity: &mut [f32],
    (products, squares, nearness): (&mut InnerProducts, &mut Vec<f32>, &Nearness),
    workers: &Workers,
) {
    let cells = features.cells;
    let rows = RowView::dense(features.rows, cells, features.columns);
    let apply = |function: Pointwise<'_>, first: usize, band: &mut [f32]| {
        for (offset, row) in band.chunks_exact_mut(cells).enumerate() {
            let computed = computed_columns(cells, first + offset);
            function.apply(first + offset, &mut row[..computed]);
            nearness.apply(first + offset, &mut row[..computed]);
        }
    };
    let function = match config.affinity {
        Affinity::CosineExp => Pointwise::Exponential { sharpness: 1.0 / config.temperature },
        Affinity::Binary => Pointwise::Binary { tau: config.tau },
        Affinity::Rbf => {
            let squares = sized(squares, cells);
            for (cell, square) in squares.iter_mut().enumerate() {
                *square = dot(features.row(cell), features.row(cell));
            }
            Pointwise::Gaussian { sharpness: gaussian_sharpness(features, config), squares }
        }
        // Clamped, and what has to see all products first; the low-rank forms never come here.
        _ => Pointwise::Clamped,
    };
    if config.affinity == Affinity::CosineMinmax {
        products.lower(rows, affinity, workers, |_, _| ());
        let (low, high) = extremes(affinity, cells);
        let function = Pointwise::Stretched { low, range: high - low };
        workers.for_each_piece(affinity, ROWS_BLOCK * cells, |block, band| {
            apply(function, block * ROWS_BLOCK, band);
        });
    } else {
        products.lower(rows, affinity, workers, |first, band| apply(function, first, band));
    }
    mirror(affinity, cells, workers);
}

/// Smallest and largest inner product among those computed.
fn extremes(affinity: &[f32], cells: usize) -> (f32, f32) {
    affinity.chunks_exact(cells).enumerate().fold(
        (f32::INFINITY, f32::NEG_INFINITY),
        |range, (cell, row)| {
            row[..computed_columns(cells, cell)]
                .iter()
                .fold(range, |(low, high), value| (low.min(*value), high.max(*value)))
        },
    )
}

/// 1 / (2 sigma² m), where m is the mean squared distance over all pairs, which is twice the mean
/// square of the centred rows; 0, so that all are alike, where all rows are the same.
fn gaussian_sharpness(features: &Features<'_>, config: &ProposalConfig) -> f32 {
    match features.square > 0.0 {
        true => (1.0 / (4.0 * f64::from(config.sigma).powi(2) * features.square)) as f32,
        false => 0.0,
    }
}
