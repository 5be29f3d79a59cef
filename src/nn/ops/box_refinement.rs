//! A box from a reference and a correction: sigmoid(correction + inverse sigmoid(reference)).
//!
//! Zhu et al., arXiv:2010.04159, A.4. References are points, which move the centre alone, or
//! boxes. Where the paper detaches the reference, the network takes it detached.

use super::inverse_sigmoid::{inverse_sigmoid, slope};
use super::sigmoid::sigmoid;
use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, INPUTS_MAX, Operation};

/// Inputs: corrections `[rows, 4]`, references `[rows, coordinates]` in [0, 1]. Output: boxes
/// `[rows, 4]`, centre and sides in shares of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxRefinement {
    pub rows: usize,
    /// 2 or 4.
    pub coordinates: usize,
}

/// Rows of one task.
const TASK_ROWS: usize = 1 << 10;

impl Operation for BoxRefinement {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.rows * 4, self.rows * self.coordinates]
    }

    fn output_length(&self) -> usize {
        self.rows * 4
    }

    fn backward_reads(&self) -> BackwardReads {
        let mut inputs = [false; INPUTS_MAX];
        inputs[1] = true;
        BackwardReads { inputs, output: true }
    }
}

impl<T: Real> OnCpu<T> for BoxRefinement {
    fn forward(&self, run: Forward<'_, T>) {
        let (corrections, references) = (run.inputs[0], run.inputs[1]);
        run.workers.for_each_piece(run.output, TASK_ROWS * 4, |task, output| {
            let corrections = corrections[task * TASK_ROWS * 4..].as_chunks::<4>().0;
            let references = &references[task * TASK_ROWS * self.coordinates..];
            let references = references.chunks_exact(self.coordinates);
            let rows = output.as_chunks_mut::<4>().0.iter_mut();
            for ((to, correction), reference) in rows.zip(corrections).zip(references) {
                *to = *correction;
                for (to, reference) in to.iter_mut().zip(reference) {
                    *to += inverse_sigmoid(*reference);
                }
                *to = to.map(sigmoid);
            }
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let through = |place: usize| {
            let output = run.output[place];
            run.output_gradient[place] * output * (T::ONE - output)
        };
        if let Some(to) = &mut run.input_gradients[0] {
            let update = to.update;
            to.values.iter_mut().enumerate().for_each(|(place, to)| update.put(to, through(place)));
        }
        if let Some(to) = &mut run.input_gradients[1] {
            let update = to.update;
            for (place, (to, reference)) in to.values.iter_mut().zip(run.inputs[1]).enumerate() {
                let (row, coordinate) = (place / self.coordinates, place % self.coordinates);
                update.put(to, through(row * 4 + coordinate) * slope(*reference));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;

    fn draw<T: Real>(operation: &BoxRefinement) -> Vec<Vec<T>> {
        let mut inputs = harness::draw_inputs::<T>(operation, 1);
        inputs[1].iter_mut().for_each(|reference| *reference = sigmoid(*reference));
        inputs
    }

    #[test]
    fn gradients_are_finite_differences() {
        for coordinates in [2, 4] {
            let operation = BoxRefinement { rows: 7, coordinates };
            finite_difference::check_at(&operation, &draw(&operation), &[true; 2]);
        }
    }

    #[test]
    fn no_correction_leaves_the_reference() {
        let operation = BoxRefinement { rows: TASK_ROWS + 1, coordinates: 4 };
        let mut inputs = draw::<f32>(&operation);
        harness::assert_same_bits(&operation, &inputs, &[true; 2]);
        inputs[0].fill(0.0);
        let kept = harness::forward(&operation, &inputs, &crate::workers::Workers::caller());
        for (found, wanted) in kept.output.iter().zip(&inputs[1]) {
            assert!((found - wanted).abs() < 1e-6);
        }
    }
}
