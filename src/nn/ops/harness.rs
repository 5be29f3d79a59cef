//! Runs one operation by itself, for tests: memory as the arena would hand it over, at its worst.
//!
//! Output, saved numbers and scratch start as NaN, and what the backward did not ask to read is
//! empty: an operation that reads what it must not fails every comparison.

use crate::kernels::matrix_product::Update;
use crate::nn::cpu::{Backward, Forward, GradientMut, OnCpu, Real};
use crate::nn::operation::StepKey;
use crate::random::{Purpose, Random, StreamKey};
use crate::workers::Workers;

/// A training step.
pub(crate) const STEP: StepKey = StepKey { seed: 7, stage: 1, step: 3, part: 0, training: true };

/// Thread counts at which every operation must give the same bits.
pub(crate) const THREADS: [usize; 4] = [1, 2, 3, 7];

/// `count` draws from the normal distribution.
pub(crate) fn draw<T: Real>(count: usize, seed: u64) -> Vec<T> {
    let mut random = Random::new(StreamKey::new(seed, Purpose::Sampling));
    (0..count).map(|_| T::from_f64(random.normal())).collect()
}

/// Normal draws for every input of an operation.
pub(crate) fn draw_inputs<T: Real>(operation: &dyn OnCpu<T>, seed: u64) -> Vec<Vec<T>> {
    let lengths = operation.input_lengths();
    let seeds = seed * 100..;
    lengths.into_iter().zip(seeds).map(|(length, seed)| draw(length, seed)).collect()
}

/// What a forward leaves for the backward.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept<T> {
    pub output: Vec<T>,
    pub saved: Vec<T>,
}

fn worst<T: Real>(length: usize) -> Vec<T> {
    vec![T::nan(); length]
}

fn scratch<T: Real>(operation: &dyn OnCpu<T>, workers: &Workers) -> Vec<T> {
    worst(operation.scratch_length(workers.count()))
}

/// Runs the forward.
pub(crate) fn forward<T: Real>(
    operation: &dyn OnCpu<T>,
    inputs: &[Vec<T>],
    workers: &Workers,
) -> Kept<T> {
    let slices: Vec<&[T]> = inputs.iter().map(Vec::as_slice).collect();
    let mut kept =
        Kept { output: worst(operation.output_length()), saved: worst(operation.saved_length()) };
    operation.forward(Forward {
        inputs: &slices,
        output: &mut kept.output,
        saved: &mut kept.saved,
        scratch: &mut scratch(operation, workers),
        prepared: &[],
        step: &STEP,
        workers,
    });
    kept
}

/// The inputs at some places; the others are empty.
fn some_of<T>(inputs: &[Vec<T>], wanted: impl Fn(usize) -> bool) -> Vec<&[T]> {
    let places = inputs.iter().enumerate();
    places.map(|(place, input)| if wanted(place) { &input[..] } else { &[] }).collect()
}

/// The output as prediction has it: weights packed before, memory as prediction lays it out.
pub(crate) fn prediction<T: Real>(
    operation: &dyn OnCpu<T>,
    inputs: &[Vec<T>],
    workers: &Workers,
) -> Vec<T> {
    let (weights, length) = (operation.prepared_inputs(), operation.prepared_length());
    let is_weight = |place: usize| length > 0 && weights.contains(&place);
    let mut prepared = worst(length);
    operation.prepare(&some_of(inputs, is_weight), &mut prepared, workers);
    let scratch_length = operation.prediction_scratch_length(workers.count(), length > 0);
    let mut output = worst(operation.output_length());
    operation.forward(Forward {
        inputs: &some_of(inputs, |place| !is_weight(place)),
        output: &mut output,
        saved: &mut worst(operation.prediction_saved_length()),
        scratch: &mut worst(scratch_length),
        prepared: &prepared,
        step: &STEP,
        workers,
    });
    output
}

