//! Packs blocks of pixels for [`outer_products`](crate::kernels::simd::outer_products).

use super::description::Convolution;
use crate::kernels::activation::{Activation, Layout};
use crate::kernels::simd::outer_products::{LEFT_WIDTH, RIGHT_WIDTH};
use std::ops::Range;

/// Pixels that are packed together at most: the right operand of one tile is 24 KiB of the
/// first-level cache.
pub(super) const PIXELS_MAX: usize = 96;

/// Packs `columns` of the input's windows for each pixel of the output, panel by panel; what lies
/// outside is zeros. Columns are (kernel row, kernel column, input channel).
pub(super) fn pack_right(
    layer: &Convolution,
    map: &[f32],
    pixels: Range<usize>,
    columns: Range<usize>,
    to: &mut [f32],
) {
    let geometry = &layer.geometry;
    let (input, output) = (layer.input_layout(), layer.output_layout());
    let line = geometry.kernel * geometry.in_channels;
    let first = (columns.start / line, columns.start % line);
    let places = Places::new(output, pixels.start);
    for (index, (image, y, x)) in places.take(pixels.len()).enumerate() {
        let (mut tap, mut start) = first;
        for (panel, to) in to.chunks_mut(PIXELS_MAX * RIGHT_WIDTH).enumerate() {
            let width = RIGHT_WIDTH.min(columns.len() - panel * RIGHT_WIDTH);
            let mut rest = &mut to[index * width..][..width];
            while !rest.is_empty() {
                // One row of the kernel lies together in the input.
                let end = line.min(start + rest.len());
                let (part, after) = std::mem::take(&mut rest).split_at_mut(end - start);
                if tap < geometry.kernel {
                    let corner = (y * geometry.stride + tap, x * geometry.stride);
                    copy_line(map, input, (image, corner, geometry.padding), start..end, part);
                } else {
                    part.fill(0.0);
                }
                rest = after;
                (tap, start) = if end == line { (tap + 1, 0) } else { (tap, end) };
            }
        }
    }
}

/// The places (image, row, column) of the pixels of a batch from one on.
struct Places {
    layout: Layout,
    next: (usize, usize, usize),
}

impl Places {
    fn new(layout: Layout, pixel: usize) -> Places {
        let row = pixel / layout.width;
        Places { layout, next: (row / layout.height, row % layout.height, pixel % layout.width) }
    }
}

impl Iterator for Places {
    type Item = (usize, usize, usize);

    fn next(&mut self) -> Option<(usize, usize, usize)> {
        let place @ (image, y, x) = self.next;
        self.next = match (y + 1 == self.layout.height, x + 1 == self.layout.width) {
            (_, false) => (image, y, x + 1),
            (false, true) => (image, y + 1, 0),
            (true, true) => (image + 1, 0, 0),
        };
        Some(place)
    }
}

/// Copies floats `range` of the row of pixels that starts at `corner`, counted from `padding`
/// pixels outside the map; what lies outside is zeros.
fn copy_line(
    map: &[f32],
    layout: Layout,
    (image, (top, left), padding): (usize, (usize, usize), usize),
    range: Range<usize>,
    to: &mut [f32],
) {
    if top < padding || top >= padding + layout.height {
        to.fill(0.0);
        return;
    }
    let row = layout.offset(image, top - padding, 0);
    // Floats of the row of the map, counted from the same pixel outside.
    let inside = padding * layout.channels..(padding + layout.width) * layout.channels;
    let (start, end) = (left * layout.channels + range.start, left * layout.channels + range.end);
    let (first, last) = (start.max(inside.start).min(end), end.min(inside.end).max(start));
    let last = last.max(first);
    to[..first - start].fill(0.0);
    if last > first {
        let from = row + first - inside.start;
        to[first - start..last - start].copy_from_slice(&map[from..from + last - first]);
    }
    to[last - start..].fill(0.0);
}

/// Packs `outputs` of the gradient, in strips of [`LEFT_WIDTH`].
pub(super) fn pack_left(
    gradient: Activation<'_>,
    pixels: Range<usize>,
    outputs: Range<usize>,
    to: &mut [f32],
) {
    let layout = gradient.layout;
    let places = Places::new(layout, pixels.start);
    for (index, (image, y, x)) in places.take(pixels.len()).enumerate() {
        let start = layout.offset(image, y + layout.border, x + layout.border);
        let values = &gradient.data[start + outputs.start..start + outputs.end];
        let strips = to.chunks_exact_mut(PIXELS_MAX * LEFT_WIDTH);
        for (values, strip) in values.chunks(LEFT_WIDTH).zip(strips) {
            let to = &mut strip[index * LEFT_WIDTH..][..LEFT_WIDTH];
            match values.first_chunk::<LEFT_WIDTH>() {
                Some(values) => to.copy_from_slice(values),
                None => to[..values.len()].copy_from_slice(values),
            }
        }
    }
}
