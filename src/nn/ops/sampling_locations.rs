//! Where deformable attention samples: reference points plus offsets.
//!
//! Zhu et al., arXiv:2010.04159, eq. 3 and A.3: offsets count cells of their level around a
//! point, or `1 / points` of half a box's sides around its centre.

use crate::nn::cpu::{Backward, Forward, GradientMut, OnCpu, Real};
use crate::nn::operation::{BackwardReads, INPUTS_MAX, Operation};
use crate::workers::Workers;
use std::ops::Range;

/// Inputs: offsets `[batch, queries, heads, levels, points, 2]`, references `[batch, queries,
/// levels, coordinates]` (x, y, and with four coordinates width and height). Output: locations of
/// the shape of the offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamplingLocations {
    pub batch: usize,
    pub queries: usize,
    pub heads: usize,
    /// Height and width of each level.
    pub levels: Vec<(usize, usize)>,
    pub points: usize,
    /// 2 or 4.
    pub coordinates: usize,
}

/// Queries of one task.
const TASK_QUERIES: usize = 64;

impl SamplingLocations {
    fn offsets_row(&self) -> usize {
        self.heads * self.levels.len() * self.points * 2
    }

    fn references_row(&self) -> usize {
        self.levels.len() * self.coordinates
    }

    /// Every head's levels, and where their points lie in a row of offsets.
    fn places(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (levels, length) = (self.levels.len(), 2 * self.points);
        (0..self.heads * levels)
            .map(move |place| (place % levels, place * length..(place + 1) * length))
    }

    /// What an offset in x and y is multiplied by on a level with this reference.
    fn scales<T: Real>(&self, level: usize, reference: &[T]) -> [T; 2] {
        let (height, width) = self.levels[level];
        match reference {
            [_, _, box_width, box_height] => {
                let share = T::from_f64(0.5 / self.points as f64);
                [*box_width * share, *box_height * share]
            }
            _ => [width, height].map(|side| T::ONE / T::from_f64(side as f64)),
        }
    }
}

impl SamplingLocations {
    /// `references` are empty where there are no boxes.
    fn offsets_gradient<T: Real>(
        &self,
        references: &[T],
        gradient: &[T],
        to: &mut GradientMut<'_, T>,
        workers: &Workers,
    ) {
        let (row_length, update) = (self.offsets_row().max(1), to.update);
        workers.for_each_piece(to.values, TASK_QUERIES * row_length, |task, to| {
            for (row, to) in to.chunks_exact_mut(row_length).enumerate() {
                let row = task * TASK_QUERIES + row;
                let gradient = &gradient[row * row_length..][..row_length];
                for (level, range) in self.places() {
                    let start = row * self.references_row() + level * self.coordinates;
                    let reference = references.get(start..start + self.coordinates);
                    let scales = self.scales(level, reference.unwrap_or_default());
                    let to = to[range.clone()].as_chunks_mut::<2>().0.iter_mut();
                    for (to, from) in to.zip(gradient[range].as_chunks::<2>().0) {
                        update.put(&mut to[0], from[0] * scales[0]);
                        update.put(&mut to[1], from[1] * scales[1]);
                    }
                }
            }
        });
    }

    /// `offsets` are empty where there are no boxes.
    fn references_gradient<T: Real>(
        &self,
        offsets: &[T],
        gradient: &[T],
        to: &mut GradientMut<'_, T>,
        workers: &Workers,
    ) {
        let (row_length, update) = (self.references_row().max(1), to.update);
        let share = T::from_f64(0.5 / self.points as f64);
        workers.for_each_piece(to.values, TASK_QUERIES * row_length, |task, to| {
            for (row, to) in to.chunks_exact_mut(row_length).enumerate() {
                let start = (task * TASK_QUERIES + row) * self.offsets_row();
                let gradient = &gradient[start..start + self.offsets_row()];
                for (level, to) in to.chunks_exact_mut(self.coordinates).enumerate() {
                    let mut sums = [T::ZERO; 4];
                    for (_, range) in self.places().filter(|(other, _)| *other == level) {
                        let slopes = gradient[range.clone()].as_chunks::<2>().0;
                        for &[x, y] in slopes {
                            sums[0] += x;
                            sums[1] += y;
                        }
                        let offsets = offsets.get(start + range.start..start + range.end);
                        let offsets = offsets.unwrap_or_default().as_chunks::<2>().0;
                        for (slope, offset) in slopes.iter().zip(offsets) {
                            sums[2] += slope[0] * offset[0] * share;
                            sums[3] += slope[1] * offset[1] * share;
                        }
                    }
                    for (to, sum) in to.iter_mut().zip(sums) {
                        update.put(to, sum);
                    }
                }
            }
        });
    }
}

