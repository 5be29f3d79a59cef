//! Max-pooling whose backward knows which pixel won each window.
//!
//! Windows that hang over an edge shrink. The first of equal pixels wins, row by row, as torch has
//! it; the winner's place in its window is kept as a number for each output element.

use crate::nn::activation::Layout;
use crate::nn::matrix_product::Update;
use crate::nn::max_pool::MaxPool as Geometry;
use crate::nn::operation::{Backward, BackwardReads, Forward, GradientMut, Operation, Real};
use std::ops::Range;

/// Input: `[images, height, width, channels]`. Output: `[images, height', width', channels]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    pub geometry: Geometry,
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
        let Geometry { window, stride, padding } = self.geometry;
        let first = padding.saturating_sub(at * stride);
        first..window.min((length + padding).saturating_sub(at * stride))
    }

    /// Calls `visit(pixel of the row, place in the window, first element of that input pixel)`
    /// for every pixel of every window of row `row` of the batch's output, in order.
    fn for_each_place(&self, row: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let (input, output) = (self.input_layout(), self.output_layout());
        let Geometry { window, stride, padding } = self.geometry;
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

impl<T: Real> Operation<T> for MaxPool {
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

    fn forward(&self, run: Forward<'_, T>) {
        let (input, channels) = (run.inputs[0], self.channels);
        let row_length = self.output_layout().row_length().max(1);
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
        let Geometry { window, stride, padding } = self.geometry;
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
        let geometry = Geometry { window, stride, padding };
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
    fn single_precision_agrees_with_double() {
        let operation = pool([3, 2, 1], [21, 34]);
        let inputs = harness::draw_inputs::<f32>(&operation, 2);
        harness::assert_precisions_agree(&operation, &operation, &inputs, &[true], 1e-6);
    }
}
