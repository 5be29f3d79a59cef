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
/// Groups of one task of the moments.
const GROUPS_TOGETHER: usize = 8;
/// Channels of one task of the parameters' gradients.
const CHANNELS: usize = 16;

impl GroupNorm {
    fn width(&self) -> usize {
        self.channels / self.groups
    }

    /// Sums over `count` groups of the batch from `first` on: for each, `term(group, channel, at)` of its
    /// numbers, pixel after pixel, with `group` counted from `first`, `channel` in the group and `at` in the
    /// map. The groups go side by side, so that no addition waits for the one before; beyond `count`, the
    /// last one again.
    #[inline(always)]
    fn sums<const TERMS: usize>(
        &self,
        first: usize,
        count: usize,
        term: impl Fn(usize, usize, usize) -> [f64; TERMS],
    ) -> [[f64; TERMS]; GROUPS_TOGETHER] {
        let groups: [usize; GROUPS_TOGETHER] = std::array::from_fn(|group| group.min(count - 1));
        let starts = groups.map(|group| {
            let (image, group) = ((first + group) / self.groups, (first + group) % self.groups);
            image * self.pixels * self.channels + group * self.width()
        });
        let mut sums = [[0.0; TERMS]; GROUPS_TOGETHER];
        for pixel in 0..self.pixels {
            for channel in 0..self.width() {
                let at = pixel * self.channels + channel;
                for index in 0..GROUPS_TOGETHER {
                    let terms = term(groups[index], channel, starts[index] + at);
                    for (sum, term) in sums[index].iter_mut().zip(terms) {
                        *sum += term;
                    }
                }
            }
        }
        sums
    }

    /// The two numbers of each group in the image of a pixel of the batch: mean and 1 / deviation, or sums.
    fn of_image<'a, T>(&self, numbers: &'a [T], pixel: usize) -> &'a [T] {
        &numbers[pixel / self.pixels * 2 * self.groups..][..2 * self.groups]
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
        workers.for_each_piece(sums, 2 * GROUPS_TOGETHER, |piece, sums| {
            let first = piece * GROUPS_TOGETHER;
            let weights: [&[T]; GROUPS_TOGETHER] = std::array::from_fn(|group| {
                &weight[(first + group) % self.groups * self.width()..][..self.width()]
            });
            let moments = &saved[2 * first..][..sums.len()];
            let moments: [[f64; 2]; GROUPS_TOGETHER] = std::array::from_fn(|group| {
                let place = (2 * group).min(moments.len() - 2);
                [moments[place].as_f64(), moments[place + 1].as_f64()]
            });
            let found = self.sums(first, sums.len() / 2, |group, channel, at| {
                let [mean, scale] = moments[group];
                let gradient = gradient[at].as_f64() * weights[group][channel].as_f64();
                [gradient, gradient * (map[at].as_f64() - mean) * scale]
            });
            for (sums, found) in sums.chunks_exact_mut(2).zip(found) {
                (sums[0], sums[1]) = (T::from_f64(found[0] / count), T::from_f64(found[1] / count));
            }
        });
        let (sums, update, width) = (&*sums, to.update, self.width());
        workers.for_each_piece(to.values, PIXELS * self.channels, |piece, part| {
            for (index, to) in part.chunks_exact_mut(self.channels).enumerate() {
                let pixel = piece * PIXELS + index;
                let at = pixel * self.channels;
                let moments = self.of_image(saved, pixel).chunks_exact(2);
                let numbers = moments.zip(self.of_image(sums, pixel).chunks_exact(2));
                let groups = to.chunks_exact_mut(width).enumerate();
                for ((group, to), (moments, sums)) in groups.zip(numbers) {
                    let start = at + group * width;
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
            let groups: [usize; CHANNELS] =
                std::array::from_fn(|index| (first + index) / self.width());
            let mut sums = [0.0f64; CHANNELS];
            for (pixel, gradient) in gradient.chunks_exact(self.channels).enumerate() {
                let at = pixel * self.channels + first;
                let moments = self.of_image(saved, pixel);
                for (index, sum) in sums[..part.len()].iter_mut().enumerate() {
                    let normal = map.map_or(1.0, |map| {
                        let group = 2 * groups[index];
                        let (mean, scale) = (moments[group].as_f64(), moments[group + 1].as_f64());
                        (map[at + index].as_f64() - mean) * scale
                    });
                    *sum += gradient[first + index].as_f64() * normal;
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
        run.workers.for_each_piece(run.saved, 2 * GROUPS_TOGETHER, |piece, moments| {
            let (first, groups) = (piece * GROUPS_TOGETHER, moments.len() / 2);
            let means = self.sums(first, groups, |_, _, at| [map[at].as_f64()]);
            let means = means.map(|[sum]| sum / count);
            let squares = self
                .sums(first, groups, |group, _, at| [(map[at].as_f64() - means[group]).powi(2)]);
            for (group, moments) in moments.chunks_exact_mut(2).enumerate() {
                let variance = squares[group][0] / count;
                moments[0] = T::from_f64(means[group]);
                moments[1] = T::from_f64(1.0 / (variance + self.epsilon).sqrt());
            }
        });
        let (saved, width) = (&*run.saved, self.width());
        run.workers.for_each_piece(run.output, PIXELS * self.channels, |piece, part| {
            for (index, to) in part.chunks_exact_mut(self.channels).enumerate() {
                let pixel = piece * PIXELS + index;
                let values = map[pixel * self.channels..].chunks_exact(width);
                let along = weight.chunks_exact(width).zip(bias.chunks_exact(width));
                let groups = to.chunks_exact_mut(width).zip(values).zip(along);
                let moments = self.of_image(saved, pixel).chunks_exact(2);
                for (((to, values), (weight, bias)), moments) in groups.zip(moments) {
                    let channels = to.iter_mut().zip(values).zip(weight.iter().zip(bias));
                    for ((to, value), (weight, bias)) in channels {
                        *to = (*value - moments[0]) * moments[1] * *weight + *bias;
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
