//! The gradient of the weights: for each tap of the kernel, the sum over pixels of the output's
//! gradient times the input.
//!
//! A block of pixels at a time is packed for [`outer_products`](crate::kernels::simd::outer_products):
//! of the input, only the columns of one task, so that no matrix of all taps ever exists. Long
//! sums are cut into parts whose number depends on the shapes alone, and added in order.

use super::blocks::{PIXELS_MAX, pack_left, pack_right};
use super::description::Convolution;
use super::operands::Inputs;
use crate::kernels::activation::Activation;
use crate::kernels::matrix_product::Update;
use crate::kernels::simd::Level;
use crate::kernels::simd::outer_products::{
    LEFT_WIDTH, Operands, RIGHT_ALIGNMENT, RIGHT_WIDTH, add_outer_products,
};
use crate::nn::cpu::GradientMut;
use crate::workers::Workers;
use std::ops::Range;

/// Output channels whose gradient is packed together: whole tiles, and a share of the second-level
/// cache.
const LEFT_MAX: usize = 32 * LEFT_WIDTH;
/// Panels of one task at most: the wider, the longer are the runs that are read of each pixel, and
/// packed they still have room in the second-level cache.
const PANELS_MAX: usize = 8;
/// Tasks wanted, so that a few workers share a layer evenly.
const TASKS_WANTED: usize = 16;
/// Blocks of pixels in a part at least: each part's sums are written and added once more.
const PART_BLOCKS_MIN: usize = 4;

/// Weights that one task of the last pass writes at least.
const FINISH_TOGETHER: usize = 1 << 13;

/// How the gradient of one layer's weights is cut into tasks. Columns are (kernel row, kernel
/// column, input channel).
#[derive(Debug, Clone, Copy)]
pub(super) struct WeightGradient<'a> {
    layer: &'a Convolution,
    pixels: usize,
    blocks: usize,
    parts: usize,
    /// Columns, padded to whole vectors.
    columns: usize,
    /// Columns of one group but the last.
    group_columns: usize,
    groups: usize,
    /// Output channels of one task but the last of a group.
    task_outputs: usize,
}

impl<'a> WeightGradient<'a> {
    pub(super) fn new(layer: &'a Convolution) -> WeightGradient<'a> {
        let geometry = &layer.geometry;
        let output = layer.output_layout();
        let pixels = output.images * output.height * output.width;
        let blocks = pixels.div_ceil(PIXELS_MAX);
        let columns = (geometry.kernel * geometry.kernel * geometry.in_channels)
            .next_multiple_of(RIGHT_ALIGNMENT);
        let panels = columns.div_ceil(RIGHT_WIDTH);
        let group_columns = panels.div_ceil(panels.div_ceil(PANELS_MAX)) * RIGHT_WIDTH;
        let groups = columns.div_ceil(group_columns);
        let parts = TASKS_WANTED.div_ceil(groups).min(blocks / PART_BLOCKS_MIN).max(1);
        let splits = TASKS_WANTED.div_ceil(groups * parts);
        let task_outputs =
            geometry.out_channels.div_ceil(splits).next_multiple_of(LEFT_WIDTH).max(LEFT_MAX);
        WeightGradient {
            layer,
            pixels,
            blocks,
            parts,
            columns,
            group_columns,
            groups,
            task_outputs,
        }
    }

    /// Floats of scratch memory: the sums of every part.
    pub(super) fn scratch_length(&self) -> usize {
        self.parts * self.part_length()
    }

    fn part_length(&self) -> usize {
        self.columns * self.layer.geometry.out_channels
    }

    /// The columns of a group.
    fn group(&self, group: usize) -> Range<usize> {
        let start = group * self.group_columns;
        start..(start + self.group_columns).min(self.columns)
    }

    /// The output channels of a task.
    fn outputs(&self, split: usize) -> Range<usize> {
        let start = split * self.task_outputs;
        start..(start + self.task_outputs).min(self.layer.geometry.out_channels)
    }

    /// Writes the gradient of the weights, or adds to it.
    pub(super) fn write(
        &self,
        inputs: &Inputs<'_, f32>,
        gradient: Activation<'_>,
        to: GradientMut<'_, f32>,
        scratch: &mut [f32],
        workers: &Workers,
    ) {
        let outputs = self.layer.geometry.out_channels;
        let sums = &mut scratch[..self.scratch_length()];
        let splits = outputs.div_ceil(self.task_outputs);
        let start_of = |task: usize| {
            let (part, rest) = (task / splits / self.groups, task % (splits * self.groups));
            if part == self.parts {
                return self.scratch_length();
            }
            let (group, split) = (self.group(rest / splits), self.outputs(rest % splits));
            part * self.part_length() + group.start * outputs + split.start * group.len()
        };
        let tasks = self.parts * self.groups * splits;
        workers.for_each_part(sums, tasks, start_of, |task, sums| {
            let (part, rest) = (task / splits / self.groups, task % (splits * self.groups));
            let columns = self.group(rest / splits);
            let outputs = self.outputs(rest % splits);
            let task = Task { plan: self, columns, outputs, workers };
            task.run(part, inputs.map, gradient, sums);
        });
        self.finish(sums, inputs.scale, to, workers);
    }

    /// The pixels of a block; blocks are of nearly equal length.
    fn block(&self, block: usize) -> Range<usize> {
        block * self.pixels / self.blocks..(block + 1) * self.pixels / self.blocks
    }

    /// Adds the parts in order, scales them and puts them where the raw weights lie.
    fn finish(
        &self,
        sums: &[f32],
        scale: Option<&[f32]>,
        to: GradientMut<'_, f32>,
        workers: &Workers,
    ) {
        let geometry = &self.layer.geometry;
        let taps = geometry.kernel * geometry.kernel;
        let (row_length, update) = (geometry.in_channels * taps, to.update);
        let rows = (FINISH_TOGETHER / row_length).max(1);
        workers.for_each_piece(to.values, rows * row_length, |piece, to| {
            workers.with_scratch(self.columns, |row| {
                for (index, to) in to.chunks_exact_mut(row_length).enumerate() {
                    let output = piece * rows + index;
                    self.add_parts(sums, output, row);
                    let scale = scale.map_or(1.0, |scale| scale[output]);
                    unpack(&row[..row_length], (taps, scale), update, to);
                }
            });
        });
    }

    /// Writes the sum of all parts of one output channel to `row`.
    fn add_parts(&self, sums: &[f32], output: usize, row: &mut [f32]) {
        for part in 0..self.parts {
            let sums = &sums[part * self.part_length()..][..self.part_length()];
            for columns in (0..self.groups).map(|group| self.group(group)) {
                let start =
                    columns.start * self.layer.geometry.out_channels + output * columns.len();
                let sums = &sums[start..start + columns.len()];
                let row = &mut row[columns];
                match part {
                    0 => row.copy_from_slice(sums),
                    _ => row.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum),
                }
            }
        }
    }
}

