//! Where the samples of deformable attention lie: the four cells around each, and their weights.
//!
//! Bilinear, zeros outside, the centre of the first cell at half a cell (`align_corners=False`).
//! All samples of a query and head are worked out together, in the lanes of vector registers.

use crate::nn::operation::Real;
use crate::nn::simd::bilinear::{CORNERS, SAMPLES};

/// A number for every sample.
type Lanes<T> = [T; SAMPLES];

/// Sides of the maps that up to [`SAMPLES`] samples are taken from, and where the maps start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maps<T> {
    heights: Lanes<T>,
    widths: Lanes<T>,
    /// Cells of all levels before.
    starts: Lanes<T>,
    /// Samples in use; the others lie on a map of one cell.
    pub count: usize,
}

impl<T: Real> Maps<T> {
    /// The maps of samples `first..first + SAMPLES` of a query and head, `points` on each level.
    /// None when there are no such samples.
    pub fn new(levels: &[(usize, usize)], points: usize, first: usize) -> Option<Maps<T>> {
        let number = |value: usize| T::from_f64(value as f64);
        let [heights, widths] = [[T::ONE; SAMPLES]; 2];
        let mut maps = Maps { heights, widths, starts: [T::ZERO; SAMPLES], count: 0 };
        for sample in first..(levels.len() * points).min(first + SAMPLES) {
            let (height, width) = levels[sample / points];
            let before = &levels[..sample / points];
            maps.heights[maps.count] = number(height);
            maps.widths[maps.count] = number(width);
            maps.starts[maps.count] = number(before.iter().map(|(h, w)| h * w).sum());
            maps.count += 1;
        }
        (maps.count > 0).then_some(maps)
    }
}

/// The cells around some samples: top left, top right, bottom left, bottom right of each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Corners<T> {
    /// Numbers of the cells among all levels; of the nearest one for corners outside the map.
    pub cells: [Lanes<u32>; CORNERS],
    /// Bilinear weights; 0 outside the map.
    pub weights: [Lanes<T>; CORNERS],
    /// Shares of the right and of the lower cells.
    shares: [Lanes<T>; 2],
    /// 1 inside the map and 0 outside.
    inside: [Lanes<T>; CORNERS],
}

/// What the gradient of the output says about some samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct SampleGradients<T> {
    /// For the attention weights.
    pub weights: Lanes<T>,
    /// For the locations, x and y, before the attention weights are multiplied in.
    pub locations: [Lanes<T>; 2],
}

/// One axis: the two cells beside a coordinate, whether they are inside, and the second's share.
#[derive(Clone, Copy)]
struct Axis<T> {
    cells: [T; 2],
    inside: [bool; 2],
    share: T,
}

/// `location` in [0, 1] on a side of `length` cells.
#[inline(always)]
fn axis<T: Real>(location: T, length: T) -> Axis<T> {
    let at = location * length - T::from_f64(0.5);
    let first = at.floor();
    let last = length - T::ONE;
    // Comparisons with NaN are false: it becomes the first cell and counts as inside, so that the
    // weight carries it on.
    let clamp = |cell: T| {
        let low = if cell > T::ZERO { cell } else { T::ZERO };
        if low > last { last } else { low }
    };
    let outside = |cell: T| (cell < T::ZERO) | (cell > last);
    let second = first + T::ONE;
    Axis {
        cells: [clamp(first), clamp(second)],
        inside: [!outside(first), !outside(second)],
        share: at - first,
    }
}