/// Runs the backward into `gradients`: for each input, what its gradient holds before and what
/// happens to that, or `None`.
pub(crate) fn backward<T: Real>(
    operation: &dyn OnCpu<T>,
    inputs: &[Vec<T>],
    kept: &Kept<T>,
    output_gradient: &[T],
    gradients: &mut [Option<(Vec<T>, Update)>],
    workers: &Workers,
) {
    let reads = operation.backward_reads();
    let slices: Vec<&[T]> = inputs
        .iter()
        .zip(reads.inputs)
        .map(|(input, read)| if read { input.as_slice() } else { &[] })
        .collect();
    let mut wanted: Vec<Option<GradientMut<'_, T>>> = gradients
        .iter_mut()
        .map(|gradient| {
            let gradient = gradient.as_mut()?;
            Some(GradientMut { values: &mut gradient.0, update: gradient.1 })
        })
        .collect();
    operation.backward(Backward {
        inputs: &slices,
        output: if reads.output { &kept.output } else { &[] },
        output_gradient,
        saved: &kept.saved,
        scratch: &mut scratch(operation, workers),
        input_gradients: &mut wanted,
        step: &STEP,
        workers,
    });
}

/// The gradients of the inputs that are `wanted`, overwritten; empty for the others.
pub(crate) fn gradients<T: Real>(
    operation: &dyn OnCpu<T>,
    inputs: &[Vec<T>],
    kept: &Kept<T>,
    output_gradient: &[T],
    wanted: &[bool],
    workers: &Workers,
) -> Vec<Vec<T>> {
    let fresh =
        |(input, wanted): (&Vec<T>, &bool)| wanted.then(|| (worst(input.len()), Update::Overwrite));
    let mut gradients: Vec<_> = inputs.iter().zip(wanted).map(fresh).collect();
    backward(operation, inputs, kept, output_gradient, &mut gradients, workers);
    gradients
        .into_iter()
        .map(|gradient| gradient.map_or(Vec::new(), |(values, _)| values))
        .collect()
}

/// Asserts that forward and backward have the same bits at every number of threads.
pub(crate) fn assert_same_bits<T: Real>(
    operation: &dyn OnCpu<T>,
    inputs: &[Vec<T>],
    wanted: &[bool],
) {
    let output_gradient = draw(operation.output_length(), 11);
    let runs = THREADS.map(|threads| {
        let workers = Workers::with_threads(threads).unwrap();
        let kept = forward(operation, inputs, &workers);
        let gradients = gradients(operation, inputs, &kept, &output_gradient, wanted, &workers);
        (kept.output, gradients)
    });
    for (run, threads) in runs.iter().zip(THREADS) {
        assert_eq!(*run, runs[0], "{threads} threads: {operation:?}");
    }
}

/// Largest difference of an `f32` result to an `f64` one, as a share of the largest number.
pub(crate) fn relative_error(found: &[f32], wanted: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let scale = wanted.iter().fold(1e-30, |largest: f64, value| largest.max(value.abs()));
    let differences = found.iter().zip(wanted).map(|(got, want)| (f64::from(*got) - want).abs());
    // A NaN compares as the largest.
    differences.fold(0.0, |most: f64, next| if next <= most { most } else { next }) / scale
}

/// Asserts that the `f32` form agrees with the `f64` form on the same inputs within `tolerance`
/// of the largest number: output and gradients.
pub(crate) fn assert_precisions_agree(
    single: &dyn OnCpu<f32>,
    double: &dyn OnCpu<f64>,
    inputs: &[Vec<f32>],
    wanted: &[bool],
    tolerance: f64,
) {
    let widen = |values: &Vec<f32>| values.iter().map(|value| f64::from(*value)).collect();
    let workers = Workers::with_threads(2).unwrap();
    let wide: Vec<Vec<f64>> = inputs.iter().map(widen).collect();
    let output_gradient = draw(single.output_length(), 12);
    let (kept, kept_wide) = (forward(single, inputs, &workers), forward(double, &wide, &workers));
    let error = relative_error(&kept.output, &kept_wide.output);
    assert!(error < tolerance, "output: {error} {single:?}");
    let found = gradients(single, inputs, &kept, &output_gradient, wanted, &workers);
    let expected = gradients(double, &wide, &kept_wide, &widen(&output_gradient), wanted, &workers);
    for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let error = relative_error(found, expected);
        assert!(error < tolerance, "gradient of input {number}: {error} {single:?}");
    }
}