/// Puts the sums of one output channel, in the order of columns, where its raw weights lie.
fn unpack(row: &[f32], (taps, scale): (usize, f32), update: Update, to: &mut [f32]) {
    let inputs = row.len() / taps;
    let write = |to: &mut f32, sum: f32| match update {
        Update::Overwrite => *to = scale * sum,
        Update::Add => *to += scale * sum,
    };
    if taps == 1 {
        return to.iter_mut().zip(row).for_each(|(to, sum)| write(to, *sum));
    }
    for (input, to) in to.chunks_exact_mut(taps).enumerate() {
        let sums = row[input..].iter().step_by(inputs);
        to.iter_mut().zip(sums).for_each(|(to, sum)| write(to, *sum));
    }
}

/// The sums of some columns for some output channels.
struct Task<'a> {
    plan: &'a WeightGradient<'a>,
    columns: Range<usize>,
    outputs: Range<usize>,
    workers: &'a Workers,
}

impl Task<'_> {
    /// Sums over the blocks of one part into `sums`: a row of the task's columns for each of its
    /// output channels.
    fn run(&self, part: usize, map: &[f32], gradient: Activation<'_>, sums: &mut [f32]) {
        let plan = self.plan;
        let blocks = part * plan.blocks / plan.parts..(part + 1) * plan.blocks / plan.parts;
        let width = self.columns.len();
        let length = PIXELS_MAX * (width + LEFT_MAX);
        if blocks.is_empty() {
            sums.fill(0.0);
        }
        self.workers.with_scratch(length, |memory| {
            let (right, left) = memory.split_at_mut(PIXELS_MAX * width);
            for block in blocks.clone() {
                let pixels = plan.block(block);
                let overwrite = block == blocks.start;
                pack_right(plan.layer, map, pixels.clone(), self.columns.clone(), right);
                for first in self.outputs.clone().step_by(LEFT_MAX) {
                    let outputs = first..(first + LEFT_MAX).min(self.outputs.end);
                    pack_left(gradient, pixels.clone(), outputs.clone(), left);
                    let operands = (&*left, &*right);
                    self.multiply(operands, pixels.len(), outputs, overwrite, sums);
                }
            }
        });
    }

    /// The columns of one panel of this task.
    fn panel(&self, panel: usize) -> Range<usize> {
        let start = self.columns.start + panel * RIGHT_WIDTH;
        start..(start + RIGHT_WIDTH).min(self.columns.end)
    }

    /// Adds the products of one packed block.
    fn multiply(
        &self,
        (left, right): (&[f32], &[f32]),
        pixels: usize,
        outputs: Range<usize>,
        overwrite: bool,
        sums: &mut [f32],
    ) {
        let stride = self.columns.len();
        for (panel, right) in right.chunks(PIXELS_MAX * RIGHT_WIDTH).enumerate() {
            let columns = self.panel(panel).len();
            for (strip, left) in left.chunks(PIXELS_MAX * LEFT_WIDTH).enumerate() {
                let first = outputs.start + strip * LEFT_WIDTH;
                if first >= outputs.end {
                    break;
                }
                let rows = LEFT_WIDTH.min(outputs.end - first);
                let operands = Operands { left, rows, right, columns };
                let start = (first - self.outputs.start) * stride + panel * RIGHT_WIDTH;
                let sums = (&mut sums[start..], stride);
                add_outer_products(Level::best(), operands, pixels, overwrite, sums);
            }
        }
    }
}
