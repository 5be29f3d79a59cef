//! Reference points of one image, as points of each of its padded levels.
//!
//! Images fill a part of their padded level; a point given in shares of the image is, in shares
//! of the level, the product with that part's valid ratio (Zhu et al., arXiv:2010.04159, A.2, and
//! the official code's `valid_ratios`).

use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, INPUTS_MAX, Operation};

/// Inputs: references `[batch, queries, coordinates]` (x, y, and with four coordinates width and
/// height), valid ratios `[batch, levels, 2]` (of widths, then of heights; data without a
/// gradient). Output: `[batch, queries, levels, coordinates]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelReferences {
    pub batch: usize,
    pub queries: usize,
    pub levels: usize,
    /// 2 or 4.
    pub coordinates: usize,
}

/// Queries of one task.
const TASK_QUERIES: usize = 512;

impl LevelReferences {
    fn output_row(&self) -> usize {
        self.levels * self.coordinates
    }
}

impl Operation for LevelReferences {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.batch * self.queries * self.coordinates, self.batch * self.levels * 2]
    }

    fn output_length(&self) -> usize {
        self.batch * self.queries * self.output_row()
    }

    fn backward_reads(&self) -> BackwardReads {
        let mut inputs = [false; INPUTS_MAX];
        inputs[1] = true;
        BackwardReads { inputs, output: false }
    }
}

impl<T: Real> OnCpu<T> for LevelReferences {
    fn forward(&self, run: Forward<'_, T>) {
        let (references, ratios) = (run.inputs[0], run.inputs[1]);
        let row_length = self.output_row().max(1);
        run.workers.for_each_piece(run.output, TASK_QUERIES * row_length, |task, output| {
            for (row, output) in output.chunks_exact_mut(row_length).enumerate() {
                let row = task * TASK_QUERIES + row;
                let reference = &references[row * self.coordinates..][..self.coordinates];
                let ratios = &ratios[row / self.queries * self.levels * 2..];
                for (place, output) in output.iter_mut().enumerate() {
                    let (level, coordinate) = (place / self.coordinates, place % self.coordinates);
                    *output = reference[coordinate] * ratios[level * 2 + coordinate % 2];
                }
            }
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let Some(to) = &mut run.input_gradients[0] else { return };
        let (ratios, gradient, update) = (run.inputs[1], run.output_gradient, to.update);
        let coordinates = self.coordinates;
        run.workers.for_each_piece(to.values, TASK_QUERIES * coordinates, |task, to| {
            for (row, to) in to.chunks_exact_mut(coordinates).enumerate() {
                let row = task * TASK_QUERIES + row;
                let gradient = &gradient[row * self.output_row()..][..self.output_row()];
                let ratios = &ratios[row / self.queries * self.levels * 2..];
                for (coordinate, to) in to.iter_mut().enumerate() {
                    let terms = (0..self.levels).map(|level| {
                        gradient[level * coordinates + coordinate]
                            * ratios[level * 2 + coordinate % 2]
                    });
                    update.put(to, terms.sum());
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;

    #[test]
    fn gradients_are_finite_differences() {
        for coordinates in [2, 4] {
            let operation = LevelReferences { batch: 2, queries: 5, levels: 3, coordinates };
            let inputs = harness::draw_inputs(&operation, 1);
            finite_difference::check_at(&operation, &inputs, &[true, false]);
        }
    }

    #[test]
    fn every_level_has_its_ratios_and_many_queries_the_same_bits() {
        let operation = LevelReferences { batch: 1, queries: 1, levels: 2, coordinates: 4 };
        let inputs = [vec![0.5f32, 0.25, 0.1, 0.2], vec![1.0, 0.5, 0.8, 1.0]];
        let kept = harness::forward(&operation, &inputs, &crate::workers::Workers::caller());
        assert_eq!(kept.output, [0.5, 0.125, 0.1, 0.1, 0.4, 0.25, 0.080000006, 0.2]);
        let operation = LevelReferences { batch: 3, queries: TASK_QUERIES, ..operation };
        let inputs = harness::draw_inputs::<f32>(&operation, 2);
        harness::assert_same_bits(&operation, &inputs, &[true, false]);
    }
}
