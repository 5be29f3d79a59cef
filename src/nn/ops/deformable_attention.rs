//! The core of multi-scale deformable attention: weighted sums of bilinear samples.
//!
//! Zhu et al., "Deformable DETR", arXiv:2010.04159, eq. 3, without its projections. The gradient
//! of the values is a scatter; heads of images are independent, so each is one task in memory of
//! its own, and every sum has one order. `f32` runs on the vector kernels of
//! [`crate::nn::simd::bilinear`]; other types take plain loops, which are also the truth that
//! `f32` is compared with.

use super::deformable_samples::{Corners, Maps};
use super::heads::HeadBlocks;
use crate::nn::operation::{Backward, BackwardReads, Forward, Operation, Real};
use crate::nn::simd::Level;
use crate::nn::simd::bilinear::{CORNERS, Cells, SAMPLES, Samples, Scattered, gather, scatter};
use crate::nn::simd::plain::{self, Arithmetic, Kernel};

/// Inputs: values `[batch, cells, heads, dim]` with the cells of all levels one after another
/// (padded ones zeroed by the caller), sampling locations `[batch, queries, heads, levels, points,
/// 2]`, x and y in units of the map's sides, and attention weights `[batch, queries, heads,
/// levels, points]`. Output: `[batch, queries, heads * dim]`.
///
/// Levels have up to 2^22 cells together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeformableAttention {
    pub batch: usize,
    pub queries: usize,
    pub heads: usize,
    /// Channels of one head.
    pub dim: usize,
    /// Height and width of each level.
    pub levels: Vec<(usize, usize)>,
    /// Samples of each level.
    pub points: usize,
}

/// Queries of one task of the forward.
const TASK_QUERIES: usize = 32;
impl DeformableAttention {
    /// Cells of all levels.
    fn cells(&self) -> usize {
        self.levels.iter().map(|(height, width)| height * width).sum()
    }

    /// Samples of one query and head.
    fn samples(&self) -> usize {
        self.levels.len() * self.points
    }

    /// Scratch of one head in the backward: gradients of values, locations and weights.
    fn head_length(&self) -> usize {
        self.cells() * self.dim + 3 * self.queries * self.samples()
    }
}

impl<T: Real> Operation<T> for DeformableAttention {
    fn input_lengths(&self) -> Vec<usize> {
        let weights = self.batch * self.queries * self.heads * self.samples();
        vec![self.batch * self.cells() * self.heads * self.dim, 2 * weights, weights]
    }

    fn output_length(&self) -> usize {
        self.batch * self.queries * self.heads * self.dim
    }

    fn scratch_length(&self, _workers_count: usize) -> usize {
        self.batch * self.heads * self.head_length()
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::INPUTS
    }

    fn forward(&self, run: Forward<'_, T>) {
        let inputs = [run.inputs[0], run.inputs[1], run.inputs[2]];
        let piece = (TASK_QUERIES * self.heads * self.dim).max(1);
        run.workers.for_each_piece(run.output, piece, |task, output| {
            let first = task * TASK_QUERIES;
            plain::run(Level::best(), Sampling { shape: self, inputs, first, output });
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let stride = self.head_length();
        let scratch = &mut run.scratch[..self.batch * self.heads * stride];
        let inputs = [run.inputs[0], run.inputs[1], run.inputs[2]];
        let gradient = run.output_gradient;
        run.workers.for_each_piece(scratch, stride.max(1), |head, block| {
            plain::run(Level::best(), HeadGradient { shape: self, inputs, gradient, head, block });
        });
        let (values, weights) = (self.cells() * self.dim, self.queries * self.samples());
        let parts = [
            (0, self.cells(), self.dim),
            (values, self.queries, 2 * self.samples()),
            (values + 2 * weights, self.queries, self.samples()),
        ];
        for (to, (offset, rows, width)) in run.input_gradients.iter_mut().zip(parts) {
            if let Some(to) = to {
                let blocks = HeadBlocks { heads: self.heads, stride, offset, rows, width };
                blocks.merge(scratch, to, run.workers);
            }
        }
    }
}

/// The forward of some rows of queries.
struct Sampling<'a, T> {
    shape: &'a DeformableAttention,
    inputs: [&'a [T]; 3],
    /// Number of the first query, counted over all images.
    first: usize,
    output: &'a mut [T],
}

impl<T: Real> Kernel for Sampling<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let DeformableAttention { heads, dim, queries, .. } = *self.shape;
        let (samples, row_length) = (self.shape.samples(), heads * dim);
        let image_length = self.shape.cells() * row_length;
        let [values, locations, weights] = self.inputs;
        let locations = locations.as_chunks::<2>().0;
        self.output.fill(T::ZERO);
        for first in (0..samples).step_by(SAMPLES) {
            let Some(maps) = Maps::new(&self.shape.levels, self.shape.points, first) else {
                continue;
            };
            for (row, output) in self.output.chunks_exact_mut(row_length).enumerate() {
                let row = self.first + row;
                let values = &values[row / queries * image_length..][..image_length];
                for (head, output) in output.chunks_exact_mut(dim).enumerate() {
                    let start = (row * heads + head) * samples + first;
                    let corners = Corners::new(&maps, &locations[start..start + maps.count]);
                    let weights = &weights[start..start + maps.count];
                    let place = Place { values, stride: row_length, start: head * dim };
                    place.gather(&corners, weights, output);
                }
            }
        }
    }
}

