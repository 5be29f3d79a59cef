//! Inner products of the columns of a tall matrix, in f64: what Cholesky QR factors.

use super::lanes::Lanes;
use super::{Level, dispatch};

/// Columns of the left factor in one tile, and of the right one.
const TILE: (usize, usize) = (4, 8);

/// `gram[i, j]` = the sum over rows of `matrix[row, i] * matrix[row, j]`, products and sums in
/// f64; `matrix` is `[rows, width]`, `gram` `[width, width]`.
///
/// # Panics
/// When `matrix` is not whole rows or `gram` has another size.
pub fn gram(matrix: &[f32], width: usize, gram: &mut [f64], level: Level) {
    assert!(width > 0 && matrix.len().is_multiple_of(width), "{} by {width}", matrix.len());
    assert_eq!(gram.len(), width * width);
    dispatch!(level, gram_tiles(matrix: &[f32], width: usize, gram: &mut [f64]));
}

/// # Safety
/// None of its own; the level's instructions are enabled around it.
#[inline(always)]
unsafe fn gram_tiles<L: Lanes>(matrix: &[f32], width: usize, gram: &mut [f64]) {
    for left in (0..width).step_by(TILE.0) {
        let lefts = TILE.0.min(width - left);
        for right in (0..width).step_by(TILE.1) {
            let rights = TILE.1.min(width - right);
            let mut sums = [[0.0f64; TILE.1]; TILE.0];
            for row in matrix.chunks_exact(width) {
                let (a, b) = (entries::<{ TILE.0 }>(row, left), entries::<{ TILE.1 }>(row, right));
                for i in 0..TILE.0 {
                    for j in 0..TILE.1 {
                        sums[i][j] += a[i] * b[j];
                    }
                }
            }
            for (i, sums) in sums[..lefts].iter().enumerate() {
                let from = (left + i) * width + right;
                gram[from..from + rights].copy_from_slice(&sums[..rights]);
            }
        }
    }
}

/// The entries of a row from `first` on, zeros past its end.
#[inline(always)]
fn entries<const COUNT: usize>(row: &[f32], first: usize) -> [f64; COUNT] {
    match row[first..].first_chunk::<COUNT>() {
        Some(chunk) => chunk.map(f64::from),
        None => std::array::from_fn(|i| row.get(first + i).map_or(0.0, |x| f64::from(*x))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_and_width_agrees_with_plain_sums() {
        for width in [1, 3, 8, 13, 16] {
            let matrix: Vec<f32> = (0..50 * width).map(|i| ((i * 37) % 19) as f32 - 9.0).collect();
            for level in Level::available() {
                let mut found = vec![0.0; width * width];
                gram(&matrix, width, &mut found, level);
                for (index, value) in found.iter().enumerate() {
                    let (i, j) = (index / width, index % width);
                    let product = |row: &[f32]| f64::from(row[i]) * f64::from(row[j]);
                    let wanted: f64 = matrix.chunks_exact(width).map(product).sum();
                    assert_eq!(*value, wanted, "{level:?} {width}: {i}, {j}");
                }
            }
        }
    }
}
