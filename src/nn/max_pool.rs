//! Max-pooling over windows that may hang over the edges, where they shrink.

use super::activation::{Activation, ActivationMut, Band, Layout};
use super::simd::Level;
use super::simd::max_pool::maxima;
use crate::workers::Workers;

/// A square window; `padding` pixels of it may lie outside and count as minus infinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    pub window: usize,
    pub stride: usize,
    /// At most half the window, so that no window lies outside altogether.
    pub padding: usize,
}

/// Output pixels whose windows are collected before they are computed.
const PIXELS_TOGETHER: usize = 32;
/// Largest side of a window.
const WINDOW_MAX: usize = 3;

impl MaxPool {
    /// Sides of the output for an input of `height` by `width`.
    pub fn output_size(&self, height: usize, width: usize) -> (usize, usize) {
        let side = |length: usize| {
            (length + 2 * self.padding)
                .checked_sub(self.window)
                .map_or(0, |room| room / self.stride + 1)
        };
        (side(height), side(width))
    }

    /// Writes `output`, border included.
    ///
    /// # Panics
    /// When the layouts do not fit or the window is over 3.
    pub fn forward(
        &self,
        input: Activation<'_>,
        output: ActivationMut<'_>,
        level: Level,
        workers: &Workers,
    ) {
        let (height, width) = self.output_size(input.layout.height, input.layout.width);
        let Layout { images, channels, .. } = input.layout;
        assert_eq!(output.layout, Layout { images, height, width, channels, ..output.layout });
        assert!(self.window <= WINDOW_MAX && 2 * self.padding <= self.window);
        output.for_each_band(1, workers, |band| self.write_band(input, level, band));
    }

    fn write_band(&self, input: Activation<'_>, level: Level, band: Band<'_>) {
        let layout = input.layout;
        let places = self.window * self.window;
        // A window that hangs over an edge takes the nearest pixel inside once more: the maximum
        // is the same.
        let inside = |start: usize, step: usize, length: usize| {
            (start * self.stride + step).saturating_sub(self.padding).min(length - 1)
                + layout.border
        };
        let mut offsets = [0; PIXELS_TOGETHER * WINDOW_MAX * WINDOW_MAX];
        for y in band.rows.clone() {
            for first in (0..band.layout.width).step_by(PIXELS_TOGETHER) {
                let count = PIXELS_TOGETHER.min(band.layout.width - first);
                for (place, offset) in offsets[..count * places].iter_mut().enumerate() {
                    let (pixel, place) = (place / places, place % places);
                    *offset = layout.offset(
                        band.image,
                        inside(y, place / self.window, layout.height),
                        inside(first + pixel, place % self.window, layout.width),
                    );
                }
                let start = band.offset(y, first);
                let output = &mut band.data[start..start + count * layout.channels];
                let windows = (&offsets[..count * places], places);
                maxima(level, input.data, windows, layout.channels, output);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_shrink_at_edges_and_negative_values_survive() {
        let pool = MaxPool { window: 3, stride: 2, padding: 1 };
        for (height, width, channels) in [(5, 6, 3), (1, 1, 1), (4, 70, 35)] {
            let from = Layout { images: 2, height, width, channels, border: 0 };
            let data: Vec<f32> =
                (0..from.length()).map(|at| -((at * 7919 % 1009) as f32)).collect();
            let (rows, columns) = pool.output_size(height, width);
            let to = Layout { images: 2, height: rows, width: columns, channels, border: 1 };
            for level in Level::available() {
                let mut output = vec![5.0; to.length()];
                let input = Activation { data: &data, layout: from };
                let target = ActivationMut { data: &mut output, layout: to };
                pool.forward(input, target, level, &Workers::caller());
                for index in 0..2 * rows * columns * channels {
                    let (pixel, channel) = (index / channels, index % channels);
                    let (row, x) = (pixel / columns, pixel % columns);
                    let (image, y) = (row / rows, row % rows);
                    let span = |at: usize, length: usize| {
                        (2 * at).saturating_sub(1)..(2 * at + 2).min(length)
                    };
                    let mut largest = f32::NEG_INFINITY;
                    for from_y in span(y, height) {
                        for from_x in span(x, width) {
                            largest =
                                largest.max(data[from.offset(image, from_y, from_x) + channel]);
                        }
                    }
                    assert_eq!(output[to.offset(image, y + 1, x + 1) + channel], largest);
                }
                assert_eq!(output[0], 0.0);
            }
        }
    }
}
