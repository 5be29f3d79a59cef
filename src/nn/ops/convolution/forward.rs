//! The `f32` form of the way there: packs the weights of this step, or reads those that were packed
//! once for prediction, and runs the vector kernels.

use super::bordered::copy_with_border;
use super::description::Convolution;
use super::direct::{Direct, KERNEL_MAX, Window};
use super::geometry::Geometry;
use super::operands::Inputs;
use super::packing::{Source, pack, transform};
use super::scratch_lines::{sum_of_lines, take};
use crate::kernels::activation::{Activation, Band, Layout};
use crate::kernels::simd::Level;
use crate::kernels::simd::panels::PanelsView;
use crate::kernels::simd::winograd::{KERNEL_VALUES, LANES_MAX, OUTPUT_SIDE, PLACES};
use crate::kernels::winograd::{Finish, WinogradView};
use crate::memory::aligned::LINE;
use crate::workers::Workers;

/// What transforming one kernel costs, in multiplications of Winograd's form: its 36 values are
/// written and read again.
const KERNEL_COST: usize = 2000;

/// What reading one kernel that was transformed before costs, in multiplications of Winograd's form: 36
/// values come from memory where the direct form reads nine. From 256 x 256 channels over 5x7 pixels on two
/// cores with AVX2: 0.86 ms in Winograd's form, 0.58 ms in the direct one.
const KERNEL_READ_COST: usize = 250;
/// Rows of a product that cost as much as one: an estimate, as fewer go together too.
const ROWS_TOGETHER: usize = 6;

/// How a forward multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Direct,
    Winograd,
}

impl Form {
    /// The faster one.
    fn of(layer: &Convolution, prepared: bool) -> Form {
        let pays = match prepared {
            true => winograd_pays_prepared(&layer.geometry, &layer.output_layout()),
            false => winograd_pays(&layer.geometry, &layer.output_layout()),
        };
        if pays { Form::Winograd } else { Form::Direct }
    }

    /// Floats of packed weights and padded bias. Winograd's are more than four times the others, so that
    /// the length tells the forms apart.
    fn lengths(self, geometry: &Geometry) -> [usize; 2] {
        let (level, outputs) = (Level::best(), geometry.out_channels);
        let weights = match self {
            Form::Winograd => WinogradView::weights_length(level, geometry.in_channels, outputs),
            Form::Direct => PanelsView::length(level, inner(geometry), outputs),
        };
        [weights, outputs.next_multiple_of(LANES_MAX)]
    }

    /// Packs weights and bias (zeros without one).
    fn pack(
        self,
        layer: &Convolution,
        inputs: &Inputs<'_, f32>,
        (weights, bias): (&mut [f32], &mut [f32]),
        workers: &Workers,
    ) {
        let given = inputs.shift.unwrap_or(&[]);
        bias[..given.len()].copy_from_slice(given);
        bias[given.len()..].fill(0.0);
        match self {
            Form::Winograd => {
                let raw = (inputs.weights, inputs.scale);
                transform(Level::best(), &layer.geometry, raw, weights, workers);
            }
            Form::Direct => pack_taps(layer, inputs, weights, workers),
        }
    }
}

/// Whether Winograd's form computes a convolution of this shape.
fn winograd_serves(geometry: &Geometry) -> bool {
    geometry.kernel == 3 && geometry.stride == 1 && geometry.padding == 1
}

/// Whether Winograd's form serves a convolution over an output of this layout, and is faster than the
/// direct form where weights are transformed once. It is asked of one image, whatever the batch: what an image
/// gives must not depend on those beside it, and batches of all sizes share what is packed.
fn winograd_pays_prepared(geometry: &Geometry, output: &Layout) -> bool {
    let (pixels, tiles) = pixels_and_tiles(output);
    let rows = tiles.next_multiple_of(ROWS_TOGETHER);
    winograd_serves(geometry)
        && WinogradView::channels_suffice(geometry.in_channels, geometry.out_channels)
        && KERNEL_VALUES * pixels > PLACES * rows + KERNEL_READ_COST
}

/// Pixels and tiles of each image of an output.
fn pixels_and_tiles(output: &Layout) -> (usize, usize) {
    let tiles = output.height.div_ceil(OUTPUT_SIDE) * output.width.div_ceil(OUTPUT_SIDE);
    (output.height * output.width, tiles)
}

/// Whether Winograd's form serves a convolution over an output of this layout, and is faster than the
/// direct form where weights are transformed for every step.
pub(super) fn winograd_pays(geometry: &Geometry, output: &Layout) -> bool {
    // Gradients are added by whole vectors.
    let whole = |channels: usize| channels.is_multiple_of(LANES_MAX);
    let (pixels, tiles) = pixels_and_tiles(output);
    winograd_serves(geometry)
        && whole(geometry.in_channels)
        && whole(geometry.out_channels)
        && KERNEL_VALUES * output.images * pixels > PLACES * output.images * tiles + KERNEL_COST
}

