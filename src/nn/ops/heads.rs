//! From one block for each head back to rows in which the heads lie side by side.
//!
//! Heads are independent, so gradients that several queries add to are computed head by head, each
//! in memory of its own; what they found is then moved to where the rows belong.

use crate::nn::cpu::{GradientMut, Real};
use crate::workers::Workers;

/// Where each head's part lies: head `h` of image `b` has block `b * heads + h`, `stride` numbers
/// long, and in it dense rows of `width` numbers from `offset` on.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadBlocks {
    pub heads: usize,
    pub stride: usize,
    pub offset: usize,
    pub rows: usize,
    pub width: usize,
}

/// Rows that one task moves.
const TASK_ROWS: usize = 128;

impl HeadBlocks {
    /// Writes, or adds to, `to`, `[images, rows, heads, width]`.
    pub fn merge<T: Real>(&self, blocks: &[T], to: &mut GradientMut<'_, T>, workers: &Workers) {
        let HeadBlocks { heads, stride, offset, rows, width } = *self;
        let (row_length, update) = ((heads * width).max(1), to.update);
        workers.for_each_piece(to.values, TASK_ROWS * row_length, |task, to| {
            for (row, to) in to.chunks_exact_mut(row_length).enumerate() {
                let (image, row) =
                    ((task * TASK_ROWS + row) / rows, (task * TASK_ROWS + row) % rows);
                for (head, to) in to.chunks_exact_mut(width).enumerate() {
                    let block = (image * heads + head) * stride + offset;
                    let from = &blocks[block + row * width..][..width];
                    for (to, from) in to.iter_mut().zip(from) {
                        update.put(to, *from);
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::matrix_product::Update;

    #[test]
    fn rows_of_heads_come_side_by_side() {
        let shape = HeadBlocks { heads: 3, stride: 11, offset: 1, rows: 5, width: 2 };
        let blocks: Vec<f64> = (0..2 * 3 * 11).map(f64::from).collect();
        for update in [Update::Overwrite, Update::Add] {
            let mut values = vec![1.0; 2 * 5 * 3 * 2];
            let mut to = GradientMut { values: &mut values, update };
            shape.merge(&blocks, &mut to, &Workers::with_threads(2).unwrap());
            for (place, value) in values.iter().enumerate() {
                let (row, head, lane) = (place / 6, place / 2 % 3, place % 2);
                let from = (row / 5 * 3 + head) * 11 + 1 + row % 5 * 2 + lane;
                let before = if update == Update::Add { 1.0 } else { 0.0 };
                assert_eq!(*value, from as f64 + before);
            }
        }
    }
}
