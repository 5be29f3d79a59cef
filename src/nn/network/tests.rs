//! The plan against hand-made sums: gradients through shared tensors, detached edges, frozen
//! parameters and several parts of a step.

use super::plan::Places;
use super::*;
use crate::control::Control;
use crate::kernels::matrix_product::Update;
use crate::nn::backend::Backend;
use crate::nn::cpu::{Backward, Cpu, Forward, GradientMut, OnCpu, Real};
use crate::nn::element::Element;
use crate::nn::op::Op;
use crate::nn::operation::{BackwardReads, Operation, StepKey};
use crate::nn::ops::add::Add;
use crate::nn::ops::convolution::{Channels, Convolution, Geometry};
use crate::nn::parameter_values::ParameterValues;
use crate::nn::placement::ALIGNMENT_BYTES;
use crate::workers::Workers;

/// z = a * b, element by element.
#[derive(Debug, Clone, PartialEq)]
pub struct Multiply(usize);

impl Operation for Multiply {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.0; 2]
    }

    fn output_length(&self) -> usize {
        self.0
    }

    fn saved_length(&self) -> usize {
        1
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::INPUTS
    }
}

impl<T: Real> OnCpu<T> for Multiply {
    fn scratch_length(&self, workers_count: usize) -> usize {
        workers_count
    }

    fn forward(&self, run: Forward<'_, T>) {
        run.scratch.fill(T::from_f64(f64::NAN));
        run.saved[0] = T::from_f64(7.0);
        for (place, z) in run.output.iter_mut().enumerate() {
            *z = run.inputs[0][place] * run.inputs[1][place];
        }
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        run.scratch.fill(T::from_f64(f64::NAN));
        assert_eq!(run.saved[0].as_f64(), 7.0);
        for (which, gradient) in run.input_gradients.iter_mut().enumerate() {
            let Some(GradientMut { values, update }) = gradient else { continue };
            for (place, value) in values.iter_mut().enumerate() {
                let mine = run.output_gradient[place] * run.inputs[1 - which][place];
                *value = if *update == Update::Add { *value + mine } else { mine };
            }
        }
    }
}

const TRAINING: Purpose = Purpose::Training { recompute: false };
const STEP: StepKey = StepKey { seed: 0, stage: 1, step: 0, part: 0, training: true };

#[test]
fn gradients_add_up_over_consumers_and_parts() {
    // y = x a; u = y b; v = y u: the outputs are v and y, so y has three readers.
    let mut builder = NetworkBuilder::new(2);
    let x = builder.data(2);
    let (a, b) = (builder.parameter(0..2, true), builder.parameter(2..4, true));
    let frozen = builder.parameter(4..6, false);
    let y = builder.add(Multiply(2), &[x, a]);
    let scaled = builder.add(Multiply(2), &[y, frozen]);
    let u = builder.add(Multiply(2), &[scaled, b]);
    let v = builder.add(Multiply(2), &[y, u]);
    let network = builder.finish(&[v, y], TRAINING);
    let parameters = [2.0, 3.0, 5.0, 7.0, 1.5, 2.5];
    let mut memory = Memory::default();
    let mut gradients = [f64::NAN; 6];
    let workers = Workers::caller();
    for (part, update) in [Update::Overwrite, Update::Add].into_iter().enumerate() {
        network.data_mut(&mut memory, x).copy_from_slice(&[1.0, 2.0]);
        network.forward(&mut memory, &parameters, &STEP, &workers);
        // v = x² a² f b and y = x a.
        assert_eq!(network.output(&memory, 0), [4.0 * 1.5 * 5.0, 36.0 * 2.5 * 7.0]);
        let [(_, first), (values, second)] = network.outputs_and_gradients(&mut memory, [0, 1]);
        assert_eq!(values, [2.0, 6.0]);
        first.fill(1.0);
        second.fill(10.0);
        network.backward(&mut memory, &parameters, &mut gradients, update, &STEP, &workers);
        let times = (part + 1) as f64;
        // dv/da + 10 dy/da = 2 x² a f b + 10 x; dv/db = x² a² f. The frozen range is not touched.
        let a_gradient = [2.0 * 2.0 * 1.5 * 5.0 + 10.0, 2.0 * 4.0 * 3.0 * 2.5 * 7.0 + 20.0];
        let b_gradient = [4.0 * 1.5, 36.0 * 2.5];
        for place in 0..2 {
            assert_eq!(gradients[place], times * a_gradient[place]);
            assert_eq!(gradients[2 + place], times * b_gradient[place]);
            assert!(gradients[4 + place].is_nan());
        }
    }
}

