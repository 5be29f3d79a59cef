//! The convolutional trainable operations against torch: outputs and gradients, through a network.
//!
//! `tests/golden/operations/convolution_operations.py` made the numbers.

mod golden_file;

use simdetr::kernels::matrix_product::Update;
use simdetr::nn::network::{Memory, NetworkBuilder, Purpose, TensorId};
use simdetr::nn::op::Op;
use simdetr::nn::operation::StepKey;
use simdetr::nn::ops::bilinear_resize::BilinearResize;
use simdetr::nn::ops::convolution::{Channels, Convolution, Geometry};
use simdetr::nn::ops::group_norm::GroupNorm;
use simdetr::nn::ops::max_pool::{MaxPool, Window as Pool};
use simdetr::workers::Workers;

const FILE: &str = "operations/convolution_operations.safetensors";
const STEP: StepKey = StepKey { seed: 1, stage: 1, step: 0, part: 0, training: true };

fn golden(name: &str) -> Vec<f32> {
    golden_file::tensor(FILE, name).1
}

/// Asserts that `found` is the golden tensor within 1e-5 of its largest number.
fn assert_close(found: &[f32], name: &str) {
    let (shape, wanted) = golden_file::tensor(FILE, name);
    let scale = wanted.iter().fold(1e-6, |most: f32, value| most.max(value.abs()));
    golden_file::assert_close(found, &shape, FILE, name, 1e-5 * scale);
}

/// Runs `operation` as a network whose parameters are its inputs; those in `frozen` are not
/// trained.
fn check(name: &str, operation: impl Into<Op>, frozen: &[usize]) {
    let workers = Workers::with_threads(2).unwrap();
    let operation = operation.into();
    let count = operation.description().input_lengths().len();
    let inputs: Vec<Vec<f32>> =
        (0..count).map(|place| golden(&format!("{name}.input_{place}"))).collect();
    // Trained ones first, as a network has them.
    let trained = (0..count).filter(|place| !frozen.contains(place));
    let mut ranges = vec![0..0; count];
    let mut parameters: Vec<f32> = Vec::new();
    for place in trained.clone().chain(frozen.iter().copied()) {
        ranges[place] = parameters.len()..parameters.len() + inputs[place].len();
        parameters.extend(&inputs[place]);
    }
    let mut builder = NetworkBuilder::new(workers.count());
    let tensors: Vec<TensorId> = (0..count)
        .map(|place| builder.parameter(ranges[place].clone(), !frozen.contains(&place)))
        .collect();
    let output = builder.add(operation, &tensors);
    let network = builder.finish(&[output], Purpose::Training { recompute: false });
    let mut memory = Memory::default();
    network.forward(&mut memory, &parameters, &STEP, &workers);
    assert_close(network.output(&memory, 0), &format!("{name}.output"));
    let given = golden(&format!("{name}.output_gradient"));
    network.outputs_and_gradients(&mut memory, [0])[0].1.copy_from_slice(&given);
    let mut gradients = vec![f32::NAN; parameters.len()];
    network.backward(&mut memory, &parameters, &mut gradients, Update::Overwrite, &STEP, &workers);
    for place in trained {
        assert_close(&gradients[ranges[place].clone()], &format!("{name}.gradient_{place}"));
    }
}

#[test]
fn convolutions_agree_with_torch() {
    for (name, [in_channels, out_channels, kernel, stride, padding, side]) in [
        ("same", [6, 10, 3, 1, 1, 5]),
        ("strided", [6, 10, 3, 2, 1, 7]),
        ("pointwise", [10, 18, 1, 1, 0, 4]),
        ("shortcut", [10, 18, 1, 2, 0, 7]),
        ("stem", [3, 5, 7, 2, 3, 11]),
    ] {
        let geometry = Geometry { in_channels, out_channels, kernel, stride, padding };
        let (channels, residual, relu) = (Channels::FrozenNorm, true, true);
        let (height, width) = (side, side - 1);
        let layer = Convolution { geometry, images: 2, height, width, channels, residual, relu };
        check(&format!("frozen_{name}"), layer, &[2, 3]);
    }
    let geometry = Geometry { in_channels: 5, out_channels: 20, kernel: 1, stride: 1, padding: 0 };
    let (channels, residual, relu) = (Channels::Bias, false, false);
    let layer = Convolution { geometry, images: 2, height: 4, width: 7, channels, residual, relu };
    check("bias", layer, &[]);
}

#[test]
fn max_pooling_agrees_with_torch_where_pixels_tie() {
    let geometry = Pool { window: 3, stride: 2, padding: 1 };
    check("max_pool", MaxPool { geometry, images: 2, height: 7, width: 8, channels: 5 }, &[]);
}

#[test]
fn group_norm_agrees_with_torch() {
    let norm = GroupNorm { images: 2, pixels: 30, channels: 12, groups: 4, epsilon: 1e-5 };
    check("group_norm", norm, &[]);
}

#[test]
fn bilinear_resizing_agrees_with_torch() {
    for (name, to_height, to_width) in [("up", 9, 11), ("down", 2, 3)] {
        let (height, width) = (5, 6);
        let resize = BilinearResize { images: 2, height, width, channels: 3, to_height, to_width };
        check(&format!("resize_{name}"), resize, &[]);
    }
}