/// The values of one head of one image: cell `c` is `values[start + c * stride..]`.
struct Place<'a, T> {
    values: &'a [T],
    start: usize,
    stride: usize,
}

impl<T: Real> Place<'_, T> {
    fn single(&self) -> Option<Cells<'_>> {
        Some(Cells { values: T::single(self.values)?, start: self.start, stride: self.stride })
    }

    /// Adds the weighted samples to the output.
    #[inline(always)]
    fn gather(&self, corners: &Corners<T>, weights: &[T], output: &mut [T]) {
        let (shares, count) = (corners.weighted(weights), weights.len());
        let (shares, numbers) = (shares.as_flattened(), corners.cells.as_flattened());
        if let (Some(cells), Some(shares)) = (self.single(), T::single(shares)) {
            if let Some(output) = T::single_mut(output) {
                gather(Level::best(), cells, Samples { cells: numbers, shares, count }, output);
            }
            return;
        }
        for (place, (cell, share)) in numbers.iter().zip(shares).enumerate() {
            if place % SAMPLES < count {
                let values = &self.values[self.start + *cell as usize * self.stride..];
                output.iter_mut().zip(values).for_each(|(to, value)| *to += *share * *value);
            }
        }
    }

    /// Adds the weighted gradient to the gradients of the cells, dense rows; answers its inner
    /// products with the values of the corners.
    #[inline(always)]
    fn scatter(
        &self,
        corners: &Corners<T>,
        weights: &[T],
        gradient: &[T],
        to: &mut [T],
    ) -> [[T; SAMPLES]; CORNERS] {
        let mut products = [[T::ZERO; SAMPLES]; CORNERS];
        let (shares, count) = (corners.weighted(weights), weights.len());
        let (shares, numbers) = (shares.as_flattened(), corners.cells.as_flattened());
        let single = (self.single(), T::single(shares), T::single(gradient));
        if let (Some(cells), Some(shares), Some(gradient)) = single {
            let samples = Samples { cells: numbers, shares, count };
            let found = T::single_mut(products.as_flattened_mut());
            if let (Some(cells_to), Some(products)) = (T::single_mut(to), found) {
                let mut to = Scattered { cells: cells_to, products };
                scatter(Level::best(), cells, samples, gradient, &mut to);
            }
            return products;
        }
        let pairs = numbers.iter().zip(shares).zip(products.as_flattened_mut());
        for (place, ((cell, share), product)) in pairs.enumerate() {
            if place % SAMPLES < count {
                let values = &self.values[self.start + *cell as usize * self.stride..];
                *product = values.iter().zip(gradient).map(|(value, slope)| *value * *slope).sum();
                let to = &mut to[*cell as usize * gradient.len()..];
                to.iter_mut().zip(gradient).for_each(|(to, slope)| *to += *share * *slope);
            }
        }
        products
    }
}

