//! Rows times a weight matrix, plus a bias, and a ReLU where the layer has one.
//!
//! The ReLU is fused: its output is what its own backward needs, so the sum before it is never
//! stored, and a feed-forward layer keeps one wide tensor instead of two.

use super::column_sums::{BLOCK_ROWS, add_blocks, add_up, scratch_length};
use super::convolution::{Channels, Convolution, Geometry};
use crate::kernels::matrix_product::{Matrix, MatrixMut, Update, product_here};
use crate::kernels::simd::Level;
use crate::kernels::simd::plain::{self, Arithmetic, Kernel};
use crate::nn::cpu::{Backward, Forward, GradientMut, OnCpu, Real};
use crate::nn::operation::{BackwardReads, INPUTS_MAX, Operation};
use crate::workers::Workers;
use std::ops::Range;

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

/// Rows of one task of the input's gradient: a multiple of what the product computes together, and
/// enough that packing the weights again for each task is a small part of its work.
const TASK_ROWS: usize = 192;
/// Tasks of the weight's gradient, about: each packs the input again.
const WEIGHT_TASKS: usize = 8;
/// Rows of one such task are a multiple of this.
const WEIGHT_ALIGNMENT: usize = 48;
/// Rows whose gradient is masked by the ReLU at a time; the copy is the only wide scratch.
const MASKED_ROWS: usize = 12 * BLOCK_ROWS;

impl Linear {
    /// Rows of the gradient that one pass of the backward takes.
    fn pass_rows(&self) -> usize {
        if self.relu { MASKED_ROWS.min(self.rows) } else { self.rows }
    }

    /// The forward is that of a convolution over single pixels, whose vector kernels add the bias
    /// and cut at 0 in registers.
    fn convolution(&self) -> Convolution {
        Convolution {
            geometry: Geometry {
                in_channels: self.inputs,
                out_channels: self.outputs,
                kernel: 1,
                stride: 1,
                padding: 0,
            },
            images: 1,
            height: self.rows,
            width: 1,
            channels: Channels::Bias,
            residual: false,
            relu: self.relu,
        }
    }

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

    fn weight_gradient<T: Real>(
        &self,
        gradient: &[T],
        input: &[T],
        to: &mut [T],
        update: Update,
        workers: &Workers,
    ) {
        let rows = input.len() / self.inputs.max(1);
        let input = Matrix::new(input, rows, self.inputs);
        let task = self.outputs.div_ceil(WEIGHT_TASKS).next_multiple_of(WEIGHT_ALIGNMENT);
        workers.for_each_piece(to, (task * self.inputs).max(1), |index, to| {
            let count = to.len() / self.inputs;
            let columns = &gradient[index * task..];
            let left = Matrix::with_stride(columns, rows, count, self.outputs).transposed();
            product_here(MatrixMut::new(to, count, self.inputs), left, input, update);
        });
    }

    /// Writes the gradient where the output is positive and zeros elsewhere, and the sums of its
    /// columns over blocks of rows.
    fn mask<T: Real>(
        &self,
        output: &[T],
        gradient: &[T],
        masked: &mut [T],
        sums: &mut [T],
        workers: &Workers,
    ) {
        let piece = (BLOCK_ROWS * self.outputs).max(1);
        workers.for_each_pieces(
            [(masked, piece), (sums, self.outputs)],
            |block, [masked, sums]| {
                let range = block * piece..block * piece + masked.len();
                let (output, gradient) = (&output[range.clone()], &gradient[range]);
                plain::run(Level::best(), Mask { output, gradient, masked, sums });
            },
        );
    }
}

impl Operation for Linear {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.rows * self.inputs, self.outputs * self.inputs, self.outputs]
    }

    fn output_length(&self) -> usize {
        self.rows * self.outputs
    }

    fn prepared_inputs(&self) -> Range<usize> {
        1..3
    }

    fn backward_reads(&self) -> BackwardReads {
        let mut inputs = [false; INPUTS_MAX];
        inputs[..2].fill(true);
        BackwardReads { inputs, output: self.relu }
    }
}

impl<T: Real> OnCpu<T> for Linear {
    fn scratch_length(&self, workers_count: usize) -> usize {
        let masked = if self.relu { self.pass_rows() * self.outputs } else { 0 };
        let backward = masked + scratch_length(self.pass_rows(), self.outputs);
        backward.max(OnCpu::<T>::scratch_length(&self.convolution(), workers_count))
    }

    fn prepared_length(&self) -> usize {
        OnCpu::<T>::prepared_length(&self.convolution())
    }

    fn prepare(&self, inputs: &[&[T]], to: &mut [T], workers: &Workers) {
        self.convolution().prepare(inputs, to, workers);
    }

    fn prediction_scratch_length(&self, workers_count: usize, prepared: bool) -> usize {
        let convolution = self.convolution();
        OnCpu::<T>::prediction_scratch_length(&convolution, workers_count, prepared)
    }

    fn forward(&self, run: Forward<'_, T>) {
        self.convolution().forward(run);
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
                self.mask(&run.output[outputs], gradient, masked, sums, run.workers);
                gradient = masked;
            }
            if let Some(to) = input_gradient {
                let values = &mut to.values[inputs.clone()];
                self.input_gradient(gradient, weight, values, to.update, run.workers);
            }
            // Later passes add to what the first wrote.
            let again = |update| if first == 0 { update } else { Update::Add };
            if let Some(to) = weight_gradient {
                let input = &run.inputs[0][inputs];
                self.weight_gradient(gradient, input, to.values, again(to.update), run.workers);
            }
            if let Some(to) = bias_gradient {
                let mut to = GradientMut { values: to.values, update: again(to.update) };
                if self.relu {
                    let sums = &sums[..scratch_length(rows, self.outputs)];
                    add_blocks(sums, self.outputs, &mut to);
                } else {
                    add_up(gradient, &mut to, sums, run.workers);
                }
            }
        }
    }
}

/// Masks the gradient of some rows and adds up its columns.
struct Mask<'a, T> {
    output: &'a [T],
    gradient: &'a [T],
    masked: &'a mut [T],
    sums: &'a mut [T],
}

impl<T: Real> Kernel for Mask<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let columns = self.sums.len();
        self.sums.fill(T::ZERO);
        let rows = self.output.chunks_exact(columns).zip(self.gradient.chunks_exact(columns));
        for (masked, (output, gradient)) in self.masked.chunks_exact_mut(columns).zip(rows) {
            for (to, (output, gradient)) in masked.iter_mut().zip(output.iter().zip(gradient)) {
                *to = if *output > T::ZERO { *gradient } else { T::ZERO };
            }
            for (sum, value) in self.sums.iter_mut().zip(masked) {
                *sum += *value;
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
