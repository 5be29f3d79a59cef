//! Max-pooling whose backward knows which pixel won each window.
//!
//! Windows that hang over an edge shrink. The first of equal pixels wins, row by row, as torch has
//! it; the winner's place in its window is kept as a number for each output element.

use crate::kernels::activation::Layout;
use crate::kernels::matrix_product::Update;
use crate::kernels::simd::Level;
use crate::kernels::simd::max_pool::maxima;
use crate::nn::cpu::{Backward, Forward, GradientMut, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};
use std::ops::Range;

/// A square window; `padding` pixels of it may lie outside and count as minus infinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub window: usize,
    pub stride: usize,
    /// At most half the window, so that no window lies outside altogether.
    pub padding: usize,
}

/// Output pixels whose windows are collected before they are computed, in prediction.
const PIXELS_TOGETHER: usize = 32;
/// Largest side of a window in prediction.
const WINDOW_MAX: usize = 3;

impl Window {
    /// Sides of the output for an input of `height` by `width`.
    pub fn output_size(&self, height: usize, width: usize) -> (usize, usize) {
        let side = |length: usize| {
            (length + 2 * self.padding)
                .checked_sub(self.window)
                .map_or(0, |room| room / self.stride + 1)
        };
        (side(height), side(width))
    }
}

/// Input: `[images, height, width, channels]`. Output: `[images, height', width', channels]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    pub geometry: Window,
    pub images: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl MaxPool {
    fn input_layout(&self) -> Layout {
        let MaxPool { images, height, width, channels, .. } = *self;
        Layout { images, height, width, channels, border: 0 }
    }

    fn output_layout(&self) -> Layout {
        let (height, width) = self.geometry.output_size(self.height, self.width);
        Layout { height, width, ..self.input_layout() }
    }

    /// For output index `at` along an axis of `length` pixels: the places of the window that lie
    /// inside.
    fn inside(&self, at: usize, length: usize) -> Range<usize> {
        let Window { window, stride, padding } = self.geometry;
        let first = padding.saturating_sub(at * stride);
        first..window.min((length + padding).saturating_sub(at * stride))
    }

    /// Calls `visit(pixel of the row, place in the window, first element of that input pixel)`
    /// for every pixel of every window of row `row` of the batch's output, in order.
    fn for_each_place(&self, row: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let (input, output) = (self.input_layout(), self.output_layout());
        let Window { window, stride, padding } = self.geometry;
        let (image, y) = (row / output.height, row % output.height);
        for x in 0..output.width {
            for down in self.inside(y, input.height) {
                for across in self.inside(x, input.width) {
                    let (from_y, from_x) =
                        (y * stride + down - padding, x * stride + across - padding);
                    visit(x, down * window + across, input.offset(image, from_y, from_x));
                }
            }
        }
    }
}

impl MaxPool {
    /// Row `row` of the batch's output, winners forgotten. A window that hangs over an edge takes the
    /// nearest pixel inside once more: the maximum is the same.
    fn maxima(&self, row: usize, input: &[f32], to: &mut [f32]) {
        let (from, output) = (self.input_layout(), self.output_layout());
        let Window { window, stride, padding } = self.geometry;
        let (image, y) = (row / output.height, row % output.height);
        let places = window * window;
        let inside = |start: usize, step: usize, length: usize| {
            (start * stride + step).saturating_sub(padding).min(length - 1)
        };
        let mut offsets = [0; PIXELS_TOGETHER * WINDOW_MAX * WINDOW_MAX];
        for (group, to) in to.chunks_mut(PIXELS_TOGETHER * self.channels).enumerate() {
            let count = to.len() / self.channels;
            for (place, offset) in offsets[..count * places].iter_mut().enumerate() {
                let (x, place) = (group * PIXELS_TOGETHER + place / places, place % places);
                let (from_y, from_x) =
                    (inside(y, place / window, from.height), inside(x, place % window, from.width));
                *offset = from.offset(image, from_y, from_x);
            }
            maxima(Level::best(), input, (&offsets[..count * places], places), self.channels, to);
        }
    }
}

impl Operation for MaxPool {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.input_layout().length()]
    }

    fn output_length(&self) -> usize {
        self.output_layout().length()
    }

    fn saved_length(&self) -> usize {
        self.output_layout().length()
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::NOTHING
    }
}

impl<T: Real> OnCpu<T> for MaxPool {
    fn prediction_saved_length(&self) -> usize {
        match T::single(&[]) {
            Some(_) if self.geometry.window <= WINDOW_MAX => 0,
            _ => self.saved_length(),
        }
    }

