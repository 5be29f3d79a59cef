//! 1 / (1 + e^-x), element by element.

use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};

/// Input and output: `[length]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sigmoid {
    pub length: usize,
}

/// Elements of one task.
const PIECE: usize = 1 << 12;

/// The logistic function.
#[inline]
pub(super) fn sigmoid<T: Real>(x: T) -> T {
    T::ONE / (T::ONE + (-x).exp())
}

impl Operation for Sigmoid {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.length]
    }

    fn output_length(&self) -> usize {
        self.length
    }

    fn is_cheap(&self) -> bool {
        true
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::OUTPUT
    }
}

impl<T: Real> OnCpu<T> for Sigmoid {
    fn forward(&self, run: Forward<'_, T>) {
        let input = run.inputs[0];
        run.workers.for_each_piece(run.output, PIECE, |index, part| {
            for (to, from) in part.iter_mut().zip(&input[index * PIECE..]) {
                *to = sigmoid(*from);
            }
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let Some(to) = &mut run.input_gradients[0] else { return };
        let update = to.update;
        run.workers.for_each_piece(to.values, PIECE, |index, part| {
            let start = index * PIECE;
            let pairs = run.output[start..].iter().zip(&run.output_gradient[start..]);
            for (to, (output, gradient)) in part.iter_mut().zip(pairs) {
                update.put(to, *gradient * *output * (T::ONE - *output));
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
        finite_difference::check(&Sigmoid { length: 37 }, 1);
    }

    #[test]
    fn far_values_saturate_and_tasks_do_not_show() {
        assert_eq!([sigmoid(-1e4f32), sigmoid(0.0), sigmoid(1e4)], [0.0, 0.5, 1.0]);
        let operation = Sigmoid { length: 2 * PIECE + 3 };
        let inputs = harness::draw_inputs::<f32>(&operation, 2);
        harness::assert_same_bits(&operation, &inputs, &[true]);
    }
}
