//! The vector of a region: the mean of the encoder's first map over it (patent ¶33: of the last
//! layer, also for regions of other maps, so that all vectors have one length).
//!
//! Cells of the masks' grid count with the area that they share with the cells of the first map.
//! All regions are pooled by one matrix product, `[regions, cells] x [cells, channels]`.

use super::features::Standardisation;
use super::grid::Grid;
use super::numeric::{bytes_of, dot, normalise, sized};
use super::regions::Regions;
use super::row_product::{RowProduct, RowView};
use crate::data::feature_map::FeatureMapView;
use crate::geometry::BoundingBox;
use crate::workers::Workers;

/// Memory of [`pool`].
#[derive(Debug, Default)]
pub struct PoolingScratch {
    weights: Vec<f32>,
    product: RowProduct,
}

impl PoolingScratch {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.weights) + self.product.memory_bytes()
    }
}

/// Standardised vectors have lengths around 1; what rounding leaves of the image's mean is shorter.
const NOISE_SQUARED: f32 = 1e-9;

/// Fills `pooled` and `compared` of every region.
///
/// Filters compare vectors as the affinity does, standardised; pooling is linear, so the pooled
/// vectors can be. The pooled vectors themselves stay what the encoder gave.
pub fn pool(
    map: &FeatureMapView<'_>,
    standardisation: &Standardisation,
    regions: &mut Regions,
    scratch: &mut PoolingScratch,
    workers: &Workers,
) {
    let (count, cells, channels) = (regions.count(), map.cells(), map.channels);
    let target = Grid { height: map.height, width: map.width };
    let weights = sized(&mut scratch.weights, count * cells);
    for (region, row) in weights.chunks_exact_mut(cells).enumerate() {
        mask_weights(regions.mask(region), regions.grid, target, row);
    }
    regions.pooled.resize(count * channels, 0.0);
    let product = &mut scratch.product;
    product.load(cells, channels, |cell, channel| map.values[cell * channels + channel]);
    let rows = RowView::dense(weights, count, cells);
    product.multiply(rows, &mut regions.pooled, channels, workers);
    regions.compared.resize(count * channels, 0.0);
    let rows = regions.compared.chunks_exact_mut(channels);
    for (row, pooled) in rows.zip(regions.pooled.chunks_exact(channels)) {
        standardisation.apply(pooled, row);
        if dot(row, row) <= NOISE_SQUARED {
            row.fill(0.0);
        }
        normalise(row);
    }
}

/// Shares of a mask's area in the cells of another grid; they sum to 1.
fn mask_weights(mask: &[u64], grid: Grid, target: Grid, weights: &mut [f32]) {
    weights.fill(0.0);
    let mut total = 0.0f64;
    for (index, &word) in mask.iter().enumerate() {
        let mut bits = word;
        while bits != 0 {
            let cell = index * 64 + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let (row, column) = ((cell / grid.width) as f64, (cell % grid.width) as f64);
            let (tall, wide) = (grid.height as f64, grid.width as f64);
            let share = [column / wide, row / tall, (column + 1.0) / wide, (row + 1.0) / tall];
            total += add_rectangle(share, target, weights);
        }
    }
    if total > 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= total as f32);
    }
}

/// Adds the area (in cells) that a rectangle, given in shares of the image, has in each cell.
fn add_rectangle(share: [f64; 4], grid: Grid, weights: &mut [f32]) -> f64 {
    let spans = |from: f64, to: f64, cells: usize| {
        let (from, to) = (from * cells as f64, to * cells as f64);
        // Rounding must not reach into the next cell.
        let first = (from + 1e-9).floor() as usize;
        let last = ((to - 1e-9).ceil() as usize).min(cells);
        (first..last).map(move |cell| {
            let overlap = to.min((cell + 1) as f64) - from.max(cell as f64);
            (cell, overlap.max(0.0))
        })
    };
    let mut total = 0.0;
    for (row, tall) in spans(share[1], share[3], grid.height) {
        for (column, wide) in spans(share[0], share[2], grid.width) {
            weights[row * grid.width + column] += (tall * wide) as f32;
            total += tall * wide;
        }
    }
    total
}

