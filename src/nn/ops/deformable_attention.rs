//! The core of multi-scale deformable attention: weighted sums of bilinear samples.
//!
//! Zhu et al., "Deformable DETR", arXiv:2010.04159, eq. 3, without its projections. The gradient
//! of the values is a scatter; heads of images are independent, so each is one task in memory of
//! its own, and every sum has one order. `f32` runs on the vector kernels of
//! [`crate::kernels::simd::bilinear`]; other types take plain loops, which are also the truth that
//! `f32` is compared with.

use super::deformable_cells::HeadCells;
use super::deformable_samples::{Corners, Maps};
use super::heads::HeadBlocks;
use crate::kernels::simd::Level;
use crate::kernels::simd::bilinear::{CORNERS, SAMPLES};
use crate::kernels::simd::plain::{self, Arithmetic, Kernel};
use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};

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

/// Reads of packed cells for each cell that is packed, from which on packing pays.
const READS_MIN: usize = 2;
/// Tasks of the forward for each worker, at most.
const TASKS_MAX: usize = 4;

impl DeformableAttention {
    /// Cells of all levels.
    fn cells(&self) -> usize {
        self.levels.iter().map(|(height, width)| height * width).sum()
    }

    /// The cells of one head of one image, among the `values` of all.
    fn head_cells<'a, T: Real>(
        &self,
        values: &'a [T],
        image: usize,
        head: usize,
    ) -> HeadCells<'a, T> {
        let length = self.cells() * self.heads * self.dim;
        HeadCells::new(&values[image * length..][..length], head, self.heads, self.dim)
    }

    /// Samples of one query and head.
    fn samples(&self) -> usize {
        self.levels.len() * self.points
    }

    /// Whether the cells of a head are packed for this many queries.
    fn packs(&self, queries: usize) -> bool {
        queries * self.samples() * CORNERS >= READS_MIN * self.cells()
    }

    /// Rows of queries, counted over all images, of one task of the forward: few enough to keep
    /// the workers busy to the end, and as many as make packing cheap where there are so many.
    fn task_rows(&self, workers_count: usize) -> usize {
        let rows = self.batch * self.queries;
        let cheap = (4 * READS_MIN * self.cells()).div_ceil((CORNERS * self.samples()).max(1));
        let tasks = (rows / cheap.max(1)).clamp(workers_count, TASKS_MAX * workers_count);
        rows.div_ceil(tasks).max(1)
    }

    /// Scratch of one head in the backward: gradients of values, locations and weights.
    fn head_length(&self) -> usize {
        self.cells() * self.dim + 3 * self.queries * self.samples()
    }
}

impl Operation for DeformableAttention {
    fn input_lengths(&self) -> Vec<usize> {
        let weights = self.batch * self.queries * self.heads * self.samples();
        vec![self.batch * self.cells() * self.heads * self.dim, 2 * weights, weights]
    }

    fn output_length(&self) -> usize {
        self.batch * self.queries * self.heads * self.dim
    }

    fn list_bytes(&self) -> usize {
        size_of_val(self.levels.as_slice())
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::INPUTS
    }
}

impl<T: Real> OnCpu<T> for DeformableAttention {
    fn scratch_length(&self, _workers_count: usize) -> usize {
        self.batch * self.heads * self.head_length()
    }

    fn prediction_scratch_length(&self, _workers_count: usize, _prepared: bool) -> usize {
        0
    }

    fn forward(&self, run: Forward<'_, T>) {
        let inputs = [run.inputs[0], run.inputs[1], run.inputs[2]];
        let rows = self.task_rows(run.workers.count());
        let piece = (rows * self.heads * self.dim).max(1);
        run.workers.for_each_piece(run.output, piece, |task, output| {
            run.workers.with_scratch(self.cells() * self.dim, |packed| {
                let first = task * rows;
                let sampling = Sampling { shape: self, inputs, first, output, packed };
                plain::run(Level::best(), sampling);
            });
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let stride = self.head_length();
        let scratch = &mut run.scratch[..self.batch * self.heads * stride];
        let inputs = [run.inputs[0], run.inputs[1], run.inputs[2]];
        let gradient = run.output_gradient;
        run.workers.for_each_piece(scratch, stride.max(1), |head, block| {
            run.workers.with_scratch(self.cells() * self.dim, |packed| {
                let shape = self;
                let task = HeadGradient { shape, inputs, gradient, head, block, packed };
                plain::run(Level::best(), task);
            });
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
    /// Room for the cells of one head.
    packed: &'a mut [f32],
}

impl<T: Real> Kernel for Sampling<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let DeformableAttention { heads, dim, queries, .. } = *self.shape;
        let row_length = heads * dim;
        self.output.fill(T::ZERO);
        // The rows of one image after those of another.
        let (mut first, mut rest) = (self.first, self.output);
        while !rest.is_empty() {
            let count = (rest.len() / row_length).min(queries - first % queries);
            let (output, after) = rest.split_at_mut(count * row_length);
            for head in 0..heads {
                let cells = self.shape.head_cells(self.inputs[0], first / queries, head);
                let cells = cells.packed(self.shape.packs(count), self.packed);
                sample(self.shape, &cells, self.inputs, [first, head], output);
            }
            (first, rest) = (first + count, after);
        }
    }
}

/// Adds one head's samples to rows of queries, the first of which has the number `first`.
#[inline(always)]
fn sample<T: Real>(
    shape: &DeformableAttention,
    cells: &HeadCells<'_, T>,
    [_, locations, weights]: [&[T]; 3],
    [first, head]: [usize; 2],
    output: &mut [T],
) {
    let (samples, locations) = (shape.samples(), locations.as_chunks::<2>().0);
    for part in (0..samples).step_by(SAMPLES) {
        let Some(maps) = Maps::new(&shape.levels, shape.points, part) else { continue };
        for (row, output) in output.chunks_exact_mut(shape.heads * shape.dim).enumerate() {
            let start = ((first + row) * shape.heads + head) * samples + part;
            let corners = Corners::new(&maps, &locations[start..start + maps.count]);
            let output = &mut output[head * shape.dim..][..shape.dim];
            cells.gather(&corners, &weights[start..start + maps.count], output);
        }
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
    /// Room for its cells.
    packed: &'a mut [f32],
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
        let cells = self.shape.head_cells(values, image, head);
        let cells = cells.packed(self.shape.packs(queries), self.packed);
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
                let products = cells.scatter(&corners, weights, gradient, value_gradients);
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
        let operation = DeformableAttention { queries: 71, ..shape(32, 4) };
        let inputs = draw(&operation);
        harness::assert_same_bits(&operation, &inputs, &[true; 3]);
        harness::assert_precisions_agree(&operation, &operation, &inputs, &[true; 3], 1e-5);
    }

    #[test]
    fn few_samples_of_large_maps_are_taken_where_they_lie() {
        let few = DeformableAttention { queries: 5, levels: vec![(20, 21)], ..shape(32, 3) };
        let many = DeformableAttention { queries: 90, ..few.clone() };
        assert!(!few.packs(few.queries) && many.packs(many.queries));
        for operation in [few, many] {
            let inputs = draw(&operation);
            harness::assert_same_bits(&operation, &inputs, &[true; 3]);
            harness::assert_precisions_agree(&operation, &operation, &inputs, &[true; 3], 1e-5);
        }
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
