//! The `f32` form: packs the weights of this step and runs the vector kernels.

use super::bordered::copy_with_border;
use super::data_gradient::DataGradient;
use super::direct::{Direct, KERNEL_MAX, Window};
use super::packing::{Source, pack, transform};
use super::weight_gradient::WeightGradient;
use super::{Convolution, Given, Gradients, Inputs};
use crate::nn::activation::{Activation, Band, Layout};
use crate::nn::aligned::LINE;
use crate::nn::convolution::{Finish, Geometry};
use crate::nn::local::with_local;
use crate::nn::matrix_product::Update;
use crate::nn::operation::GradientMut;
use crate::nn::ops::column_sums;
use crate::nn::ops::relu::masked;
use crate::nn::simd::Level;
use crate::nn::simd::panels::PanelsView;
use crate::nn::simd::winograd::{KERNEL_VALUES, LANES_MAX, OUTPUT_SIDE, PLACES};
use crate::nn::winograd::WinogradView;
use crate::workers::Workers;

/// What transforming one kernel costs, in multiplications of Winograd's form: its 36 values are
/// written and read again.
const KERNEL_COST: usize = 2000;

/// Whether Winograd's form serves a 3x3 convolution over an output of this layout, and is faster
/// than the direct form.
pub(super) fn winograd_pays(geometry: &Geometry, output: &Layout) -> bool {
    let fits = geometry.kernel == 3 && geometry.stride == 1 && geometry.padding == 1;
    // Gradients are added by whole vectors.
    let whole = |channels: usize| channels.is_multiple_of(LANES_MAX);
    let tiles = output.height.div_ceil(OUTPUT_SIDE) * output.width.div_ceil(OUTPUT_SIDE);
    let (direct, pixels) = (KERNEL_VALUES, output.height * output.width);
    fits && whole(geometry.in_channels)
        && whole(geometry.out_channels)
        && direct * output.images * pixels > PLACES * output.images * tiles + KERNEL_COST
}

/// Takes the first `length` floats of `scratch`, rounded up to whole cache lines.
pub(super) fn take<'a>(scratch: &mut &'a mut [f32], length: usize) -> &'a mut [f32] {
    let (part, rest) = std::mem::take(scratch).split_at_mut(length.next_multiple_of(LINE));
    *scratch = rest;
    &mut part[..length]
}

/// Floats that [`take`] takes for all these lengths.
pub(super) fn sum_of_lines(lengths: &[usize]) -> usize {
    lengths.iter().map(|length| length.next_multiple_of(LINE)).sum()
}

/// Floats of scratch memory of either direction.
pub(super) fn scratch_length(layer: &Convolution) -> usize {
    let level = Level::best();
    let forward = ForwardLengths::new(layer, level);
    let gradient = DataGradient::new(layer, level);
    let copied = layer.output_layout().with_border(gradient.border()).length();
    let weights = gradient.weights_length().max(WeightGradient::new(layer).scratch_length());
    let outputs = layer.geometry.out_channels;
    let bias = column_sums::scratch_length(copied / outputs, outputs);
    forward.sum().max(sum_of_lines(&[copied, weights.max(bias)]))
}

/// Floats that a forward needs for packed weights, padded bias and bordered map.
struct ForwardLengths {
    weights: usize,
    bias: usize,
    map: usize,
}

impl ForwardLengths {
    fn new(layer: &Convolution, level: Level) -> ForwardLengths {
        let geometry = &layer.geometry;
        let bias = geometry.out_channels.next_multiple_of(LANES_MAX);
        if winograd_pays(geometry, &layer.output_layout()) {
            let (inputs, outputs) = (geometry.in_channels, geometry.out_channels);
            let weights = WinogradView::weights_length(level, inputs, outputs);
            return ForwardLengths { weights, bias, map: 0 };
        }
        let inner = geometry.kernel * geometry.kernel * geometry.in_channels;
        let weights = PanelsView::length(level, inner, geometry.out_channels);
        let bordered = layer.input_layout().with_border(geometry.padding);
        let map = if geometry.padding == 0 { 0 } else { bordered.length() };
        ForwardLengths { weights, bias, map }
    }

