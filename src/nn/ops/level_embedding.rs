//! A learned row for each level, added to the position of each of its cells.
//!
//! Zhu et al., arXiv:2010.04159, §4.1 ("scale-level embedding").

use crate::kernels::matrix_product::Update;
use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};

/// Inputs: positions `[batch, cells, columns]` with the cells of all levels one after another, and
/// the levels' rows `[levels, columns]`. Output: their sums, of the positions' shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelEmbedding {
    pub batch: usize,
    /// Cells of each level.
    pub cells: Vec<usize>,
    pub columns: usize,
}

/// Rows of one task.
const TASK_ROWS: usize = 128;

impl LevelEmbedding {
    /// Cells of all levels of one image.
    fn image_rows(&self) -> usize {
        self.cells.iter().sum()
    }

    /// The level of a row, counted over all images.
    fn level_of(&self, row: usize) -> usize {
        let mut left = row % self.image_rows();
        for (level, cells) in self.cells.iter().enumerate() {
            if left < *cells {
                return level;
            }
            left -= cells;
        }
        unreachable!("every row lies on a level")
    }
}

impl Operation for LevelEmbedding {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.batch * self.image_rows() * self.columns, self.cells.len() * self.columns]
    }

    fn output_length(&self) -> usize {
        self.batch * self.image_rows() * self.columns
    }

    fn is_cheap(&self) -> bool {
        true
    }

    fn list_bytes(&self) -> usize {
        size_of_val(self.cells.as_slice())
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::NOTHING
    }
}

impl<T: Real> OnCpu<T> for LevelEmbedding {
    fn forward(&self, run: Forward<'_, T>) {
        let (positions, levels) = (run.inputs[0], run.inputs[1]);
        let columns = self.columns.max(1);
        run.workers.for_each_piece(run.output, TASK_ROWS * columns, |task, output| {
            let rows = output.chunks_exact_mut(columns);
            let positions = positions[task * TASK_ROWS * columns..].chunks_exact(columns);
            for (row, (output, position)) in rows.zip(positions).enumerate() {
                let level = &levels[self.level_of(task * TASK_ROWS + row) * columns..][..columns];
                for ((to, position), level) in output.iter_mut().zip(position).zip(level) {
                    *to = *position + *level;
                }
            }
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let (gradient, columns) = (run.output_gradient, self.columns.max(1));
        if let Some(to) = &mut run.input_gradients[0] {
            let update = to.update;
            to.values.iter_mut().zip(gradient).for_each(|(to, value)| update.put(to, *value));
        }
        if let Some(to) = &mut run.input_gradients[1] {
            let update = to.update;
            run.workers.for_each_piece(to.values, columns, |level, to| {
                if update == Update::Overwrite {
                    to.fill(T::ZERO);
                }
                let before: usize = self.cells[..level].iter().sum();
                for image in 0..self.batch {
                    let first = image * self.image_rows() + before;
                    let rows = &gradient[first * columns..][..self.cells[level] * columns];
                    for row in rows.chunks_exact(columns) {
                        to.iter_mut().zip(row).for_each(|(to, gradient)| *to += *gradient);
                    }
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;

    #[test]
    fn gradients_are_finite_differences() {
        let operation = LevelEmbedding { batch: 2, cells: vec![4, 1, 3], columns: 5 };
        finite_difference::check(&operation, 1);
    }

    #[test]
    fn several_tasks_have_the_same_bits() {
        let cells = vec![TASK_ROWS + 3, 0, 7];
        let operation = LevelEmbedding { batch: 3, cells, columns: 5 };
        let inputs = harness::draw_inputs::<f32>(&operation, 2);
        harness::assert_same_bits(&operation, &inputs, &[true; 2]);
    }
}
