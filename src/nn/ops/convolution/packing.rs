//! Packs raw weights for one step: transposed where needed, scaled by the frozen norm.

use super::geometry::Geometry;
use crate::kernels::simd::Level;
use crate::kernels::simd::panels::{PanelsView, panel_width};
use crate::kernels::simd::winograd::{KERNEL_VALUES, Kernels};
use crate::kernels::winograd::transform_weights;
use crate::workers::Workers;
use std::ops::Range;

/// Channels and columns that are transposed together: a source line of 16 floats is read whole.
const BLOCK: usize = 16;

/// Which element of the raw weights goes where: step (tap, channel) and column of the packed
/// matrix is `weights[taps[tap] + channel * channel_stride + column * column_stride]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub weights: &'a [f32],
    pub taps: &'a [usize],
    pub channels: usize,
    pub channel_stride: usize,
    pub columns: usize,
    pub column_stride: usize,
    pub channel_scale: Option<&'a [f32]>,
    pub column_scale: Option<&'a [f32]>,
}

/// Packs the matrix for products with [`PanelsView`].
pub(super) fn pack(level: Level, source: Source<'_>, to: &mut [f32], workers: &Workers) {
    let inner = source.taps.len() * source.channels;
    let (columns, widest) = (source.columns, panel_width(level));
    let to = &mut to[..PanelsView::length(level, inner, columns)];
    workers.for_each_piece(to, (widest * inner).max(1), |panel, to| {
        let first = panel * widest;
        let width = to.len() / inner;
        let filled = width.min(columns - first);
        for channel in (0..source.channels).step_by(BLOCK) {
            let channels = channel..(channel + BLOCK).min(source.channels);
            for column in (0..width).step_by(BLOCK) {
                let columns = column..(column + BLOCK).min(width);
                let filled = columns.start.min(filled)..columns.end.min(filled);
                for tap in 0..source.taps.len() {
                    let rows = &mut to[(tap * source.channels + channel) * width..];
                    for (channel, row) in channels.clone().zip(rows.chunks_exact_mut(width)) {
                        row[filled.end..columns.end].fill(0.0);
                        source.copy((tap, channel), first, filled.clone(), row);
                    }
                }
            }
        }
    });
}

impl Source<'_> {
    /// Writes elements `columns` of a row of the panel whose first column is `first`.
    fn copy(
        &self,
        (tap, channel): (usize, usize),
        first: usize,
        columns: Range<usize>,
        row: &mut [f32],
    ) {
        if columns.is_empty() {
            return;
        }
        let scale = self.channel_scale.map_or(1.0, |scale| scale[channel]);
        let from = self.taps[tap]
            + channel * self.channel_stride
            + (first + columns.start) * self.column_stride;
        let row = &mut row[columns.clone()];
        let last = from + (row.len() - 1) * self.column_stride;
        let values = self.weights[from..=last].iter().step_by(self.column_stride);
        match self.column_scale {
            Some(scales) => {
                let scales = &scales[first + columns.start..];
                for (to, (value, column_scale)) in row.iter_mut().zip(values.zip(scales)) {
                    *to = value * column_scale * scale;
                }
            }
            None if self.column_stride == 1 => {
                let values = &self.weights[from..=last];
                row.iter_mut().zip(values).for_each(|(to, value)| *to = value * scale);
            }
            None => row.iter_mut().zip(values).for_each(|(to, value)| *to = value * scale),
        }
    }
}

/// Transforms the weights for Winograd's form of the convolution itself.
pub(super) fn transform(
    level: Level,
    geometry: &Geometry,
    (weights, scale): (&[f32], Option<&[f32]>),
    to: &mut [f32],
    workers: &Workers,
) {
    let inputs = geometry.in_channels;
    let fill = |step: usize, first: usize, count: usize, kernels: &mut Kernels| {
        for lane in 0..count {
            let output = first + lane;
            let start = (output * inputs + step) * KERNEL_VALUES;
            let scale = scale.map_or(1.0, |scale| scale[output]);
            for (value, lanes) in weights[start..].iter().zip(&mut *kernels) {
                lanes[lane] = value * scale;
            }
        }
    };
    transform_weights(level, (inputs, geometry.out_channels), fill, to, workers);
}

/// Transforms the weights for the gradient of its input: kernels turned by 180 degrees, from
/// output channels to input channels.
pub(super) fn transform_turned(
    level: Level,
    geometry: &Geometry,
    (weights, scale): (&[f32], Option<&[f32]>),
    to: &mut [f32],
    workers: &Workers,
) {
    let inputs = geometry.in_channels;
    let fill = |step: usize, first: usize, count: usize, kernels: &mut Kernels| {
        let scale = scale.map_or(1.0, |scale| scale[step]);
        for lane in 0..count {
            let start = (step * inputs + first + lane) * KERNEL_VALUES;
            for (value, lanes) in weights[start..].iter().zip(kernels.iter_mut().rev()) {
                lanes[lane] = value * scale;
            }
        }
    };
    transform_weights(level, (geometry.out_channels, inputs), fill, to, workers);
}
