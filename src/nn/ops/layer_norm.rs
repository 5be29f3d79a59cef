//! Layer normalisation of rows, of the sum of two tensors where a residual is added first.
//!
//! Ba et al., "Layer normalization", arXiv:1607.06450, eq. 4. The residual sum is fused because
//! the sum would otherwise be written, read and kept; its gradient is one and the same for both.

use super::column_sums::add_blocks;
use super::reduce::sum_of;
use crate::kernels::matrix_product::Update;
use crate::kernels::simd::Level;
use crate::kernels::simd::plain::{self, Arithmetic, Kernel};
use crate::nn::cpu::{Backward, Forward, GradientMut, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};

/// Inputs: rows `[rows, columns]`, with `residual` the tensor of the same shape that is added
/// first, weight `[columns]`, bias `[columns]`. Output: `[rows, columns]`.
///
/// Keeps the mean and the inverse deviation of every row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerNorm {
    pub rows: usize,
    pub columns: usize,
    /// Whether a second tensor is added to the rows.
    pub residual: bool,
    /// Added to the variance; 1e-5 in torch.
    pub epsilon: f64,
}

/// Rows of one task, and of one block of the sums over rows.
const TASK_ROWS: usize = 64;

impl LayerNorm {
    /// Place of the weight among the inputs; the bias follows.
    fn weight_place(&self) -> usize {
        if self.residual { 2 } else { 1 }
    }

    /// The tensors that are added, the second empty where there is none.
    fn sources<'a, T>(&self, inputs: &[&'a [T]]) -> [&'a [T]; 2] {
        [inputs[0], if self.residual { inputs[1] } else { &[] }]
    }
}

/// The part of `values` that belongs to task `index`; nothing of a tensor that is absent.
fn part<T>(values: &[T], index: usize, length: usize, stride: usize) -> &[T] {
    if values.is_empty() { values } else { &values[index * stride..][..length] }
}

impl Operation for LayerNorm {
    fn input_lengths(&self) -> Vec<usize> {
        let mut lengths = vec![self.rows * self.columns; self.weight_place()];
        lengths.extend([self.columns; 2]);
        lengths
    }

    fn output_length(&self) -> usize {
        self.rows * self.columns
    }

    fn saved_length(&self) -> usize {
        2 * self.rows
    }

    fn is_cheap(&self) -> bool {
        true
    }

    fn backward_reads(&self) -> BackwardReads {
        let mut reads = BackwardReads::INPUTS;
        reads.inputs[self.weight_place() + 1] = false;
        reads
    }
}

impl<T: Real> OnCpu<T> for LayerNorm {
    fn scratch_length(&self, _workers_count: usize) -> usize {
        self.rows.div_ceil(TASK_ROWS) * 4 * self.columns
    }

    fn prediction_scratch_length(&self, _workers_count: usize, _prepared: bool) -> usize {
        0
    }

    fn forward(&self, run: Forward<'_, T>) {
        let place = self.weight_place();
        let (weight, bias) = (run.inputs[place], run.inputs[place + 1]);
        let sources = self.sources(run.inputs);
        let stride = TASK_ROWS * self.columns;
        let slices = [(run.output, stride), (run.saved, 2 * TASK_ROWS)];
        run.workers.for_each_pieces(slices, |index, [output, saved]| {
            let [rows, residual] = sources.map(|rows| part(rows, index, output.len(), stride));
            let epsilon = T::from_f64(self.epsilon);
            let kernel = Normalise { rows, residual, weight, bias, epsilon, output, saved };
            plain::run(Level::best(), kernel);
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let place = self.weight_place();
        let weight = run.inputs[place];
        let sources = self.sources(run.inputs);
        let stride = TASK_ROWS * self.columns;
        let [tensors @ .., weight_gradient, bias_gradient] = run.input_gradients else {
            unreachable!("layer norm has three or four inputs");
        };
        let mut updates = [Update::Overwrite; 2];
        let mut slices: [(&mut [T], usize); 3] = Default::default();
        let scratch = &mut run.scratch[..self.rows.div_ceil(TASK_ROWS) * 4 * self.columns];
        slices[0] = (scratch, 4 * self.columns);
        for (place, to) in tensors.iter_mut().enumerate() {
            if let Some(GradientMut { values, update }) = to {
                updates[place] = *update;
                slices[place + 1] = (values, stride);
            }
        }
        run.workers.for_each_pieces(slices, |index, [block, first, second]| {
            let count = TASK_ROWS.min(self.rows - index * TASK_ROWS);
            let length = count * self.columns;
            let [rows, residual] = sources.map(|rows| part(rows, index, length, stride));
            let gradient = part(run.output_gradient, index, length, stride);
            let saved = &run.saved[index * 2 * TASK_ROWS..][..2 * count];
            let to = [first, second];
            let kernel = Gradient { rows, residual, weight, gradient, saved, to, updates, block };
            plain::run(Level::best(), kernel);
        });
        for (to, offset) in [(weight_gradient, 0), (bias_gradient, self.columns)] {
            if let Some(to) = to {
                add_blocks(&scratch[offset..], 4 * self.columns, to);
            }
        }
    }
}

/// The forward of some rows.
struct Normalise<'a, T> {
    rows: &'a [T],
    residual: &'a [T],
    weight: &'a [T],
    bias: &'a [T],
    epsilon: T,
    output: &'a mut [T],
    /// Mean and inverse deviation of each row.
    saved: &'a mut [T],
}

impl<T: Real> Kernel for Normalise<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let columns = self.weight.len();
        let count = T::from_f64(columns as f64);
        let saved = self.saved.as_chunks_mut::<2>().0;
        for (row, (output, saved)) in self.output.chunks_exact_mut(columns).zip(saved).enumerate() {
            let range = row * columns..(row + 1) * columns;
            output.copy_from_slice(&self.rows[range.clone()]);
            if !self.residual.is_empty() {
                for (value, residual) in output.iter_mut().zip(&self.residual[range]) {
                    *value += *residual;
                }
            }
            let mean = sum_of([output], |[value]| value) / count;
            let square = |[value]: [T; 1]| (value - mean) * (value - mean);
            let variance = sum_of([output], square) / count;
            let inverse = T::ONE / (variance + self.epsilon).sqrt();
            *saved = [mean, inverse];
            for ((value, weight), bias) in output.iter_mut().zip(self.weight).zip(self.bias) {
                *value = A::multiply_add((*value - mean) * inverse, *weight, *bias);
            }
        }
    }
}

