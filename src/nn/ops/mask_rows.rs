//! Rows times a 0/1 mask: padded cells give nothing, and get no gradient.

use crate::kernels::matrix_product::Update;
use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, INPUTS_MAX, Operation};
use crate::workers::Workers;

/// Inputs: rows `[rows, columns]`, a mask `[rows]` of 1 (kept) and 0 (padding), which gets no
/// gradient. Output: `[rows, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskRows {
    pub rows: usize,
    pub columns: usize,
}

/// Rows of one task.
const TASK_ROWS: usize = 128;

impl MaskRows {
    fn masked<T: Real>(
        &self,
        from: &[T],
        mask: &[T],
        to: &mut [T],
        update: Update,
        workers: &Workers,
    ) {
        let columns = self.columns.max(1);
        workers.for_each_piece(to, TASK_ROWS * columns, |task, to| {
            let from = from[task * TASK_ROWS * columns..].chunks_exact(columns);
            let rows = to.chunks_exact_mut(columns).zip(from);
            for ((to, from), mask) in rows.zip(&mask[task * TASK_ROWS..]) {
                // A selection and not a product: what lies in padding may be anything.
                match (*mask == T::ZERO, update) {
                    (true, Update::Overwrite) => to.fill(T::ZERO),
                    (true, Update::Add) => {}
                    (false, Update::Overwrite) => to.copy_from_slice(from),
                    (false, Update::Add) => {
                        to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
                    }
                }
            }
        });
    }
}

impl Operation for MaskRows {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.rows * self.columns, self.rows]
    }

    fn output_length(&self) -> usize {
        self.rows * self.columns
    }

    fn is_cheap(&self) -> bool {
        true
    }

    fn backward_reads(&self) -> BackwardReads {
        let mut inputs = [false; INPUTS_MAX];
        inputs[1] = true;
        BackwardReads { inputs, output: false }
    }
}

impl<T: Real> OnCpu<T> for MaskRows {
    fn forward(&self, run: Forward<'_, T>) {
        self.masked(run.inputs[0], run.inputs[1], run.output, Update::Overwrite, run.workers);
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        if let Some(to) = &mut run.input_gradients[0] {
            self.masked(run.output_gradient, run.inputs[1], to.values, to.update, run.workers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;

    fn draw<T: Real>(operation: &MaskRows) -> Vec<Vec<T>> {
        let mut inputs = harness::draw_inputs::<T>(operation, 1);
        for (row, mask) in inputs[1].iter_mut().enumerate() {
            *mask = if row % 3 == 0 { T::ZERO } else { T::ONE };
        }
        inputs
    }

    #[test]
    fn gradients_are_finite_differences() {
        let operation = MaskRows { rows: 7, columns: 3 };
        finite_difference::check_at(&operation, &draw(&operation), &[true, false]);
    }

    #[test]
    fn padding_becomes_zero_whatever_it_held() {
        let operation = MaskRows { rows: 2 * TASK_ROWS + 1, columns: 2 };
        let mut inputs = draw::<f32>(&operation);
        inputs[0][..2].fill(f32::NAN);
        let kept = harness::forward(&operation, &inputs, &Workers::caller());
        assert_eq!(kept.output[..2], [0.0; 2]);
        assert_eq!(kept.output[2..6], inputs[0][2..6]);
        harness::assert_same_bits(&operation, &inputs, &[true, false]);
    }
}
