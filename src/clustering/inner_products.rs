//! Inner products in f32: a row with itself, and how far rounding may take any of them.

use crate::kernels::simd::{Level, rows};

/// The squared length of a row.
pub(super) fn square(row: &[f32]) -> f32 {
    let mut square = [0.0];
    rows::products(Level::best(), row, row, &[0], &mut square);
    square[0]
}

/// Bound of the rounding errors of an f32 inner product, relative to the product of the lengths:
/// the classical n u / (1 - n u) (Higham, "Accuracy and Stability of Numerical Algorithms" §3.1)
/// with room for the few operations around it.
pub(super) fn rounding_bound(dimensions: usize) -> f32 {
    (dimensions + 16) as f32 * f32::EPSILON
}
