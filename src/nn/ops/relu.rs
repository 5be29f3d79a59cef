//! `max(x, 0)`, element by element; its gradient at 0 is 0, as torch has it.

use crate::kernels::matrix_product::Update;
use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};
use crate::workers::Workers;

/// Elements of one task.
const PIECE: usize = 1 << 14;

/// Input: `[length]`. Output: `[length]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relu {
    pub length: usize,
}

impl Operation for Relu {
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

impl<T: Real> OnCpu<T> for Relu {
    fn forward(&self, run: Forward<'_, T>) {
        let input = run.inputs[0];
        run.workers.for_each_piece(run.output, PIECE, |index, part| {
            let input = &input[index * PIECE..][..part.len()];
            for (to, from) in part.iter_mut().zip(input) {
                // A NaN passes, so that a divergence is seen.
                *to = if *from < T::ZERO { T::ZERO } else { *from };
            }
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        if let Some(gradient) = &mut run.input_gradients[0] {
            let (values, update) = (&mut *gradient.values, gradient.update);
            masked(Some(run.output), run.output_gradient, values, update, run.workers);
        }
    }
}

/// `gradient` where `output` is positive and 0 elsewhere (everywhere `gradient` where there is no
/// output), written or added to `to`.
pub(super) fn masked<T: Real>(
    output: Option<&[T]>,
    gradient: &[T],
    to: &mut [T],
    update: Update,
    workers: &Workers,
) {
    workers.for_each_piece(to, PIECE, |index, part| {
        let range = index * PIECE..index * PIECE + part.len();
        let gradient = &gradient[range.clone()];
        match (output.map(|output| &output[range]), update) {
            (None, Update::Overwrite) => part.copy_from_slice(gradient),
            (None, Update::Add) => {
                part.iter_mut().zip(gradient).for_each(|(to, gradient)| *to += *gradient);
            }
            (Some(output), update) => {
                for (to, (output, gradient)) in part.iter_mut().zip(output.iter().zip(gradient)) {
                    let passed = if *output > T::ZERO { *gradient } else { T::ZERO };
                    *to = if update == Update::Add { *to + passed } else { passed };
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;

    #[test]
    fn gradients_are_finite_differences() {
        finite_difference::check(&Relu { length: 37 }, 1);
    }

    #[test]
    fn the_gradient_at_zero_is_zero_and_a_nan_passes() {
        let operation = Relu { length: 3 };
        let inputs = [vec![0.0f32, f32::NAN, 2.0]];
        let workers = Workers::caller();
        let kept = harness::forward(&operation, &inputs, &workers);
        assert!(kept.output[1].is_nan());
        assert_eq!((kept.output[0], kept.output[2]), (0.0, 2.0));
        let gradient = harness::gradients(&operation, &inputs, &kept, &[5.0; 3], &[true], &workers);
        assert_eq!(gradient[0], [0.0, 0.0, 5.0]);
    }

    #[test]
    fn long_inputs_have_the_same_bits_at_any_thread_count() {
        let operation = Relu { length: 3 * PIECE + 5 };
        let inputs = harness::draw_inputs::<f32>(&operation, 2);
        harness::assert_same_bits(&operation, &inputs, &[true]);
        harness::assert_precisions_agree(&operation, &operation, &inputs, &[true], 1e-6);
    }
}
