//! Softmax over groups of consecutive numbers.

use super::reduce::{change_all, largest, sum_of};
use crate::kernels::matrix_product::Update;
use crate::kernels::simd::Level;
use crate::kernels::simd::plain::{self, Arithmetic, Kernel};
use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};

/// Input and output: `[groups, length]`; every group of the output sums to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softmax {
    pub groups: usize,
    pub length: usize,
}

/// Numbers of one task, about.
const TASK_LENGTH: usize = 1 << 14;
/// Groups whose exponentials are computed in one go, so that short groups do not wait for each
/// other.
const GROUPS_TOGETHER: usize = 64;

impl Softmax {
    fn task_length(&self) -> usize {
        TASK_LENGTH.div_ceil(self.length.max(1)) * self.length.max(1)
    }
}

impl Operation for Softmax {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.groups * self.length]
    }

    fn output_length(&self) -> usize {
        self.groups * self.length
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::OUTPUT
    }
}

impl<T: Real> OnCpu<T> for Softmax {
    fn forward(&self, run: Forward<'_, T>) {
        let (input, piece, length) = (run.inputs[0], self.task_length(), self.length);
        run.workers.for_each_piece(run.output, piece, |index, output| {
            let input = &input[index * piece..][..output.len()];
            plain::run(Level::best(), Normalise { input, output, length });
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let Some(to) = &mut run.input_gradients[0] else { return };
        let (piece, length, update) = (self.task_length(), self.length, to.update);
        run.workers.for_each_piece(to.values, piece, |index, to| {
            let range = index * piece..index * piece + to.len();
            let (output, gradient) = (&run.output[range.clone()], &run.output_gradient[range]);
            plain::run(Level::best(), Gradient { output, gradient, to, length, update });
        });
    }
}

struct Normalise<'a, T> {
    input: &'a [T],
    output: &'a mut [T],
    length: usize,
}

impl<T: Real> Kernel for Normalise<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let block = GROUPS_TOGETHER * self.length.max(1);
        for (output, input) in self.output.chunks_mut(block).zip(self.input.chunks(block)) {
            let groups = output.chunks_exact_mut(self.length);
            for (output, input) in groups.zip(input.chunks_exact(self.length)) {
                // A NaN is never the largest, but its exponential carries it into the sum.
                let most = largest(input);
                for (to, from) in output.iter_mut().zip(input) {
                    *to = *from - most;
                }
            }
            change_all(output, T::exponential);
            for output in output.chunks_exact_mut(self.length) {
                let share = T::ONE / sum_of([output], |[value]| value);
                change_all(output, |value| value * share);
            }
        }
    }
}

struct Gradient<'a, T> {
    output: &'a [T],
    gradient: &'a [T],
    to: &'a mut [T],
    length: usize,
    update: Update,
}

impl<T: Real> Kernel for Gradient<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let rows =
            self.output.chunks_exact(self.length).zip(self.gradient.chunks_exact(self.length));
        for (to, (output, gradient)) in self.to.chunks_exact_mut(self.length).zip(rows) {
            let mean = sum_of([output, gradient], |[output, gradient]| output * gradient);
            for (to, (output, gradient)) in to.iter_mut().zip(output.iter().zip(gradient)) {
                self.update.put(to, *output * (*gradient - mean));
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
        finite_difference::check(&Softmax { groups: 7, length: 5 }, 1);
        finite_difference::check(&Softmax { groups: 2, length: 1 }, 2);
        finite_difference::check(&Softmax { groups: 3, length: 33 }, 3);
    }

    #[test]
    fn groups_of_several_tasks_have_the_same_bits_and_precision() {
        for length in [16, 50] {
            let operation = Softmax { groups: 3 * TASK_LENGTH / length, length };
            let inputs = harness::draw_inputs::<f32>(&operation, 4);
            harness::assert_same_bits(&operation, &inputs, &[true]);
            harness::assert_precisions_agree(&operation, &operation, &inputs, &[true], 1e-5);
        }
    }

    #[test]
    fn large_numbers_do_not_overflow() {
        let operation = Softmax { groups: 2, length: 2 };
        let inputs = [vec![1e30f32, -1e30, 500.0, 500.0]];
        let kept = harness::forward(&operation, &inputs, &crate::workers::Workers::caller());
        assert_eq!(kept.output, [1.0, 0.0, 0.5, 0.5]);
    }
}
