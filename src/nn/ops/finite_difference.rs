//! Gradients against finite differences in double precision: the one check of every operation.
//!
//! The output is reduced to one number by a fixed random linear functional; the central
//! difference of that number in one input's element must be the element's gradient.

use super::harness::{Kept, assert_same_bits, backward, draw, draw_inputs, forward, gradients};
use crate::kernels::matrix_product::Update;
use crate::nn::cpu::OnCpu;
use crate::workers::Workers;

/// Half the distance of the two values that are compared: small against the curvature of normal
/// draws, large against rounding.
const STEP: f64 = 1e-5;
/// Largest difference, as a share of the gradient's element plus the gradient's mean square.
const TOLERANCE: f64 = 1e-6;
/// Elements of one input that are compared at most, evenly spread.
const ELEMENTS_MAX: usize = 400;

/// Checks `operation` on normal draws; every input must be differentiable there.
pub(crate) fn check(operation: &dyn OnCpu<f64>, seed: u64) {
    let inputs = draw_inputs(operation, seed);
    check_at(operation, &inputs, &vec![true; inputs.len()]);
}

/// Checks `operation` at `inputs`: the gradient of each input that is `differentiable` against
/// differences, overwritten and added, alone and together, at several thread counts.
///
/// Inputs that are not differentiable (indices, masks, frozen numbers) never ask for a gradient.
pub(crate) fn check_at(operation: &dyn OnCpu<f64>, inputs: &[Vec<f64>], differentiable: &[bool]) {
    let lengths: Vec<usize> = inputs.iter().map(Vec::len).collect();
    assert_eq!(lengths, operation.input_lengths());
    assert_eq!(differentiable.len(), inputs.len());
    let workers = Workers::caller();
    let functional: Vec<f64> = draw(operation.output_length(), 4242);
    let kept = forward(operation, inputs, &workers);
    assert!(kept.output.iter().all(|value| value.is_finite()), "output of {operation:?}");
    let all = gradients(operation, inputs, &kept, &functional, differentiable, &workers);
    for (input, gradient) in all.iter().enumerate().filter(|(_, gradient)| !gradient.is_empty()) {
        compare(operation, inputs, &functional, (input, gradient));
        alone(operation, inputs, &kept, &functional, (input, gradient));
    }
    added(operation, inputs, &kept, &functional, &all);
    assert_same_bits(operation, inputs, differentiable);
}

/// One gradient against differences.
fn compare(
    operation: &dyn OnCpu<f64>,
    inputs: &[Vec<f64>],
    functional: &[f64],
    (input, gradient): (usize, &[f64]),
) {
    let workers = Workers::caller();
    let mut moved = inputs.to_vec();
    let mut value_at = |element: usize, value: f64| {
        let before = std::mem::replace(&mut moved[input][element], value);
        let kept = forward(operation, &moved, &workers);
        moved[input][element] = before;
        kept.output
    };
    let squares: f64 = gradient.iter().map(|value| value * value).sum();
    let mean = (squares / gradient.len().max(1) as f64).sqrt();
    let stride = gradient.len().div_ceil(ELEMENTS_MAX).max(1);
    for element in (0..gradient.len()).step_by(stride) {
        let at = inputs[input][element];
        let (above, below) = (value_at(element, at + STEP), value_at(element, at - STEP));
        // Element by element, so that what this input does not touch cancels without rounding.
        let terms = functional.iter().zip(above.iter().zip(&below));
        let difference =
            terms.map(|(weight, (above, below))| weight * (above - below)).sum::<f64>();
        let (wanted, found) = (difference / (2.0 * STEP), gradient[element]);
        assert!(
            (found - wanted).abs() <= TOLERANCE * (wanted.abs() + mean) + 1e-9,
            "input {input}, element {element}: {found} is not {wanted} (mean {mean}): {operation:?}"
        );
    }
}

/// The same gradient when nobody wants the others.
fn alone(
    operation: &dyn OnCpu<f64>,
    inputs: &[Vec<f64>],
    kept: &Kept<f64>,
    functional: &[f64],
    (input, gradient): (usize, &[f64]),
) {
    let wanted: Vec<bool> = (0..inputs.len()).map(|other| other == input).collect();
    let found = gradients(operation, inputs, kept, functional, &wanted, &Workers::caller());
    assert_close(&found[input], gradient, &format!("input {input} alone: {operation:?}"));
}

/// The same gradients added to what was there.
fn added(
    operation: &dyn OnCpu<f64>,
    inputs: &[Vec<f64>],
    kept: &Kept<f64>,
    functional: &[f64],
    all: &[Vec<f64>],
) {
    let before: Vec<Vec<f64>> = all.iter().map(|gradient| draw(gradient.len(), 77)).collect();
    let mut sums: Vec<Option<(Vec<f64>, Update)>> = before
        .iter()
        .map(|values| (!values.is_empty()).then(|| (values.clone(), Update::Add)))
        .collect();
    backward(operation, inputs, kept, functional, &mut sums, &Workers::caller());
    for (input, (sum, (before, gradient))) in sums.iter().zip(before.iter().zip(all)).enumerate() {
        if let Some((sum, _)) = sum {
            let wanted: Vec<f64> = before.iter().zip(gradient).map(|(a, b)| a + b).collect();
            assert_close(sum, &wanted, &format!("input {input} added: {operation:?}"));
        }
    }
}

fn assert_close(found: &[f64], wanted: &[f64], what: &str) {
    let scale = wanted.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
    for (element, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let close = (found - wanted).abs() <= 1e-12 * scale;
        assert!(close, "element {element}: {found} is not {wanted}; {what}");
    }
}