    fn sum(&self) -> usize {
        sum_of_lines(&[self.weights, self.bias, self.map])
    }
}

/// Computes the output.
pub(super) fn forward(
    layer: &Convolution,
    inputs: Inputs<'_, f32>,
    output: &mut [f32],
    mut scratch: &mut [f32],
    workers: &Workers,
) {
    let level = Level::best();
    let geometry = &layer.geometry;
    let lengths = ForwardLengths::new(layer, level);
    let packed = take(&mut scratch, lengths.weights);
    let bias: &[f32] = match inputs.shift {
        None => &[],
        Some(shift) => {
            let bias = take(&mut scratch, lengths.bias);
            bias[..shift.len()].copy_from_slice(shift);
            bias[shift.len()..].fill(0.0);
            bias
        }
    };
    if winograd_pays(geometry, &layer.output_layout()) {
        transform(level, geometry, (inputs.weights, inputs.scale), packed, workers);
        let (in_channels, out_channels) = (geometry.in_channels, geometry.out_channels);
        let view = WinogradView { in_channels, out_channels, level, weights: packed, bias };
        let map = Activation { data: inputs.map, layout: layer.input_layout() };
        let layout = layer.output_layout();
        let residual = inputs.residual.map(|data| Activation { data, layout });
        let finish = Finish { residual, relu: layer.relu, add: false };
        return run_winograd(view, map, finish, (output, layout), workers);
    }
    pack_taps(layer, &inputs, packed, workers);
    let layout = layer.input_layout().with_border(geometry.padding);
    let data = match geometry.padding {
        0 => inputs.map,
        _ => {
            let copy = take(&mut scratch, lengths.map);
            copy_with_border(inputs.map, None, layout, copy, workers);
            copy
        }
    };
    let inner = geometry.kernel * geometry.kernel * geometry.in_channels;
    let window = Window {
        panels: PanelsView::new(level, inner, geometry.out_channels, packed, bias),
        rows: geometry.kernel,
        segment_length: geometry.kernel * geometry.in_channels,
        corner: [0, 0],
        step: geometry.stride,
        phase: [0, 0],
        spacing: 1,
    };
    let direct = Direct {
        input: Activation { data, layout },
        output: layer.output_layout(),
        residual: inputs.residual,
        relu: layer.relu,
        add: false,
    };
    direct.run(1, |_| window, output, workers);
}

/// Packs the weights in the order (kernel row, kernel column, input channel), as pixels lie.
fn pack_taps(layer: &Convolution, inputs: &Inputs<'_, f32>, packed: &mut [f32], workers: &Workers) {
    let geometry = &layer.geometry;
    let taps_count = geometry.kernel * geometry.kernel;
    let taps: [usize; KERNEL_MAX * KERNEL_MAX] = std::array::from_fn(|tap| tap);
    let source = Source {
        weights: inputs.weights,
        taps: &taps[..taps_count],
        channels: geometry.in_channels,
        channel_stride: taps_count,
        columns: geometry.out_channels,
        column_stride: geometry.in_channels * taps_count,
        channel_scale: None,
        column_scale: inputs.scale,
    };
    pack(Level::best(), source, packed, workers);
}

/// Runs Winograd's form over a dense output.
pub(super) fn run_winograd(
    view: WinogradView<'_>,
    input: Activation<'_>,
    finish: Finish<'_>,
    (output, layout): (&mut [f32], Layout),
    workers: &Workers,
) {
    let band_rows = WinogradView::band_rows(layout.height, layout.width);
    let bands = layout.height.div_ceil(band_rows);
    let first_row = |band: usize| (band * band_rows).min(layout.height);
    let start_of = |part: usize| {
        (part / bands * layout.height + first_row(part % bands)) * layout.row_length()
    };
    let memory_length = view.scratch_length(layout.height, layout.width);
    workers.for_each_part(output, layout.images * bands, start_of, |part, data| {
        let rows = first_row(part % bands)..first_row(part % bands + 1);
        let band = Band { data, layout, image: part / bands, rows };
        with_local(memory_length, |memory| view.write_band(input, finish, band, memory));
    });
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