/// The mean of a map over a box of the original image (`width` x `height` pixels), written to
/// `vector` (`map.channels` numbers): box pooling, as Selective Search uses it.
///
/// Cells count with the area that the box covers of them; a box without area answers zeros.
pub fn pool_box(
    map: &FeatureMapView<'_>,
    bounds: &BoundingBox,
    width: usize,
    height: usize,
    vector: &mut [f32],
    weights: &mut Vec<f32>,
) {
    let share = [
        f64::from(bounds[0]) / width as f64,
        f64::from(bounds[1]) / height as f64,
        f64::from(bounds[2]) / width as f64,
        f64::from(bounds[3]) / height as f64,
    ]
    .map(|value| value.clamp(0.0, 1.0));
    let weights = sized(weights, map.cells());
    weights.fill(0.0);
    let total = add_rectangle(share, Grid { height: map.height, width: map.width }, weights);
    vector.fill(0.0);
    for (cell, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        for (sum, value) in vector.iter_mut().zip(map.cell(cell)) {
            *sum += weight / total as f32 * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proposals::config::{Center, ProposalConfig, Scale};

    const MAP: FeatureMapView<'static> = FeatureMapView {
        values: &[1.0, 0.0, 2.0, 0.0, 3.0, 0.0, 4.0, 8.0],
        height: 2,
        width: 2,
        channels: 2,
    };

    fn regions_of(grid: Grid, masks: &[u64]) -> Regions {
        let mut regions = Regions::default();
        regions.clear(grid, 2);
        for mask in masks {
            regions.push([0.0, 0.0, 1.0, 1.0], 0.5, 0, 2);
            let last = regions.masks.len() - 1;
            regions.masks[last] = *mask;
        }
        regions
    }

    fn pool_all(regions: &mut Regions, center: Center) {
        let workers = Workers::caller();
        let config = ProposalConfig { center, scale: Scale::None, ..ProposalConfig::default() };
        let mut standardisation = Standardisation::default();
        standardisation.measure(&MAP, &[], &config, &workers);
        pool(&MAP, &standardisation, regions, &mut PoolingScratch::default(), &workers);
    }

    #[test]
    fn cells_of_a_finer_grid_count_with_their_area() {
        // A 4x4 grid over a 2x2 map: three cells over the first, one over the last.
        let mut regions = regions_of(Grid { height: 4, width: 4 }, &[0b1000_0000_0001_0011]);
        pool_all(&mut regions, Center::None);
        assert_eq!(regions.pooled, [1.75, 2.0]);
    }

    #[test]
    fn a_grid_of_another_ratio_splits_its_cells() {
        // The middle cell of three lies half in each of two columns.
        let mut regions = regions_of(Grid { height: 1, width: 3 }, &[0b010]);
        pool_all(&mut regions, Center::None);
        assert!((regions.pooled[0] - 2.5).abs() < 1e-6 && (regions.pooled[1] - 2.0).abs() < 1e-6);
    }

    #[test]
    fn the_whole_image_has_no_direction_once_its_mean_is_gone() {
        let mut regions = regions_of(Grid { height: 2, width: 2 }, &[0b1111, 0b0001]);
        pool_all(&mut regions, Center::Image);
        assert_eq!(regions.compared[..2], [0.0, 0.0]);
        assert!((regions.similarity(1, 1) - 1.0).abs() < 1e-6);
        assert_eq!(regions.similarity(0, 1), 0.0);
        assert_eq!(regions.pooled[..2], [2.5, 2.0]);
    }

    #[test]
    fn a_box_takes_parts_of_cells() {
        let (mut vector, mut weights) = ([0.0; 2], Vec::new());
        pool_box(&MAP, &[0.0, 0.0, 7.5, 5.0], 10, 10, &mut vector, &mut weights);
        assert!((vector[0] - (5.0 * 1.0 + 2.5 * 2.0) / 7.5).abs() < 1e-6);
        pool_box(&MAP, &[3.0, 3.0, 3.0, 9.0], 10, 10, &mut vector, &mut weights);
        assert_eq!(vector, [0.0, 0.0]);
    }
}