    fn forward(&self, run: Forward<'_, T>) {
        let (input, channels) = (run.inputs[0], self.channels);
        let row_length = self.output_layout().row_length().max(1);
        if let (true, Some(input)) = (run.saved.is_empty(), T::single(input)) {
            if let Some(output) = T::single_mut(run.output) {
                run.workers
                    .for_each_piece(output, row_length, |row, to| self.maxima(row, input, to));
            }
            return;
        }
        let parts = [(run.output, row_length), (run.saved, row_length)];
        run.workers.for_each_pieces(parts, |row, [to, winners]| {
            to.fill(T::neg_infinity());
            winners.fill(T::ZERO);
            self.for_each_place(row, |x, place, from| {
                let place = T::from_f64(place as f64);
                let range = x * channels..(x + 1) * channels;
                let pairs = to[range.clone()].iter_mut().zip(&mut winners[range]);
                for ((to, winner), value) in pairs.zip(&input[from..]) {
                    // A NaN wins, and stays.
                    let wins = *value > *to || value.is_nan();
                    *winner = if wins { place } else { *winner };
                    *to = if wins { *value } else { *to };
                }
            });
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let Some(GradientMut { values, update }) = &mut run.input_gradients[0] else { return };
        let (input, output, channels) = (self.input_layout(), self.output_layout(), self.channels);
        let Window { window, stride, padding } = self.geometry;
        let (saved, gradient) = (run.saved, run.output_gradient);
        // Each input row takes what the windows over it have for it.
        let over = |at: usize, length: usize| {
            let first = (at + padding + 1).saturating_sub(window).div_ceil(stride);
            first..((at + padding) / stride + 1).min(length)
        };
        run.workers.for_each_piece(values, input.row_length().max(1), |row, to| {
            if *update == Update::Overwrite {
                to.fill(T::ZERO);
            }
            let (image, y) = (row / input.height, row % input.height);
            for from_y in over(y, output.height) {
                let down = y + padding - from_y * stride;
                for (x, to) in to.chunks_exact_mut(channels).enumerate() {
                    for from_x in over(x, output.width) {
                        let across = x + padding - from_x * stride;
                        let place = T::from_f64((down * window + across) as f64);
                        let from = output.offset(image, from_y, from_x);
                        let pairs = saved[from..].iter().zip(&gradient[from..]);
                        for (to, (winner, gradient)) in to.iter_mut().zip(pairs) {
                            *to += if *winner == place { *gradient } else { T::ZERO };
                        }
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;
    use crate::workers::Workers;

    fn pool([window, stride, padding]: [usize; 3], [height, width]: [usize; 2]) -> MaxPool {
        let geometry = Window { window, stride, padding };
        MaxPool { geometry, images: 2, height, width, channels: 5 }
    }

    #[test]
    fn gradients_are_finite_differences() {
        for (shape, size) in
            [([3, 2, 1], [7, 8]), ([2, 2, 0], [5, 4]), ([3, 1, 1], [4, 3]), ([3, 2, 1], [1, 1])]
        {
            finite_difference::check(&pool(shape, size), 1);
        }
    }

    #[test]
    fn the_first_of_equal_pixels_takes_the_gradient_and_a_nan_stays() {
        let operation = MaxPool { images: 1, channels: 1, ..pool([2, 2, 0], [2, 4]) };
        let inputs = [vec![3.0f32, 3.0, f32::NAN, 1.0, 3.0, 0.0, 1.0, 9.0]];
        let workers = Workers::caller();
        let kept = harness::forward(&operation, &inputs, &workers);
        assert_eq!(kept.output[0], 3.0);
        assert!(kept.output[1].is_nan());
        let gradient =
            harness::gradients(&operation, &inputs, &kept, &[5.0, 7.0], &[true], &workers);
        assert_eq!(gradient[0], [5.0, 0.0, 7.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn prediction_forgets_the_winners_and_has_the_same_maxima() {
        for size in [[21, 34], [1, 1], [4, 70]] {
            let operation = MaxPool { channels: 35, ..pool([3, 2, 1], size) };
            assert_eq!(OnCpu::<f32>::prediction_saved_length(&operation), 0);
            let inputs = harness::draw_inputs::<f32>(&operation, 2);
            let workers = Workers::with_threads(2).unwrap();
            let kept = harness::forward(&operation, &inputs, &workers);
            assert_eq!(harness::prediction(&operation, &inputs, &workers), kept.output);
        }
    }

    #[test]
    fn single_precision_agrees_with_double() {
        let operation = pool([3, 2, 1], [21, 34]);
        let inputs = harness::draw_inputs::<f32>(&operation, 2);
        harness::assert_precisions_agree(&operation, &operation, &inputs, &[true], 1e-6);
    }
}
