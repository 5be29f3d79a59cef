//! Bilinear resizing to any size, up or down, without antialiasing.
//!
//! Pixel centres at half-integers: torch's `interpolate(mode="bilinear", align_corners=False)`. An
//! output pixel reads the two nearest rows and columns; outside, the edge is repeated.

use crate::kernels::activation::Layout;
use crate::kernels::matrix_product::Update;
use crate::nn::cpu::{Backward, Forward, GradientMut, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};

/// Input: `[images, height, width, channels]`. Output: `[images, to_height, to_width, channels]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BilinearResize {
    pub images: usize,
    /// Sides of the input, at least 1.
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub to_height: usize,
    pub to_width: usize,
}

/// The two input lines of an output line and the share of the second.
#[derive(Debug, Clone, Copy)]
struct Between {
    lines: [usize; 2],
    share: f64,
}

/// Where line `at` of `to` lines lies between `from` lines.
fn between(at: usize, from: usize, to: usize) -> Between {
    let centre = ((at as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
    let first = (centre as usize).min(from - 1);
    Between { lines: [first, (first + 1).min(from - 1)], share: centre - first as f64 }
}

impl BilinearResize {
    fn input_layout(&self) -> Layout {
        let BilinearResize { images, height, width, channels, .. } = *self;
        Layout { images, height, width, channels, border: 0 }
    }

    fn output_layout(&self) -> Layout {
        Layout { height: self.to_height, width: self.to_width, ..self.input_layout() }
    }
}

impl Operation for BilinearResize {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.input_layout().length()]
    }

    fn output_length(&self) -> usize {
        self.output_layout().length()
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::NOTHING
    }
}

impl<T: Real> OnCpu<T> for BilinearResize {
    fn forward(&self, run: Forward<'_, T>) {
        let (input, output) = (self.input_layout(), self.output_layout());
        let map = run.inputs[0];
        run.workers.for_each_piece(run.output, output.row_length().max(1), |row, to| {
            let (image, y) = (row / output.height, row % output.height);
            let down = between(y, input.height, output.height);
            let lower = T::from_f64(down.share);
            let rows = down.lines.map(|line| &map[input.offset(image, line, 0)..]);
            for (x, to) in to.chunks_exact_mut(self.channels).enumerate() {
                let across = between(x, input.width, output.width);
                let right = T::from_f64(across.share);
                let [first, second] = across.lines.map(|column| column * self.channels);
                for (channel, to) in to.iter_mut().enumerate() {
                    let mix = |row: &[T]| {
                        row[first + channel] * (T::ONE - right) + row[second + channel] * right
                    };
                    *to = mix(rows[0]) * (T::ONE - lower) + mix(rows[1]) * lower;
                }
            }
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let Some(GradientMut { values, update }) = &mut run.input_gradients[0] else { return };
        let (input, output) = (self.input_layout(), self.output_layout());
        let gradient = run.output_gradient;
        // Each input row takes what it gave, so that rows are independent.
        run.workers.for_each_piece(values, input.row_length().max(1), |row, to| {
            if *update == Update::Overwrite {
                to.fill(T::ZERO);
            }
            let (image, line) = (row / input.height, row % input.height);
            for y in 0..output.height {
                let down = between(y, input.height, output.height);
                let mut share = 0.0;
                for (of, weight) in down.lines.into_iter().zip([1.0 - down.share, down.share]) {
                    share += if of == line { weight } else { 0.0 };
                }
                if share == 0.0 {
                    continue;
                }
                let from = &gradient[output.offset(image, y, 0)..];
                for (x, from) in from.chunks_exact(self.channels).take(output.width).enumerate() {
                    let across = between(x, input.width, output.width);
                    for (column, weight) in
                        across.lines.into_iter().zip([1.0 - across.share, across.share])
                    {
                        let weight = T::from_f64(share * weight);
                        let to = &mut to[column * self.channels..][..self.channels];
                        to.iter_mut().zip(from).for_each(|(to, from)| *to += weight * *from);
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

    fn resize([height, width]: [usize; 2], [to_height, to_width]: [usize; 2]) -> BilinearResize {
        BilinearResize { images: 2, height, width, channels: 3, to_height, to_width }
    }

    #[test]
    fn gradients_are_finite_differences() {
        for (from, to) in [([3, 4], [7, 5]), ([8, 7], [3, 4]), ([1, 1], [3, 2]), ([5, 6], [1, 1])] {
            finite_difference::check(&resize(from, to), 1);
        }
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let operation = resize([4, 5], [4, 5]);
        let inputs = harness::draw_inputs::<f32>(&operation, 1);
        let kept = harness::forward(&operation, &inputs, &crate::workers::Workers::caller());
        assert_eq!(kept.output, inputs[0]);
    }

    #[test]
    fn single_precision_agrees_with_double() {
        let operation = resize([31, 18], [20, 44]);
        let inputs = harness::draw_inputs::<f32>(&operation, 2);
        harness::assert_precisions_agree(&operation, &operation, &inputs, &[true], 1e-6);
    }
}
