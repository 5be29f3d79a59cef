//! Matrix products that allocate nothing once warm: rows where they lie, times panels that are
//! packed into kept memory.
//!
//! Frame loops may not allocate, and the general product of `nn::matrix_product` does at every
//! call; every product of this room has contiguous rows on the left, so the layers' kernel fits.

use super::numeric::bytes_of;
use crate::nn::simd::Level;
use crate::nn::simd::panels::{Epilogue, Panels, Rows, multiply};
use crate::workers::Workers;

/// Multiply-adds under which a task costs more to hand over than to run.
const TASK_WORK_MIN: usize = 1 << 20;
/// Rows of a task are a multiple of the kernel's tile.
const TASK_ROWS: usize = 48;

/// The left operand: `count` rows of `inner` floats that start `stride` floats apart.
#[derive(Debug, Clone, Copy)]
pub struct RowView<'a> {
    pub data: &'a [f32],
    pub count: usize,
    pub stride: usize,
    pub inner: usize,
}

impl<'a> RowView<'a> {
    /// Rows one after another.
    pub fn dense(data: &'a [f32], count: usize, inner: usize) -> RowView<'a> {
        RowView { data, count, stride: inner, inner }
    }
}

/// A packed right operand.
#[derive(Debug)]
pub struct RowProduct {
    panels: Panels,
    offsets: Vec<usize>,
    output_offsets: Vec<usize>,
}

impl Default for RowProduct {
    fn default() -> RowProduct {
        let panels = Panels::empty(Level::best());
        RowProduct { panels, offsets: Vec::new(), output_offsets: Vec::new() }
    }
}

impl RowProduct {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.panels.memory_bytes() + bytes_of(&self.offsets) + bytes_of(&self.output_offsets)
    }

    /// Packs the right operand: `inner` by `columns`, element by element.
    pub fn load(&mut self, inner: usize, columns: usize, weight: impl Fn(usize, usize) -> f32) {
        self.panels.repack(inner, columns, weight);
    }

    /// `output` = `rows` times the packed operand; its rows start `stride` floats apart.
    pub fn multiply(
        &mut self,
        rows: RowView<'_>,
        output: &mut [f32],
        stride: usize,
        workers: &Workers,
    ) {
        self.run(rows, None, output, stride, workers);
    }

    /// `output` = `addend` + `rows` times the packed operand; both have the same stride.
    pub fn multiply_add(
        &mut self,
        rows: RowView<'_>,
        addend: &[f32],
        output: &mut [f32],
        stride: usize,
        workers: &Workers,
    ) {
        self.run(rows, Some(addend), output, stride, workers);
    }

    fn run(
        &mut self,
        rows: RowView<'_>,
        addend: Option<&[f32]>,
        output: &mut [f32],
        stride: usize,
        workers: &Workers,
    ) {
        assert_eq!(rows.inner, self.panels.inner());
        let work = (rows.inner * self.panels.columns()).max(1);
        let task = TASK_WORK_MIN.div_ceil(work).next_multiple_of(TASK_ROWS).min(rows.count.max(1));
        self.offsets.clear();
        self.offsets.extend((0..task).map(|row| row * rows.stride));
        self.output_offsets.clear();
        self.output_offsets.extend((0..task).map(|row| row * stride));
        let (panels, offsets, places) = (&self.panels, &self.offsets, &self.output_offsets);
        let part = |index: usize, output: &mut [f32]| {
            let first = index * task;
            let count = task.min(rows.count.saturating_sub(first));
            if count == 0 {
                return;
            }
            let view = Rows {
                data: &rows.data[first * rows.stride..],
                offsets: &offsets[..count],
                segments: &[0],
                segment_length: rows.inner,
            };
            let residual = addend.map(|addend| (&addend[first * stride..], &places[..count]));
            let epilogue = Epilogue { residual, ..Epilogue::default() };
            multiply(view, panels.view(), epilogue, output, &places[..count]);
        };
        if rows.count <= task {
            part(0, output);
        } else {
            workers.for_each_piece(output, task * stride, part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_agree_with_three_loops_and_leave_gaps_alone() {
        let (count, inner, columns, stride) = (130, 40, 20, 23);
        let left: Vec<f32> = (0..count * (inner + 2)).map(|i| (i * 31 % 17) as f32 - 8.0).collect();
        let right: Vec<f32> = (0..inner * columns).map(|i| (i * 13 % 11) as f32 - 5.0).collect();
        let addend: Vec<f32> = (0..count * stride).map(|i| i as f32).collect();
        let rows = RowView { data: &left, count, stride: inner + 2, inner };
        let mut product = RowProduct::default();
        product.load(inner, columns, |step, column| right[step * columns + column]);
        for threads in [1, 3] {
            let workers = Workers::with_threads(threads).unwrap();
            let (mut plain, mut added) = (vec![7.0; count * stride], vec![7.0; count * stride]);
            product.multiply(rows, &mut plain, stride, &workers);
            product.multiply_add(rows, &addend, &mut added, stride, &workers);
            for place in 0..count * stride {
                let (row, column) = (place / stride, place % stride);
                if column >= columns {
                    assert_eq!((plain[place], added[place]), (7.0, 7.0));
                    continue;
                }
                let wanted: f32 = (0..inner)
                    .map(|step| left[row * (inner + 2) + step] * right[step * columns + column])
                    .sum();
                assert_eq!((plain[place], added[place]), (wanted, wanted + addend[place]));
            }
        }
    }
}
