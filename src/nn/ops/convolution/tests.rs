//! Convolutions of every kind: differences, precisions, thread counts.

use super::*;
use crate::nn::ops::finite_difference;
use crate::nn::ops::harness::{
    assert_precisions_agree, assert_same_bits, draw_inputs, forward, prediction, relative_error,
};

fn layer(
    [in_channels, out_channels, kernel, stride, padding]: [usize; 5],
    [images, height, width]: [usize; 3],
) -> Convolution {
    let geometry = Geometry { in_channels, out_channels, kernel, stride, padding };
    let (channels, residual, relu) = (Channels::Plain, false, false);
    Convolution { geometry, images, height, width, channels, residual, relu }
}

/// Which inputs have a gradient.
fn trained(layer: &Convolution) -> Vec<bool> {
    let frozen = layer.channels == Channels::FrozenNorm;
    let count = layer.input_lengths().len();
    (0..count).map(|input| !(frozen && (input == 2 || input == 3))).collect()
}

#[test]
fn gradients_are_finite_differences() {
    let cases = [
        ([3, 5, 3, 1, 1], [2, 4, 5], Channels::FrozenNorm, true, true),
        ([2, 3, 3, 2, 1], [1, 6, 7], Channels::Bias, false, false),
        ([4, 3, 1, 2, 0], [2, 5, 4], Channels::FrozenNorm, false, true),
        ([3, 4, 1, 1, 0], [2, 3, 3], Channels::Bias, true, false),
        ([2, 3, 7, 2, 3], [1, 9, 8], Channels::Plain, false, true),
        ([2, 2, 2, 3, 0], [1, 8, 6], Channels::Plain, true, false),
    ];
    for (shape, size, channels, residual, relu) in cases {
        let layer = Convolution { channels, residual, relu, ..layer(shape, size) };
        let inputs = draw_inputs::<f64>(&layer, 5);
        finite_difference::check_at(&layer, &inputs, &trained(&layer));
    }
}

/// Direct and Winograd's form, phases without taps, maps smaller than a tile, channels that fill
/// no vector, every epilogue.
#[test]
fn single_precision_agrees_with_double() {
    let cases = [
        ([3, 20, 7, 2, 3], [2, 33, 38]),
        ([16, 32, 3, 1, 1], [2, 40, 44]),
        ([64, 80, 3, 1, 1], [1, 37, 50]),
        ([64, 64, 3, 1, 1], [2, 3, 2]),
        ([64, 64, 3, 1, 1], [2, 9, 10]),
        ([20, 70, 3, 1, 1], [2, 6, 7]),
        ([24, 33, 3, 2, 1], [2, 9, 12]),
        ([16, 40, 1, 2, 0], [2, 7, 10]),
        ([70, 200, 1, 1, 0], [2, 21, 16]),
        ([5, 7, 2, 3, 0], [1, 11, 9]),
        ([1, 1, 3, 1, 1], [1, 1, 1]),
    ];
    for (shape, size) in cases {
        for (channels, residual, relu) in [
            (Channels::FrozenNorm, true, false),
            (Channels::Bias, false, false),
            (Channels::Plain, true, false),
        ] {
            let layer = Convolution { channels, residual, relu, ..layer(shape, size) };
            let inputs = draw_inputs::<f32>(&layer, 3);
            assert_precisions_agree(&layer, &layer, &inputs, &trained(&layer), 2e-6);
            assert_prediction_agrees(&layer, &inputs);
        }
    }
}

/// Weights that are packed once give what those of a step give, to rounding: Winograd's form may serve
/// the one and not the other.
fn assert_prediction_agrees(layer: &Convolution, inputs: &[Vec<f32>]) {
    let widen = |values: &Vec<f32>| values.iter().map(|value| f64::from(*value)).collect();
    let wide: Vec<Vec<f64>> = inputs.iter().map(widen).collect();
    let wanted = forward::<f64>(layer, &wide, &Workers::caller()).output;
    let [one, three] = [1, 3]
        .map(|threads| prediction::<f32>(layer, inputs, &Workers::with_threads(threads).unwrap()));
    assert_eq!(one, three, "{layer:?}");
    let error = relative_error(&one, &wanted);
    // Winograd's transforms of many channels lose a little more.
    let most = if layer.geometry.in_channels >= 64 { 3e-6 } else { 2e-6 };
    assert!(error < most, "{error} {layer:?}");
}

/// ReLU in single precision: a shift keeps every sum away from 0, where rounding decides.
#[test]
fn the_gradient_stops_where_the_output_is_zero() {
    for shape in [[16, 32, 3, 1, 1], [8, 12, 1, 1, 0], [8, 12, 3, 2, 1]] {
        let layer = Convolution {
            channels: Channels::FrozenNorm,
            residual: true,
            relu: true,
            ..layer(shape, [2, 30, 31])
        };
        let mut inputs = draw_inputs::<f32>(&layer, 3);
        inputs[1].iter_mut().for_each(|weight| *weight *= 1e-3);
        let shifts = inputs[3].iter_mut().enumerate();
        shifts.for_each(|(index, shift)| *shift = if index % 3 == 0 { 9.0 } else { -9.0 });
        assert_precisions_agree(&layer, &layer, &inputs, &trained(&layer), 2e-6);
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let cases = [
        ([16, 32, 3, 1, 1], [2, 45, 38]),
        // Winograd's form in as many bands as there are workers.
        ([16, 32, 3, 1, 1], [1, 20, 22]),
        ([33, 130, 1, 1, 0], [2, 45, 38]),
        ([8, 12, 3, 2, 1], [2, 45, 38]),
        ([3, 16, 7, 2, 3], [2, 45, 38]),
    ];
    for (shape, size) in cases {
        let layer = Convolution {
            channels: Channels::Bias,
            residual: true,
            relu: true,
            ..layer(shape, size)
        };
        assert_same_bits(&layer, &draw_inputs::<f32>(&layer, 4), &trained(&layer));
    }
}