#[test]
fn nothing_flows_through_a_detached_edge() {
    let mut builder = NetworkBuilder::new(1);
    let x = builder.data(1);
    let (a, b) = (builder.parameter(0..1, true), builder.parameter(1..2, true));
    let unused = builder.parameter(2..3, true);
    let y = builder.add(Multiply(1), &[x, a]);
    let z = builder.add(Multiply(1), &[y.detached(), b]);
    let _ = builder.add(Multiply(1), &[y, unused]);
    let network = builder.finish(&[z], TRAINING);
    let (mut memory, mut gradients) = (Memory::default(), [9.0; 3]);
    network.data_mut(&mut memory, x)[0] = 3.0;
    let parameters = [2.0, 5.0, 1.0];
    network.forward(&mut memory, &parameters, &STEP, &Workers::caller());
    network.outputs_and_gradients(&mut memory, [0])[0].1[0] = 1.0;
    let workers = Workers::caller();
    network.backward(&mut memory, &parameters, &mut gradients, Update::Overwrite, &STEP, &workers);
    assert_eq!(gradients, [0.0, 6.0, 0.0]);
}

#[test]
fn prediction_needs_less_memory_than_training() {
    let chain = |purpose| {
        let mut builder = NetworkBuilder::new(1);
        let mut map = builder.data(1000);
        for _ in 0..10 {
            let weights = builder.parameter(0..1000, true);
            map = builder.add(Multiply(1000), &[map, weights]);
        }
        builder.finish::<f32>(&[map], purpose).memory_length()
    };
    assert!(chain(Purpose::Prediction) < 2200);
    assert!(chain(TRAINING) >= 11_000);
}