/// Length of the inner dimension of the direct form.
fn inner(geometry: &Geometry) -> usize {
    geometry.kernel * geometry.kernel * geometry.in_channels
}

/// Floats that [`prepare`] writes.
pub(super) fn prepared_length(layer: &Convolution) -> usize {
    sum_of_lines(&Form::of(layer, true).lengths(&layer.geometry))
}

/// Packs weights and bias for all later forwards.
pub(super) fn prepare(
    layer: &Convolution,
    inputs: &Inputs<'_, f32>,
    mut to: &mut [f32],
    workers: &Workers,
) {
    let form = Form::of(layer, true);
    let [weights, bias] = form.lengths(&layer.geometry);
    let parts = (take(&mut to, weights), take(&mut to, bias));
    form.pack(layer, inputs, parts, workers);
}

/// Floats of scratch memory of a forward, with or without what was prepared.
pub(super) fn scratch_length(layer: &Convolution, prepared: bool) -> usize {
    let form = Form::of(layer, prepared);
    let [weights, bias] = if prepared { [0; 2] } else { form.lengths(&layer.geometry) };
    sum_of_lines(&[weights, bias, bordered_length(layer, form)])
}

/// Floats of the copy of the map with a border of zeros, where one is made.
fn bordered_length(layer: &Convolution, form: Form) -> usize {
    match (form, layer.geometry.padding) {
        (Form::Winograd, _) | (_, 0) => 0,
        (Form::Direct, padding) => layer.input_layout().with_border(padding).length(),
    }
}

/// Computes the output. `prepared` is what [`prepare`] wrote, or empty.
pub(super) fn forward(
    layer: &Convolution,
    inputs: Inputs<'_, f32>,
    prepared: &[f32],
    output: &mut [f32],
    mut scratch: &mut [f32],
    workers: &Workers,
) {
    let form = Form::of(layer, !prepared.is_empty());
    let [weights_length, bias_length] = form.lengths(&layer.geometry);
    let (weights, bias): (&[f32], &[f32]) = match prepared {
        [] => {
            let weights = take(&mut scratch, weights_length);
            let bias = take(&mut scratch, bias_length);
            form.pack(layer, &inputs, (&mut *weights, &mut *bias), workers);
            (weights, bias)
        }
        prepared => {
            let (weights, bias) = prepared.split_at(weights_length.next_multiple_of(LINE));
            (&weights[..weights_length], &bias[..bias_length])
        }
    };
    match form {
        Form::Winograd => transformed(layer, &inputs, (weights, bias), output, workers),
        Form::Direct => {
            let copy = take(&mut scratch, bordered_length(layer, form));
            direct(layer, &inputs, (weights, bias), (output, copy), workers);
        }
    }
}

/// Winograd's form.
fn transformed(
    layer: &Convolution,
    inputs: &Inputs<'_, f32>,
    (weights, bias): (&[f32], &[f32]),
    output: &mut [f32],
    workers: &Workers,
) {
    let Geometry { in_channels, out_channels, .. } = layer.geometry;
    let view = WinogradView { in_channels, out_channels, level: Level::best(), weights, bias };
    let map = Activation { data: inputs.map, layout: layer.input_layout() };
    let layout = layer.output_layout();
    let residual = inputs.residual.map(|data| Activation { data, layout });
    let finish = Finish { residual, relu: layer.relu, add: false };
    run_winograd(view, map, finish, (output, layout), workers);
}

/// The direct form; `copy` is room for the map with its border.
fn direct(
    layer: &Convolution,
    inputs: &Inputs<'_, f32>,
    (weights, bias): (&[f32], &[f32]),
    (output, copy): (&mut [f32], &mut [f32]),
    workers: &Workers,
) {
    let geometry = &layer.geometry;
    let layout = layer.input_layout().with_border(geometry.padding);
    let data = match geometry.padding {
        0 => inputs.map,
        _ => {
            copy_with_border(inputs.map, None, layout, copy, workers);
            copy
        }
    };
    let window = Window {
        panels: PanelsView::new(
            Level::best(),
            inner(geometry),
            geometry.out_channels,
            weights,
            bias,
        ),
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
    let band_rows = WinogradView::band_rows(&layout, workers.count());
    let bands = layout.height.div_ceil(band_rows);
    let first_row = |band: usize| (band * band_rows).min(layout.height);
    let start_of = |part: usize| {
        (part / bands * layout.height + first_row(part % bands)) * layout.row_length()
    };
    let memory_length = view.scratch_length(band_rows.min(layout.height), layout.width);
    workers.for_each_part(output, layout.images * bands, start_of, |part, data| {
        let rows = first_row(part % bands)..first_row(part % bands + 1);
        let band = Band { data, layout, image: part / bands, rows };
        workers.with_scratch(memory_length, |memory| view.write_band(input, finish, band, memory));
    });
}
