//! Group normalisation: each image's groups of channels are brought to mean 0 and variance 1.
//!
//! Wu and He, "Group normalization", ECCV 2018; the variance is biased, as there. Deformable DETR
//! has it behind the projection of every level. Sums run in double precision, pixel after pixel.

use crate::kernels::matrix_product::Update;
use crate::nn::cpu::{Backward, Forward, GradientMut, OnCpu, Real};
use crate::nn::operation::{BackwardReads, INPUTS_MAX, Operation};
use crate::workers::Workers;

/// Inputs: the map `[images, pixels, channels]`, weight and bias `[channels]`. Output: as the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupNorm {
    pub images: usize,
    pub pixels: usize,
    /// A multiple of `groups`.
    pub channels: usize,
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f64,
}

/// Pixels of one task.
const PIXELS: usize = 64;
/// Channels of one task of the parameters' gradients.
const CHANNELS: usize = 16;

impl GroupNorm {
    fn width(&self) -> usize {
        self.channels / self.groups
    }

    /// The group's channels of each pixel of one image.
    fn rows<'a, T>(&self, map: &'a [T], number: usize) -> impl Iterator<Item = &'a [T]> + Clone {
        let (image, group) = (number / self.groups, number % self.groups);
        let (start, width) = (group * self.width(), self.width());
        let image = &map[image * self.pixels * self.channels..][..self.pixels * self.channels];
        image.chunks_exact(self.channels).map(move |pixel| &pixel[start..start + width])
    }

    /// Mean and 1 / deviation of a group of the batch.
    fn moments<'a, T: Real>(&self, saved: &'a [T], pixel: usize, channel: usize) -> &'a [T] {
        let number = pixel / self.pixels * self.groups + channel / self.width();
        &saved[2 * number..2 * number + 2]
    }

    /// The gradient of the map.
    fn write_map<T: Real>(
        &self,
        run: (&[T], &[T], &[T], &[T]),
        to: &mut GradientMut<'_, T>,
        sums: &mut [T],
        workers: &Workers,
    ) {
        let (map, weight, saved, gradient) = run;
        let count = (self.pixels * self.width()) as f64;
        workers.for_each_piece(sums, 2, |number, sums| {
            let weight = &weight[number % self.groups * self.width()..][..self.width()];
            let (mean, scale) = (saved[2 * number].as_f64(), saved[2 * number + 1].as_f64());
            let (mut plain, mut along) = (0.0, 0.0);
            for (values, gradient) in self.rows(map, number).zip(self.rows(gradient, number)) {
                for ((value, gradient), weight) in values.iter().zip(gradient).zip(weight) {
                    let gradient = gradient.as_f64() * weight.as_f64();
                    plain += gradient;
                    along += gradient * (value.as_f64() - mean) * scale;
                }
            }
            (sums[0], sums[1]) = (T::from_f64(plain / count), T::from_f64(along / count));
        });
        let (sums, update, width) = (&*sums, to.update, self.width());
        workers.for_each_piece(to.values, PIXELS * self.channels, |piece, part| {
            for (index, to) in part.chunks_exact_mut(self.channels).enumerate() {
                let pixel = piece * PIXELS + index;
                let at = pixel * self.channels;
                for (group, to) in to.chunks_exact_mut(width).enumerate() {
                    let start = at + group * width;
                    let moments = self.moments(saved, pixel, group * width);
                    let sums = self.moments(sums, pixel, group * width);
                    let values = map[start..].iter().zip(&gradient[start..]);
                    let values = values.zip(&weight[group * width..]);
                    for (to, ((value, gradient), weight)) in to.iter_mut().zip(values) {
                        let normal = (*value - moments[0]) * moments[1];
                        let mine = moments[1] * (*gradient * *weight - sums[0] - normal * sums[1]);
                        *to = if update == Update::Add { *to + mine } else { mine };
                    }
                }
            }
        });
    }

    /// The gradient of the weight, or (without `map`) of the bias: sums over pixels.
    fn write_parameter<T: Real>(
        &self,
        map: Option<&[T]>,
        (saved, gradient): (&[T], &[T]),
        to: &mut GradientMut<'_, T>,
        workers: &Workers,
    ) {
        let update = to.update;
        workers.for_each_piece(to.values, CHANNELS, |piece, part| {
            let first = piece * CHANNELS;
            let mut sums = [0.0f64; CHANNELS];
            for (pixel, gradient) in gradient.chunks_exact(self.channels).enumerate() {
                for (index, sum) in sums[..part.len()].iter_mut().enumerate() {
                    let channel = first + index;
                    let normal = map.map_or(1.0, |map| {
                        let moments = self.moments(saved, pixel, channel);
                        let value = map[pixel * self.channels + channel].as_f64();
                        (value - moments[0].as_f64()) * moments[1].as_f64()
                    });
                    *sum += gradient[channel].as_f64() * normal;
                }
            }
            for (to, sum) in part.iter_mut().zip(sums) {
                let sum = T::from_f64(sum);
                *to = if update == Update::Add { *to + sum } else { sum };
            }
        });
    }
}

