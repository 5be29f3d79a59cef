//! Sums over rows in fixed blocks, added in order: gradients of biases and of broadcast rows.
//!
//! The blocks depend on the number of rows alone, so the sums have the same bits at any number of
//! workers.

use crate::kernels::matrix_product::Update;
use crate::kernels::simd::Level;
use crate::kernels::simd::plain::{self, Arithmetic, Kernel};
use crate::nn::cpu::{GradientMut, Real};
use crate::workers::Workers;

/// Rows of one block.
pub(super) const BLOCK_ROWS: usize = 128;

/// Numbers of scratch that the sums over `rows` rows of `columns` need.
pub(super) fn scratch_length(rows: usize, columns: usize) -> usize {
    rows.div_ceil(BLOCK_ROWS) * columns
}

/// `to` becomes, or is increased by, the sums of the columns of `values`, dense rows that are as
/// long as `to`. `scratch` holds [`scratch_length`] numbers.
pub(super) fn add_up<T: Real>(
    values: &[T],
    to: &mut GradientMut<'_, T>,
    scratch: &mut [T],
    workers: &Workers,
) {
    let columns = to.values.len();
    let rows = values.len() / columns.max(1);
    let partial = &mut scratch[..scratch_length(rows, columns)];
    workers.for_each_piece(partial, columns.max(1), |block, sums| {
        let first = block * BLOCK_ROWS;
        let count = BLOCK_ROWS.min(rows - first);
        let values = &values[first * columns..][..count * columns];
        plain::run(Level::best(), Sums { values, sums });
    });
    add_blocks(partial, columns, to);
}

/// `to` becomes, or is increased by, the sum of blocks as long as `to`, in their order. A block
/// starts every `stride` numbers of `blocks`.
pub(super) fn add_blocks<T: Real>(blocks: &[T], stride: usize, to: &mut GradientMut<'_, T>) {
    if to.update == Update::Overwrite {
        to.values.fill(T::ZERO);
    }
    for block in blocks.chunks(stride.max(1)) {
        for (to, value) in to.values.iter_mut().zip(block) {
            *to += *value;
        }
    }
}

struct Sums<'a, T> {
    values: &'a [T],
    sums: &'a mut [T],
}

impl<T: Real> Kernel for Sums<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        self.sums.fill(T::ZERO);
        for row in self.values.chunks_exact(self.sums.len()) {
            for (sum, value) in self.sums.iter_mut().zip(row) {
                *sum += *value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_several_blocks_are_summed_and_added() {
        let (rows, columns) = (2 * BLOCK_ROWS + 3, 5);
        let values: Vec<f64> = (0..rows * columns).map(|index| (index % 7) as f64).collect();
        let mut scratch = vec![f64::NAN; scratch_length(rows, columns)];
        for update in [Update::Overwrite, Update::Add] {
            let mut sums = vec![1.0; columns];
            let mut to = GradientMut { values: &mut sums, update };
            add_up(&values, &mut to, &mut scratch, &Workers::with_threads(3).unwrap());
            for (column, sum) in sums.iter().enumerate() {
                let wanted: f64 = values.iter().skip(column).step_by(columns).sum();
                let before = if update == Update::Add { 1.0 } else { 0.0 };
                assert_eq!(*sum, wanted + before);
            }
        }
    }
}
