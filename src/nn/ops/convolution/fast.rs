//! The `f32` form of the way back, and how scratch memory is shared out.

use super::bordered::copy_with_border;
use super::data_gradient::DataGradient;
use super::description::Convolution;
use super::forward;
use super::operands::{Given, Gradients};
use super::scratch_lines::{sum_of_lines, take};
use super::weight_gradient::WeightGradient;
use crate::kernels::activation::Activation;
use crate::kernels::matrix_product::Update;
use crate::kernels::simd::Level;
use crate::nn::cpu::GradientMut;
use crate::nn::ops::column_sums;
use crate::nn::ops::relu::masked;
use crate::workers::Workers;

/// Floats of scratch memory of either direction.
pub(super) fn scratch_length(layer: &Convolution) -> usize {
    let gradient = DataGradient::new(layer, Level::best());
    let copied = layer.output_layout().with_border(gradient.border()).length();
    let weights = gradient.weights_length().max(WeightGradient::new(layer).scratch_length());
    let outputs = layer.geometry.out_channels;
    let bias = column_sums::scratch_length(copied / outputs, outputs);
    forward::scratch_length(layer, false).max(sum_of_lines(&[copied, weights.max(bias)]))
}

/// Writes the gradients that are wanted.
pub(super) fn backward(
    layer: &Convolution,
    given: Given<'_, f32>,
    gradients: Gradients<'_, f32>,
    mut scratch: &mut [f32],
    workers: &Workers,
) {
    let Gradients { map, weights, bias, residual } = gradients;
    let gradient = DataGradient::new(layer, Level::best());
    let border = if map.is_some() { gradient.border() } else { 0 };
    let layout = layer.output_layout().with_border(border);
    let mask = layer.relu.then_some(given.output);
    let passed = residual.and_then(|residual| pass_on(&given, mask, residual, workers));
    if map.is_none() && weights.is_none() && bias.is_none() {
        return;
    }
    let data = match (mask, passed) {
        (None, _) if border == 0 => given.gradient,
        (_, Some(passed)) if border == 0 => passed,
        _ => {
            let copy = take(&mut scratch, layout.length());
            copy_with_border(given.gradient, mask, layout, copy, workers);
            copy
        }
    };
    let output_gradient = Activation { data, layout };
    if let Some(mut bias) = bias {
        // A border holds zeros and may be summed too.
        column_sums::add_up(data, &mut bias, scratch, workers);
    }
    if let Some(map) = map {
        gradient.write(&given.inputs, output_gradient, map, scratch, workers);
    }
    if let Some(weights) = weights {
        let gradient = WeightGradient::new(layer);
        gradient.write(&given.inputs, output_gradient, weights, scratch, workers);
    }
}

/// Gives the residual its gradient. Where that overwrites, it is the masked gradient that the
/// others need too, and is answered.
fn pass_on<'a>(
    given: &Given<'_, f32>,
    mask: Option<&[f32]>,
    residual: GradientMut<'a, f32>,
    workers: &Workers,
) -> Option<&'a [f32]> {
    let GradientMut { values, update } = residual;
    masked(mask, given.gradient, values, update, workers);
    (update == Update::Overwrite).then_some(values)
}
