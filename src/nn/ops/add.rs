//! The sum of two tensors, element by element.

use super::relu::masked;
use crate::nn::cpu::{Backward, Forward, GradientMut, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};

/// Elements of one task.
const PIECE: usize = 1 << 14;

/// Inputs: two times `[length]`. Output: `[length]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Add {
    pub length: usize,
}

impl Operation for Add {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.length; 2]
    }

    fn output_length(&self) -> usize {
        self.length
    }

    fn is_cheap(&self) -> bool {
        true
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::NOTHING
    }
}

impl<T: Real> OnCpu<T> for Add {
    fn forward(&self, run: Forward<'_, T>) {
        let (left, right) = (run.inputs[0], run.inputs[1]);
        run.workers.for_each_piece(run.output, PIECE, |index, part| {
            let range = index * PIECE..index * PIECE + part.len();
            let pairs = left[range.clone()].iter().zip(&right[range]);
            for (to, (left, right)) in part.iter_mut().zip(pairs) {
                *to = *left + *right;
            }
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        for GradientMut { values, update } in run.input_gradients.iter_mut().flatten() {
            masked(None, run.output_gradient, values, *update, run.workers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;
    use crate::workers::Workers;

    #[test]
    fn gradients_are_finite_differences() {
        finite_difference::check(&Add { length: 21 }, 1);
    }

    #[test]
    fn long_tensors_are_added_whole() {
        let operation = Add { length: 2 * PIECE + 3 };
        let inputs = harness::draw_inputs::<f32>(&operation, 1);
        let output = harness::forward(&operation, &inputs, &Workers::caller()).output;
        let pairs = inputs[0].iter().zip(&inputs[1]);
        assert!(pairs.zip(&output).all(|((left, right), sum)| left + right == *sum));
        harness::assert_same_bits(&operation, &inputs, &[true, true]);
    }
}
