//! Rows times a weight matrix, plus a bias, and a ReLU where the layer has one.
//!
//! The ReLU is fused: its output is what its own backward needs, so the sum before it is never
//! stored, and a feed-forward layer keeps one wide tensor instead of two.

use super::column_sums::{add_up, scratch_length};
use super::relu;
use crate::nn::matrix_product::{Matrix, MatrixMut, Update, product, product_here};
use crate::nn::operation::{Backward, BackwardReads, Forward, GradientMut, INPUTS_MAX};
use crate::nn::operation::{Operation, Real};
use crate::nn::simd::Level;
use crate::nn::simd::plain::{self, Arithmetic, Kernel};
use crate::workers::Workers;

/// Inputs: rows `[rows, inputs]`, weight `[outputs, inputs]` (as torch keeps it), bias
/// `[outputs]`. Output: `[rows, outputs]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    pub rows: usize,
    pub inputs: usize,
    pub outputs: usize,
    /// Whether negative outputs become 0.
    pub relu: bool,
}

/// Rows of one task: a multiple of what the product computes together, and enough that packing
/// the weights again for each task is a small part of its work.
const TASK_ROWS: usize = 192;
/// Rows whose gradient is masked by the ReLU at a time; the copy is the only wide scratch.
const MASKED_ROWS: usize = 1536;

impl Linear {
    /// Rows of the gradient that one pass of the backward takes.
    fn pass_rows(&self) -> usize {
        if self.relu { MASKED_ROWS.min(self.rows) } else { self.rows }
    }
}

impl Linear {
    fn input_gradient<T: Real>(
        &self,
        gradient: &[T],
        weight: Matrix<'_, T>,
        to: &mut [T],
        update: Update,
        workers: &Workers,
    ) {
        workers.for_each_piece(to, (TASK_ROWS * self.inputs).max(1), |index, to| {
            let rows = to.len() / self.inputs;
            let gradient = &gradient[index * TASK_ROWS * self.outputs..][..rows * self.outputs];
            let target = MatrixMut::new(to, rows, self.inputs);
            product_here(target, Matrix::new(gradient, rows, self.outputs), weight, update);
        });
    }
}

impl<T: Real> Operation<T> for Linear {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.rows * self.inputs, self.outputs * self.inputs, self.outputs]
    }

    fn output_length(&self) -> usize {
        self.rows * self.outputs
    }

    fn scratch_length(&self, _workers_count: usize) -> usize {
        let masked = if self.relu { self.pass_rows() * self.outputs } else { 0 };
        masked + scratch_length(self.pass_rows(), self.outputs)
    }

    fn backward_reads(&self) -> BackwardReads {
        let mut inputs = [false; INPUTS_MAX];
        inputs[..2].fill(true);
        BackwardReads { inputs, output: self.relu }
    }

    fn forward(&self, run: Forward<'_, T>) {
        let (input, weight, bias) = (run.inputs[0], run.inputs[1], run.inputs[2]);
        let weight = Matrix::new(weight, self.outputs, self.inputs).transposed();
        let piece = (TASK_ROWS * self.outputs).max(1);
        run.workers.for_each_piece(run.output, piece, |index, output| {
            let rows = output.len() / self.outputs;
            let input = &input[index * TASK_ROWS * self.inputs..][..rows * self.inputs];
            let target = MatrixMut::new(output, rows, self.outputs);
            product_here(target, Matrix::new(input, rows, self.inputs), weight, Update::Overwrite);
            plain::run(Level::best(), Finish { output, bias, relu: self.relu });
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let [input_gradient, weight_gradient, bias_gradient] = run.input_gradients else {
            unreachable!("a linear layer has three inputs");
        };
        let pass_rows = self.pass_rows();
        let masked_length = if self.relu { pass_rows * self.outputs } else { 0 };
        let (masked, sums) = run.scratch.split_at_mut(masked_length);
        let weight = Matrix::new(run.inputs[1], self.outputs, self.inputs);
        for first in (0..self.rows).step_by(pass_rows.max(1)) {
            let rows = pass_rows.min(self.rows - first);
            let outputs = first * self.outputs..(first + rows) * self.outputs;
            let inputs = first * self.inputs..(first + rows) * self.inputs;
            let mut gradient = &run.output_gradient[outputs.clone()];
            if self.relu {
                let masked = &mut masked[..gradient.len()];
                let output = &run.output[outputs];
                relu::masked(Some(output), gradient, masked, Update::Overwrite, run.workers);
                gradient = masked;
            }
            if let Some(to) = input_gradient {
                let values = &mut to.values[inputs.clone()];
                self.input_gradient(gradient, weight, values, to.update, run.workers);
            }
            // Later passes add to what the first wrote.
            let again = |update| if first == 0 { update } else { Update::Add };
            if let Some(to) = weight_gradient {
                let target = MatrixMut::new(to.values, self.outputs, self.inputs);
                let left = Matrix::new(gradient, rows, self.outputs).transposed();
                let right = Matrix::new(&run.inputs[0][inputs], rows, self.inputs);
                product(target, left, right, again(to.update), run.workers);
            }
            if let Some(to) = bias_gradient {
                let mut to = GradientMut { values: to.values, update: again(to.update) };
                add_up(gradient, &mut to, sums, run.workers);
            }
        }
    }
}

/// Adds the bias to every row and cuts at 0 where there is a ReLU.
struct Finish<'a, T> {
    output: &'a mut [T],
    bias: &'a [T],
    relu: bool,
}

impl<T: Real> Kernel for Finish<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        for row in self.output.chunks_exact_mut(self.bias.len()) {
            for (value, bias) in row.iter_mut().zip(self.bias) {
                let sum = *value + *bias;
                // A NaN fails the comparison the other way round, and stays.
                *value = if self.relu && sum < T::ZERO { T::ZERO } else { sum };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;

    #[test]
    fn gradients_are_finite_differences() {
        for relu in [false, true] {
            let shape = Linear { rows: 13, inputs: 7, outputs: 5, relu };
            finite_difference::check(&shape, 3);
            finite_difference::check(&Linear { rows: 1, inputs: 1, outputs: 1, relu }, 3);
        }
    }

    #[test]
    fn rows_of_several_tasks_and_passes_have_the_same_bits_and_precision() {
        for relu in [false, true] {
            let shape =
                Linear { rows: MASKED_ROWS + 2 * TASK_ROWS + 1, inputs: 24, outputs: 9, relu };
            let inputs = harness::draw_inputs::<f32>(&shape, 4);
            harness::assert_same_bits(&shape, &inputs, &[true; 3]);
            if !relu {
                // A ReLU may fall to either side where the sum is near 0.
                harness::assert_precisions_agree(&shape, &shape, &inputs, &[true; 3], 1e-5);
            }
        }
    }
}
