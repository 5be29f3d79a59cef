//! Where the samples of deformable attention lie: the four cells around each, and their weights.
//!
//! Bilinear, zeros outside, the centre of the first cell at half a cell (`align_corners=False`).
//! All samples of a query and head are worked out together, in the lanes of vector registers.

use crate::kernels::simd::bilinear::{CORNERS, SAMPLES};
use crate::nn::cpu::Real;

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

/// One axis of all samples: the two cells beside each coordinate, whether they are inside (1 or 0),
/// and the second's share.
#[derive(Clone, Copy)]
struct Axis<T> {
    cells: [Lanes<T>; 2],
    inside: [Lanes<T>; 2],
    share: Lanes<T>,
}

/// `locations` in [0, 1] on sides of `lengths` cells.
#[inline(always)]
fn axis<T: Real>(locations: &Lanes<T>, lengths: &Lanes<T>) -> Axis<T> {
    let zeros = [T::ZERO; SAMPLES];
    let mut axis = Axis { cells: [zeros; 2], inside: [zeros; 2], share: zeros };
    for sample in 0..SAMPLES {
        let at = locations[sample] * lengths[sample] - T::from_f64(0.5);
        let first = at.floor();
        axis.share[sample] = at - first;
        axis.cells[0][sample] = first;
        axis.cells[1][sample] = first + T::ONE;
    }
    for (cells, inside) in axis.cells.iter_mut().zip(&mut axis.inside) {
        for sample in 0..SAMPLES {
            let (cell, last) = (cells[sample], lengths[sample] - T::ONE);
            // Comparisons with NaN are false: it becomes the first cell and counts as inside, so
            // that the weight carries it on.
            let low = if cell > T::ZERO { cell } else { T::ZERO };
            cells[sample] = if low > last { last } else { low };
            let reached = if cell < T::ZERO { T::ZERO } else { T::ONE };
            inside[sample] = if cell > last { T::ZERO } else { reached };
        }
    }
    axis
}

/// The numbers of up to [`SAMPLES`] samples; `rest` for those that there are not.
#[inline(always)]
pub(super) fn lanes<N: Copy>(numbers: &[N], rest: N) -> [N; SAMPLES] {
    match numbers.first_chunk() {
        Some(all) => *all,
        None => {
            let mut lanes = [rest; SAMPLES];
            lanes[..numbers.len()].copy_from_slice(numbers);
            lanes
        }
    }
}

impl<T: Real> Corners<T> {
    /// The corners of samples at `locations`, x and y of each.
    #[inline(always)]
    pub fn new(maps: &Maps<T>, locations: &[[T; 2]]) -> Corners<T> {
        let at = lanes(locations, [T::ZERO; 2]);
        let zeros = [T::ZERO; SAMPLES];
        let [mut across, mut down] = [zeros; 2];
        for sample in 0..SAMPLES {
            [across[sample], down[sample]] = at[sample];
        }
        let (x, y) = (axis(&across, &maps.widths), axis(&down, &maps.heights));
        let mut corners = Corners {
            cells: [[0u32; SAMPLES]; CORNERS],
            weights: [zeros; CORNERS],
            shares: [x.share, y.share],
            inside: [zeros; CORNERS],
        };
        for corner in 0..CORNERS {
            let (row, column) = (corner / 2, corner % 2);
            for sample in 0..SAMPLES {
                let (x_share, y_share) = (x.share[sample], y.share[sample]);
                let across = if column == 0 { T::ONE - x_share } else { x_share };
                let down = if row == 0 { T::ONE - y_share } else { y_share };
                let inside = x.inside[column][sample] * y.inside[row][sample];
                let rows = y.cells[row][sample] * maps.widths[sample];
                let cell = maps.starts[sample] + rows + x.cells[column][sample];
                corners.cells[corner][sample] = cell.whole();
                corners.weights[corner][sample] =
                    if inside > T::ZERO { across * down } else { T::ZERO };
                corners.inside[corner][sample] = inside;
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
        let factors = lanes(weights, T::ZERO);
        let mut shares = [[T::ZERO; SAMPLES]; CORNERS];
        for (shares, weights) in shares.iter_mut().zip(&self.weights) {
            for sample in 0..SAMPLES {
                shares[sample] = weights[sample] * factors[sample];
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