/// A 3x3 convolution of 32 channels packs its weights as they are for a small map and transformed for a
/// larger one: the same parameters serve both, and each form is kept once.
#[test]
fn sizes_that_want_other_forms_of_the_weights_share_the_parameters() {
    const CHANNELS: usize = 32;
    let geometry = Geometry {
        in_channels: CHANNELS,
        out_channels: CHANNELS,
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    let number = |index: usize| ((index * 7919 % 1009) as f32 - 504.0) / 5000.0;
    let parameters = ParameterValues::new((0..geometry.weights_count()).map(number).collect());
    let workers = Workers::caller();
    let predict = |side: usize| {
        let build = |purpose| {
            let mut builder = NetworkBuilder::new(1);
            let map = builder.data(side * side * CHANNELS);
            let weights = builder.parameter(0..geometry.weights_count(), true);
            let (channels, residual, relu) = (Channels::Plain, false, false);
            let (images, height, width) = (1, side, side);
            let layer = Convolution { geometry, images, height, width, channels, residual, relu };
            let output = builder.add(layer, &[map, weights]);
            (builder.finish::<f32>(&[output], purpose), map)
        };
        let fill = |values: &mut [f32]| {
            values.iter_mut().enumerate().for_each(|(index, value)| *value = number(index + 5));
        };
        let (network, map) = build(Purpose::Prediction);
        let constants = network.constants(&parameters, &[], &workers).unwrap();
        let (mut memory, mut trained) = (Memory::default(), Memory::default());
        fill(network.data_mut(&mut memory, map));
        let runners = (&workers, &Control::default());
        network.predict(&mut memory, &parameters, &constants, runners).unwrap();
        let (other, map) = build(TRAINING);
        fill(other.data_mut(&mut trained, map));
        other.forward(&mut trained, parameters.as_slice(), &STEP, &workers);
        for (one, other) in network.output(&memory, 0).iter().zip(other.output(&trained, 0)) {
            assert!((one - other).abs() < 1e-5, "{side}: {one} and {other}");
        }
        parameters.memory_bytes()
    };
    let (small, both) = (predict(3), predict(12));
    assert!(both > small, "one form serves both");
    assert_eq!((predict(3), predict(12)), (both, both));
}

/// A backend that computes nothing.
#[derive(Debug)]
struct Elsewhere;

impl Backend for Elsewhere {
    fn element(&self) -> Element {
        Element::F32
    }

    fn scratch_length(&self, _: &Op) -> usize {
        7
    }

    fn prediction_scratch_length(&self, _: &Op, _: bool) -> usize {
        5
    }

    fn prediction_saved_length(&self, _: &Op) -> usize {
        0
    }

    fn prepared_length(&self, _: &Op) -> usize {
        0
    }
}

#[test]
fn a_plan_is_laid_out_in_bytes_from_what_its_backend_says() {
    let plan = |purpose, backend: &dyn Backend| {
        let mut builder = NetworkBuilder::new(1);
        let (data, weights) = (builder.data(100), builder.parameter(0..100, true));
        let map = builder.add(Multiply(100), &[data, weights]);
        builder.plan(&[map], purpose, backend)
    };
    let lengths = |ranges: &[Range<usize>]| ranges.iter().map(Range::len).collect::<Vec<_>>();
    let there = plan(TRAINING, &Elsewhere);
    assert_eq!((there.element(), lengths(&there.places.saved)), (Element::F32, vec![4]));
    // There, back, and not again.
    assert_eq!(lengths(&there.places.scratch), [28, 28, 0]);
    assert_eq!(lengths(&there.places.values), [400, 0, 400]);
    let prediction = plan(Purpose::Prediction, &Elsewhere);
    assert_eq!(lengths(&prediction.places.scratch), [20, 0, 0]);
    assert_eq!(lengths(&prediction.places.saved), [0]);
    for plan in [there, prediction, plan(TRAINING, &Cpu::<f64>::new(3))] {
        let Places { values, gradients, saved, scratch, bytes, .. } = &plan.places;
        for place in [values, gradients, saved, scratch].into_iter().flatten() {
            assert_eq!(place.start % ALIGNMENT_BYTES, 0);
            assert!(place.end <= *bytes && place.len() % plan.element().bytes() == 0);
        }
    }
}

#[test]
fn what_is_computed_again_has_the_same_bits_in_less_memory() {
    const LENGTH: usize = 100;
    const LAYERS: usize = 6;
    // y is kept for the gradient of `second`, so y + data can be computed again, and so can its sum
    // with y, for the gradient of `third`; the last sum cannot, as its inputs are not kept.
    let build = |recompute| {
        let mut builder = NetworkBuilder::new(1);
        let data = builder.data(LENGTH);
        let mut map = data;
        for layer in 0..LAYERS {
            let mut weights = |which| {
                builder
                    .parameter((3 * layer + which) * LENGTH..(3 * layer + which + 1) * LENGTH, true)
            };
            let (first, second, third) = (weights(0), weights(1), weights(2));
            let y = builder.add(Multiply(LENGTH), &[map, first]);
            let kept = builder.add(Multiply(LENGTH), &[y, second]);
            let sum = builder.add(Add { length: LENGTH }, &[y, data]);
            let shifted = builder.add(Add { length: LENGTH }, &[sum, y]);
            map = builder.add(Multiply(LENGTH), &[shifted, third]);
            map = builder.add(Add { length: LENGTH }, &[map, kept]);
        }
        let network = builder.finish(&[map], Purpose::Training { recompute });
        (network, data)
    };
    let run = |recompute| {
        let (network, data) = build(recompute);
        let parameters: Vec<f64> =
            (0..3 * LAYERS * LENGTH).map(|i| 0.5 + (i % 17) as f64 / 31.0).collect();
        let (mut memory, mut gradients) = (Memory::default(), vec![f64::NAN; parameters.len()]);
        let values = network.data_mut(&mut memory, data);
        values.iter_mut().enumerate().for_each(|(i, value)| *value = (i % 7) as f64 / 3.0);
        let workers = Workers::caller();
        network.forward(&mut memory, &parameters, &STEP, &workers);
        network.outputs_and_gradients(&mut memory, [0])[0].1.fill(1.0);
        let update = Update::Overwrite;
        network.backward(&mut memory, &parameters, &mut gradients, update, &STEP, &workers);
        let bits: Vec<u64> = gradients.iter().map(|value| value.to_bits()).collect();
        (network.memory_length(), bits)
    };
    let ((length, bits), (length_again, bits_again)) = (run(false), run(true));
    assert_eq!(bits, bits_again);
    assert!(length_again + LAYERS / 2 * LENGTH <= length, "{length_again} against {length}");
}