impl Operation for GroupNorm {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.images * self.pixels * self.channels, self.channels, self.channels]
    }

    fn output_length(&self) -> usize {
        self.images * self.pixels * self.channels
    }

    fn saved_length(&self) -> usize {
        2 * self.images * self.groups
    }

    fn is_cheap(&self) -> bool {
        true
    }

    fn backward_reads(&self) -> BackwardReads {
        let mut inputs = [false; INPUTS_MAX];
        (inputs[0], inputs[1]) = (true, true);
        BackwardReads { inputs, output: false }
    }
}

impl<T: Real> OnCpu<T> for GroupNorm {
    fn scratch_length(&self, _workers_count: usize) -> usize {
        2 * self.images * self.groups
    }

    fn forward(&self, run: Forward<'_, T>) {
        let (map, weight, bias) = (run.inputs[0], run.inputs[1], run.inputs[2]);
        let count = (self.pixels * self.width()) as f64;
        run.workers.for_each_piece(run.saved, 2, |number, moments| {
            let values = self.rows(map, number).flatten().map(|value| value.as_f64());
            let mean = values.clone().sum::<f64>() / count;
            let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            moments[0] = T::from_f64(mean);
            moments[1] = T::from_f64(1.0 / (variance + self.epsilon).sqrt());
        });
        let (saved, width) = (&*run.saved, self.width());
        run.workers.for_each_piece(run.output, PIXELS * self.channels, |piece, part| {
            for (index, to) in part.chunks_exact_mut(self.channels).enumerate() {
                let pixel = piece * PIXELS + index;
                let values = &map[pixel * self.channels..];
                for (group, to) in to.chunks_exact_mut(width).enumerate() {
                    let moments = self.moments(saved, pixel, group * width);
                    for (index, to) in to.iter_mut().enumerate() {
                        let channel = group * width + index;
                        let normal = (values[channel] - moments[0]) * moments[1];
                        *to = normal * weight[channel] + bias[channel];
                    }
                }
            }
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let (map, weight) = (run.inputs[0], run.inputs[1]);
        let kept = (run.saved, run.output_gradient);
        if let Some(to) = &mut run.input_gradients[0] {
            let sums = &mut run.scratch[..2 * self.images * self.groups];
            self.write_map((map, weight, kept.0, kept.1), to, sums, run.workers);
        }
        if let Some(to) = &mut run.input_gradients[1] {
            self.write_parameter(Some(map), kept, to, run.workers);
        }
        if let Some(to) = &mut run.input_gradients[2] {
            self.write_parameter(None, kept, to, run.workers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;

    fn norm(images: usize, pixels: usize, channels: usize, groups: usize) -> GroupNorm {
        GroupNorm { images, pixels, channels, groups, epsilon: 1e-5 }
    }

    #[test]
    fn gradients_are_finite_differences() {
        for operation in [norm(2, 7, 6, 3), norm(1, 5, 4, 4), norm(3, 4, 5, 1)] {
            finite_difference::check(&operation, 1);
        }
    }

    #[test]
    fn single_precision_agrees_with_double() {
        let operation = norm(2, 150, 64, 8);
        let inputs = harness::draw_inputs::<f32>(&operation, 2);
        harness::assert_precisions_agree(&operation, &operation, &inputs, &[true; 3], 1e-6);
        harness::assert_same_bits(&operation, &inputs, &[true; 3]);
    }
}
