//! ln(x / (1 - x)), cut off near 0 and 1 as the papers' code does.
//!
//! The official code of Deformable DETR clamps x to [0, 1], then both x and 1 - x to at least
//! 1e-5; a term at its bound has no gradient, as in torch 2.15.

use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};

/// Input and output: `[length]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InverseSigmoid {
    pub length: usize,
}

/// Elements of one task.
const PIECE: usize = 1 << 12;
/// Least value of both terms.
const EPSILON: f64 = 1e-5;

/// x in [0, 1], and both terms of the quotient.
#[inline]
fn terms<T: Real>(x: T) -> [T; 2] {
    let inside = x.max(T::ZERO).min(T::ONE);
    [inside, T::ONE - inside].map(|term| term.max(T::from_f64(EPSILON)))
}

/// The function.
#[inline]
pub(super) fn inverse_sigmoid<T: Real>(x: T) -> T {
    let [above, below] = terms(x);
    // `max` would turn a NaN into a number.
    if x.is_nan() { x } else { (above / below).ln() }
}

/// Its derivative.
#[inline]
pub(super) fn slope<T: Real>(x: T) -> T {
    let [above, below] = terms(x);
    let of_term = |term: T, value: T| {
        if value > T::from_f64(EPSILON) { T::ONE / term } else { T::ZERO }
    };
    if x <= T::ZERO || x >= T::ONE {
        T::ZERO
    } else {
        of_term(above, x) + of_term(below, T::ONE - x)
    }
}

impl Operation for InverseSigmoid {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.length]
    }

    fn output_length(&self) -> usize {
        self.length
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::INPUTS
    }
}

impl<T: Real> OnCpu<T> for InverseSigmoid {
    fn forward(&self, run: Forward<'_, T>) {
        let input = run.inputs[0];
        run.workers.for_each_piece(run.output, PIECE, |index, part| {
            for (to, from) in part.iter_mut().zip(&input[index * PIECE..]) {
                *to = inverse_sigmoid(*from);
            }
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let Some(to) = &mut run.input_gradients[0] else { return };
        let (input, update) = (run.inputs[0], to.update);
        run.workers.for_each_piece(to.values, PIECE, |index, part| {
            let start = index * PIECE;
            let pairs = input[start..].iter().zip(&run.output_gradient[start..]);
            for (to, (input, gradient)) in part.iter_mut().zip(pairs) {
                update.put(to, *gradient * slope(*input));
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
        let operation = InverseSigmoid { length: 9 };
        let inputs = [vec![0.1, 0.5, 0.9, 0.01, 0.99, -0.5, 1.5, 0.02, 0.3]];
        finite_difference::check_at(&operation, &inputs, &[true]);
    }

    #[test]
    fn near_the_ends_it_is_cut_off_and_nan_stays() {
        let largest = (1.0 / EPSILON).ln();
        for (x, wanted) in [(0.0, -largest), (-3.0, -largest), (1.0, largest), (7.0, largest)] {
            assert!((inverse_sigmoid(x) - wanted).abs() < 1e-9, "{x}");
        }
        assert!(inverse_sigmoid(f32::NAN).is_nan());
        let operation = InverseSigmoid { length: 2 * PIECE + 3 };
        let inputs = harness::draw_inputs::<f32>(&operation, 2);
        harness::assert_same_bits(&operation, &inputs, &[true]);
    }
}