/// The backward of one head of one image.
struct HeadGradient<'a, T> {
    shape: &'a DeformableAttention,
    inputs: [&'a [T]; 3],
    gradient: &'a [T],
    /// Number of the head, counted over all images.
    head: usize,
    /// Gradients of its values, of its locations and of its weights.
    block: &'a mut [T],
}

impl<T: Real> Kernel for HeadGradient<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let DeformableAttention { heads, dim, queries, .. } = *self.shape;
        let (image, head) = (self.head / heads, self.head % heads);
        let (samples, row_length, cells) = (self.shape.samples(), heads * dim, self.shape.cells());
        let (value_gradients, rest) = self.block.split_at_mut(cells * dim);
        let (location_gradients, weight_gradients) = rest.split_at_mut(2 * queries * samples);
        let location_gradients = location_gradients.as_chunks_mut::<2>().0;
        let [values, locations, weights] = self.inputs;
        let locations = locations.as_chunks::<2>().0;
        let values = &values[image * cells * row_length..][..cells * row_length];
        let place = Place { values, stride: row_length, start: head * dim };
        value_gradients.fill(T::ZERO);
        for first in (0..samples).step_by(SAMPLES) {
            let Some(maps) = Maps::new(&self.shape.levels, self.shape.points, first) else {
                continue;
            };
            for query in 0..queries {
                let row = image * queries + query;
                let start = (row * heads + head) * samples + first;
                let corners = Corners::new(&maps, &locations[start..start + maps.count]);
                let weights = &weights[start..start + maps.count];
                let gradient = &self.gradient[row * row_length + head * dim..][..dim];
                let products = place.scatter(&corners, weights, gradient, value_gradients);
                let found = corners.gradients(&maps, &products);
                let start = query * samples + first;
                let to = location_gradients[start..start + maps.count].iter_mut();
                let to = to.zip(&mut weight_gradients[start..start + maps.count]);
                for (sample, ((location, weight_gradient), weight)) in to.zip(weights).enumerate() {
                    *weight_gradient = found.weights[sample];
                    *location = found.locations.map(|slopes| slopes[sample] * *weight);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;
    use crate::workers::Workers;

    fn shape(dim: usize, points: usize) -> DeformableAttention {
        let levels = vec![(5, 3), (2, 4), (1, 1)];
        DeformableAttention { batch: 2, queries: 3, heads: 2, dim, levels, points }
    }

    /// Normal draws, with locations in and somewhat around the maps.
    fn draw<T: Real>(operation: &DeformableAttention) -> Vec<Vec<T>> {
        let mut inputs = harness::draw_inputs::<T>(operation, 6);
        for location in &mut inputs[1] {
            *location = T::from_f64(0.5 + 0.4 * location.as_f64());
        }
        inputs
    }

    #[test]
    fn gradients_are_finite_differences() {
        for (dim, points) in [(3, 2), (32, 1), (41, 7)] {
            let operation = shape(dim, points);
            finite_difference::check_at(&operation, &draw(&operation), &[true; 3]);
        }
    }

    #[test]
    fn several_tasks_have_the_same_bits_and_precision() {
        let operation = DeformableAttention { queries: 2 * TASK_QUERIES + 7, ..shape(32, 4) };
        let inputs = draw(&operation);
        harness::assert_same_bits(&operation, &inputs, &[true; 3]);
        harness::assert_precisions_agree(&operation, &operation, &inputs, &[true; 3], 1e-5);
    }

    #[test]
    fn samples_outside_give_nothing_and_get_nothing() {
        let operation = shape(5, 2);
        let mut inputs = draw::<f32>(&operation);
        inputs[1].fill(3.0);
        let kept = harness::forward(&operation, &inputs, &Workers::caller());
        assert!(kept.output.iter().all(|value| *value == 0.0));
        let gradient = vec![1.0; kept.output.len()];
        let found = harness::gradients(
            &operation,
            &inputs,
            &kept,
            &gradient,
            &[true; 3],
            &Workers::caller(),
        );
        assert!(found.iter().flatten().all(|value| *value == 0.0));
    }
}