impl<T: Real> Corners<T> {
    /// The corners of samples at `locations`, x and y of each.
    #[inline(always)]
    pub fn new(maps: &Maps<T>, locations: &[[T; 2]]) -> Corners<T> {
        let mut at = [[T::ZERO; 2]; SAMPLES];
        at[..locations.len()].copy_from_slice(locations);
        let mut corners = Corners {
            cells: [[0u32; SAMPLES]; CORNERS],
            weights: [[T::ZERO; SAMPLES]; CORNERS],
            shares: [[T::ZERO; SAMPLES]; 2],
            inside: [[T::ZERO; SAMPLES]; CORNERS],
        };
        for (sample, [x, y]) in at.into_iter().enumerate() {
            let x = axis(x, maps.widths[sample]);
            let y = axis(y, maps.heights[sample]);
            corners.shares[0][sample] = x.share;
            corners.shares[1][sample] = y.share;
            let across = [T::ONE - x.share, x.share];
            let down = [T::ONE - y.share, y.share];
            for corner in 0..CORNERS {
                let (row, column) = (corner / 2, corner % 2);
                let inside = x.inside[column] & y.inside[row];
                let weight = across[column] * down[row];
                let cell =
                    maps.starts[sample] + y.cells[row] * maps.widths[sample] + x.cells[column];
                corners.cells[corner][sample] = cell.whole();
                corners.weights[corner][sample] = if inside { weight } else { T::ZERO };
                corners.inside[corner][sample] = if inside { T::ONE } else { T::ZERO };
            }
        }
        corners
    }

    /// The gradients of every sample, from the inner products of the output's gradient with the
    /// values of the corners.
    #[inline(always)]
    pub fn gradients(&self, maps: &Maps<T>, products: &[Lanes<T>; CORNERS]) -> SampleGradients<T> {
        let mut found =
            SampleGradients { weights: [T::ZERO; SAMPLES], locations: [[T::ZERO; SAMPLES]; 2] };
        for sample in 0..SAMPLES {
            let mut inside = [T::ZERO; CORNERS];
            let mut sum = T::ZERO;
            for (corner, product) in products.iter().enumerate() {
                let product = product[sample];
                inside[corner] = self.inside[corner][sample] * product;
                sum += self.weights[corner][sample] * product;
            }
            let [a, b, c, d] = inside;
            let (x, y) = (self.shares[0][sample], self.shares[1][sample]);
            let across = (T::ONE - y) * (b - a) + y * (d - c);
            let down = (T::ONE - x) * (c - a) + x * (d - b);
            found.weights[sample] = sum;
            found.locations[0][sample] = across * maps.widths[sample];
            found.locations[1][sample] = down * maps.heights[sample];
        }
        found
    }

    /// The weights of the corners times those of the samples; 0 for samples without one.
    #[inline(always)]
    pub fn weighted(&self, weights: &[T]) -> [Lanes<T>; CORNERS] {
        let mut factors = [T::ZERO; SAMPLES];
        factors[..weights.len()].copy_from_slice(weights);
        let mut shares = self.weights;
        for shares in &mut shares {
            for (share, factor) in shares.iter_mut().zip(factors) {
                *share *= factor;
            }
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corners(locations: &[[f64; 2]]) -> Corners<f64> {
        // One cell, then two rows of three.
        Corners::new(&Maps::new(&[(1, 1), (2, 3)], 3, 3).unwrap(), locations)
    }

    #[test]
    fn a_sample_at_a_centre_has_one_cell() {
        let found = corners(&[[0.5, 0.25], [0.5, 0.75]]);
        assert_eq!([found.cells[0][0], found.cells[0][1]], [2, 5]);
        assert_eq!(found.weights.map(|weights| weights[0]), [1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn between_centres_and_over_the_edge_weights_are_shared() {
        let found = corners(&[[1.0 / 3.0, 0.5], [0.0, 0.0], [2.0, -7.0]]);
        assert_eq!(found.cells.map(|cells| cells[0]), [1, 2, 4, 5]);
        for weights in found.weights {
            assert!((weights[0] - 0.25).abs() < 1e-12);
        }
        assert_eq!(found.weights.map(|weights| weights[1]), [0.0, 0.0, 0.0, 0.25]);
        assert_eq!(found.weights.map(|weights| weights[2]), [0.0; 4]);
        assert!(found.cells.iter().flatten().all(|cell| (0..7).contains(cell)));
    }

    #[test]
    fn endless_locations_weigh_nothing_and_nan_stays() {
        let found = corners(&[[f64::INFINITY, 0.5], [f64::NAN, 0.5]]);
        assert_eq!(found.weights.map(|weights| weights[0]), [0.0; 4]);
        assert!(found.weights.iter().all(|weights| weights[1].is_nan()));
        assert!(found.cells.iter().flatten().all(|cell| (0..7).contains(cell)));
    }
}