/// The backward of some rows.
struct Gradient<'a, T> {
    rows: &'a [T],
    residual: &'a [T],
    weight: &'a [T],
    gradient: &'a [T],
    saved: &'a [T],
    /// Gradients of the rows and of the residual; empty where nobody wants them.
    to: [&'a mut [T]; 2],
    updates: [Update; 2],
    /// Sums over the rows for the weight, then for the bias; then room for two rows.
    block: &'a mut [T],
}

impl<T: Real> Kernel for Gradient<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(mut self) {
        let columns = self.weight.len();
        let count = T::from_f64(columns as f64);
        let (sums, buffers) = self.block.split_at_mut(2 * columns);
        sums.fill(T::ZERO);
        let (weight_sums, bias_sums) = sums.split_at_mut(columns);
        let (normal, slopes) = buffers.split_at_mut(columns);
        for (row, &[mean, inverse]) in self.saved.as_chunks::<2>().0.iter().enumerate() {
            let range = row * columns..(row + 1) * columns;
            let gradient = &self.gradient[range.clone()];
            // Loops over few rows each: the compiler proves that these do not overlap.
            normal.copy_from_slice(&self.rows[range.clone()]);
            if !self.residual.is_empty() {
                for (value, residual) in normal.iter_mut().zip(&self.residual[range.clone()]) {
                    *value += *residual;
                }
            }
            for value in normal.iter_mut() {
                *value = (*value - mean) * inverse;
            }
            for (sum, (normal, gradient)) in weight_sums.iter_mut().zip(normal.iter().zip(gradient))
            {
                *sum = A::multiply_add(*gradient, *normal, *sum);
            }
            for (sum, gradient) in bias_sums.iter_mut().zip(gradient) {
                *sum += *gradient;
            }
            for (slope, (gradient, weight)) in
                slopes.iter_mut().zip(gradient.iter().zip(self.weight))
            {
                *slope = *gradient * *weight;
            }
            let mean_slope = sum_of([slopes], |[slope]| slope) / count;
            let mean_product = sum_of([slopes, normal], |[slope, normal]| slope * normal) / count;
            for (slope, normal) in slopes.iter_mut().zip(normal.iter()) {
                *slope = (*slope - mean_slope - *normal * mean_product) * inverse;
            }
            for (to, update) in self.to.iter_mut().zip(self.updates) {
                if !to.is_empty() {
                    let to = to[range.clone()].iter_mut();
                    to.zip(slopes.iter()).for_each(|(to, slope)| update.put(to, *slope));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;

    fn shape(rows: usize, columns: usize, residual: bool) -> LayerNorm {
        LayerNorm { rows, columns, residual, epsilon: 1e-5 }
    }

    #[test]
    fn gradients_are_finite_differences() {
        for residual in [false, true] {
            finite_difference::check(&shape(5, 19, residual), 1);
            finite_difference::check(&shape(67, 5, residual), 2);
        }
    }

    #[test]
    fn rows_of_several_tasks_have_the_same_bits_and_precision() {
        for residual in [false, true] {
            let operation = shape(3 * TASK_ROWS + 1, 50, residual);
            let inputs = harness::draw_inputs::<f32>(&operation, 4);
            let wanted = vec![true; inputs.len()];
            harness::assert_same_bits(&operation, &inputs, &wanted);
            harness::assert_precisions_agree(&operation, &operation, &inputs, &wanted, 1e-5);
        }
    }

    #[test]
    fn a_constant_row_becomes_the_bias() {
        let operation = shape(1, 4, false);
        let inputs = [vec![3.0f32; 4], vec![2.0; 4], vec![1.0, 2.0, 3.0, 4.0]];
        let kept = harness::forward(&operation, &inputs, &crate::workers::Workers::caller());
        assert_eq!(kept.output, inputs[2]);
    }
}
