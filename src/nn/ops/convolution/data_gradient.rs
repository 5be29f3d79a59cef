//! The gradient of the input map: a convolution of the output's gradient with turned weights.

use super::description::Convolution;
use super::direct::{Direct, KERNEL_MAX, Window};
use super::forward::{run_winograd, winograd_pays};
use super::operands::Inputs;
use super::packing::{Source, pack, transform_turned};
use crate::kernels::activation::Activation;
use crate::kernels::matrix_product::Update;
use crate::kernels::simd::Level;
use crate::kernels::simd::panels::PanelsView;
use crate::kernels::winograd::{Finish, WinogradView};
use crate::nn::cpu::GradientMut;
use crate::workers::Workers;

/// The taps of one axis that touch the input's pixels of one residue modulo the stride, and where
/// in the output's gradient they lie.
#[derive(Debug, Clone, Copy)]
struct Axis {
    /// The last tap, which lies first in the output; the others follow in steps of the stride.
    last_tap: usize,
    count: usize,
    /// Output index of the last tap for the first pixel of this residue; negative in the border.
    first: isize,
}

/// How the gradient of one layer's input is computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct DataGradient<'a> {
    layer: &'a Convolution,
    level: Level,
    winograd: bool,
}

impl<'a> DataGradient<'a> {
    pub(super) fn new(layer: &'a Convolution, level: Level) -> DataGradient<'a> {
        let winograd = winograd_pays(&layer.geometry, &layer.input_layout());
        DataGradient { layer, level, winograd }
    }

    fn axis(&self, phase: usize) -> Axis {
        let geometry = &self.layer.geometry;
        let shifted = phase + geometry.padding;
        let touches = |tap: &usize| tap % geometry.stride == shifted % geometry.stride;
        let mut taps = (0..geometry.kernel).filter(touches);
        let count = taps.clone().count();
        let last_tap = taps.next_back().unwrap_or(0);
        let first = (shifted as isize - last_tap as isize) / geometry.stride as isize;
        Axis { last_tap, count, first }
    }

    /// Pixels of zeros that the output's gradient needs on each side.
    pub(super) fn border(&self) -> usize {
        if self.winograd {
            return 0;
        }
        let geometry = &self.layer.geometry;
        let (height, width) = self.layer.output_size();
        let mut border = 0;
        for (length, output) in [(self.layer.height, height), (self.layer.width, width)] {
            for phase in 0..geometry.stride.min(length) {
                let axis = self.axis(phase);
                if axis.count > 0 {
                    let points = (length - phase).div_ceil(geometry.stride);
                    let end = axis.first + (points + axis.count) as isize - 1;
                    border = border.max(-axis.first).max(end - output as isize);
                }
            }
        }
        border.unsigned_abs()
    }

    /// Floats of packed weights.
    pub(super) fn weights_length(&self) -> usize {
        let geometry = &self.layer.geometry;
        let (inputs, outputs) = (geometry.in_channels, geometry.out_channels);
        if self.winograd {
            return WinogradView::weights_length(self.level, outputs, inputs);
        }
        PanelsView::length(self.level, geometry.kernel * geometry.kernel * outputs, inputs)
    }

    /// Writes the gradient. `gradient` has a border of [`DataGradient::border`].
    pub(super) fn write(
        &self,
        inputs: &Inputs<'_, f32>,
        gradient: Activation<'_>,
        to: GradientMut<'_, f32>,
        scratch: &mut [f32],
        workers: &Workers,
    ) {
        let geometry = &self.layer.geometry;
        let packed = &mut scratch[..self.weights_length()];
        let add = to.update == Update::Add;
        let layout = self.layer.input_layout();
        if self.winograd {
            let weights = (inputs.weights, inputs.scale);
            transform_turned(self.level, geometry, weights, packed, workers);
            let view = WinogradView {
                in_channels: geometry.out_channels,
                out_channels: geometry.in_channels,
                level: self.level,
                weights: packed,
                bias: &[],
            };
            let finish = Finish { residual: None, relu: false, add };
            return run_winograd(view, gradient, finish, (to.values, layout), workers);
        }
        let phases = geometry.stride * geometry.stride;
        let mut rest = &mut *packed;
        for phase in 0..phases {
            let (part, after) = rest.split_at_mut(self.phase_length(phase));
            self.pack_phase(phase, inputs, part, workers);
            rest = after;
        }
        let packed = &*packed;
        let direct = Direct { input: gradient, output: layout, residual: None, relu: false, add };
        let window = |phase: usize| self.window(phase, packed, gradient.layout.border);
        direct.run(phases, window, to.values, workers);
    }

    /// The axes of the residues of rows and columns that phase `phase` stands for.
    fn axes(&self, phase: usize) -> [Axis; 2] {
        let stride = self.layer.geometry.stride;
        [self.axis(phase / stride), self.axis(phase % stride)]
    }

    fn phase_length(&self, phase: usize) -> usize {
        let [down, across] = self.axes(phase);
        let inner = down.count * across.count * self.layer.geometry.out_channels;
        PanelsView::length(self.level, inner, self.layer.geometry.in_channels)
    }

    fn pack_phase(
        &self,
        phase: usize,
        inputs: &Inputs<'_, f32>,
        to: &mut [f32],
        workers: &Workers,
    ) {
        let geometry = &self.layer.geometry;
        let [down, across] = self.axes(phase);
        let (side, stride) = (geometry.kernel, geometry.stride);
        let mut taps = [0; KERNEL_MAX * KERNEL_MAX];
        let count = down.count * across.count;
        for (index, tap) in taps[..count].iter_mut().enumerate() {
            let row = down.last_tap - index / across.count * stride;
            let column = across.last_tap - index % across.count * stride;
            *tap = row * side + column;
        }
        let source = Source {
            weights: inputs.weights,
            taps: &taps[..count],
            channels: geometry.out_channels,
            channel_stride: geometry.in_channels * side * side,
            columns: geometry.in_channels,
            column_stride: side * side,
            channel_scale: inputs.scale,
            column_scale: None,
        };
        pack(self.level, source, to, workers);
    }

    fn window<'w>(&self, phase: usize, packed: &'w [f32], border: usize) -> Window<'w> {
        let geometry = &self.layer.geometry;
        let [down, across] = self.axes(phase);
        let start: usize = (0..phase).map(|phase| self.phase_length(phase)).sum();
        let inner = down.count * across.count * geometry.out_channels;
        let values = &packed[start..];
        let touched = down.count > 0 && across.count > 0;
        let corner = |axis: Axis| border.saturating_add_signed(axis.first);
        Window {
            panels: PanelsView::new(self.level, inner, geometry.in_channels, values, &[]),
            rows: if touched { down.count } else { 0 },
            segment_length: across.count * geometry.out_channels,
            corner: [corner(down), corner(across)],
            step: 1,
            phase: [phase / geometry.stride, phase % geometry.stride],
            spacing: geometry.stride,
        }
    }
}