impl Operation for SamplingLocations {
    fn input_lengths(&self) -> Vec<usize> {
        let queries = self.batch * self.queries;
        vec![queries * self.offsets_row(), queries * self.references_row()]
    }

    fn output_length(&self) -> usize {
        self.batch * self.queries * self.offsets_row()
    }

    fn is_cheap(&self) -> bool {
        true
    }

    fn list_bytes(&self) -> usize {
        size_of_val(self.levels.as_slice())
    }

    fn backward_reads(&self) -> BackwardReads {
        let boxes = self.coordinates == 4;
        let mut inputs = [false; INPUTS_MAX];
        inputs[..2].fill(boxes);
        BackwardReads { inputs, output: false }
    }
}

impl<T: Real> OnCpu<T> for SamplingLocations {
    fn forward(&self, run: Forward<'_, T>) {
        let (offsets, references) = (run.inputs[0], run.inputs[1]);
        let row_length = self.offsets_row().max(1);
        run.workers.for_each_piece(run.output, TASK_QUERIES * row_length, |task, output| {
            for (row, output) in output.chunks_exact_mut(row_length).enumerate() {
                let row = task * TASK_QUERIES + row;
                let offsets = &offsets[row * row_length..][..row_length];
                let references = &references[row * self.references_row()..];
                for (level, range) in self.places() {
                    let reference = &references[level * self.coordinates..][..self.coordinates];
                    let scales = self.scales(level, reference);
                    let to = output[range.clone()].as_chunks_mut::<2>().0.iter_mut();
                    for (to, from) in to.zip(offsets[range].as_chunks::<2>().0) {
                        to[0] = reference[0] + from[0] * scales[0];
                        to[1] = reference[1] + from[1] * scales[1];
                    }
                }
            }
        });
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let [offsets_gradient, references_gradient] = run.input_gradients else {
            unreachable!("sampling locations have two inputs");
        };
        if let Some(to) = offsets_gradient {
            self.offsets_gradient(run.inputs[1], run.output_gradient, to, run.workers);
        }
        if let Some(to) = references_gradient {
            self.references_gradient(run.inputs[0], run.output_gradient, to, run.workers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;

    fn shape(queries: usize, coordinates: usize) -> SamplingLocations {
        let levels = vec![(4, 2), (3, 5)];
        SamplingLocations { batch: 2, queries, heads: 3, levels, points: 2, coordinates }
    }

    #[test]
    fn gradients_are_finite_differences() {
        for coordinates in [2, 4] {
            finite_difference::check(&shape(3, coordinates), 1);
        }
    }

    #[test]
    fn offsets_count_cells_around_points_and_shares_of_boxes() {
        let levels = vec![(4, 2)];
        let operation =
            SamplingLocations { batch: 1, queries: 1, heads: 1, levels, points: 1, coordinates: 2 };
        let workers = Workers::caller();
        let inputs = [vec![1.0f32, 1.0], vec![0.25, 0.5]];
        assert_eq!(harness::forward(&operation, &inputs, &workers).output, [0.75, 0.75]);
        let operation = SamplingLocations { coordinates: 4, ..operation };
        let inputs = [vec![1.0f32, 1.0], vec![0.25, 0.5, 0.5, 0.25]];
        assert_eq!(harness::forward(&operation, &inputs, &workers).output, [0.5, 0.625]);
    }

    #[test]
    fn several_tasks_have_the_same_bits() {
        for coordinates in [2, 4] {
            let operation = shape(TASK_QUERIES + 3, coordinates);
            let inputs = harness::draw_inputs::<f32>(&operation, 2);
            harness::assert_same_bits(&operation, &inputs, &[true; 2]);
        }
    }
}
