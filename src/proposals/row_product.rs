//! Matrix products that allocate nothing once warm: rows where they lie, times panels that are
//! packed into kept memory.
//!
//! Frame loops may not allocate, and the general product of `kernels::matrix_product` does at every
//! call; every product of this room has contiguous rows on the left, so the layers' kernel fits.

use crate::kernels::simd::Level;
use crate::kernels::simd::panels::{Epilogue, Panels, PanelsView, Rows, multiply};
use crate::workers::Workers;

/// Multiply-adds under which a task costs more to hand over than to run.
const TASK_WORK_MIN: usize = 1 << 20;
/// Rows of the kernel's tile; tasks have whole ones.
const TILE_ROWS: usize = 6;
/// Rows whose places are listed together.
const ROWS_TOGETHER: usize = 96;

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
}

impl Default for RowProduct {
    fn default() -> RowProduct {
        RowProduct { panels: Panels::empty(Level::best()) }
    }
}

impl RowProduct {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.panels.memory_bytes()
    }

    /// Packs the right operand: `inner` by `columns`, element by element.
    pub fn load(&mut self, inner: usize, columns: usize, weight: impl Fn(usize, usize) -> f32) {
        self.panels.pack(inner, columns, weight);
    }

    /// `output` = `rows` times the packed operand; its rows start `stride` floats apart.
    pub fn multiply(
        &self,
        rows: RowView<'_>,
        output: &mut [f32],
        stride: usize,
        workers: &Workers,
    ) {
        self.run(rows, None, output, stride, workers);
    }

    /// `output` = `addend` + `rows` times the packed operand; both have the same stride.
    pub fn multiply_add(
        &self,
        rows: RowView<'_>,
        addend: &[f32],
        output: &mut [f32],
        stride: usize,
        workers: &Workers,
    ) {
        self.run(rows, Some(addend), output, stride, workers);
    }

    fn run(
        &self,
        rows: RowView<'_>,
        addend: Option<&[f32]>,
        output: &mut [f32],
        stride: usize,
        workers: &Workers,
    ) {
        assert_eq!(rows.inner, self.panels.inner());
        let work = rows.count * rows.inner * self.panels.columns();
        let tasks = (work / TASK_WORK_MIN).clamp(1, rows.count.div_ceil(TILE_ROWS).max(1));
        let task = rows.count.div_ceil(tasks).next_multiple_of(TILE_ROWS);
        let part = |index: usize, output: &mut [f32]| {
            let first = index * task;
            let count = task.min(rows.count.saturating_sub(first));
            if count > 0 {
                let view = RowView { data: &rows.data[first * rows.stride..], count, ..rows };
                let addend = addend.map(|addend| &addend[first * stride..]);
                multiply_rows(view, self.panels.view(), addend, output, stride);
            }
        };
        if rows.count <= task {
            part(0, output);
        } else {
            workers.for_each_piece(output, task * stride, part);
        }
    }
}

/// `output` = `rows` times `panels`, plus `addend` where there is one; `stride` is that of both.
pub fn multiply_rows(
    rows: RowView<'_>,
    panels: PanelsView<'_>,
    addend: Option<&[f32]>,
    output: &mut [f32],
    stride: usize,
) {
    let offsets: [usize; ROWS_TOGETHER] = std::array::from_fn(|row| row * rows.stride);
    let places: [usize; ROWS_TOGETHER] = std::array::from_fn(|row| row * stride);
    for first in (0..rows.count).step_by(ROWS_TOGETHER) {
        let count = ROWS_TOGETHER.min(rows.count - first);
        let view = Rows {
            data: &rows.data[first * rows.stride..],
            offsets: &offsets[..count],
            segments: &[0],
            segment_length: rows.inner,
        };
        let residual = addend.map(|addend| (&addend[first * stride..], &places[..count]));
        let epilogue = Epilogue { residual, ..Epilogue::default() };
        multiply(view, panels, epilogue, &mut output[first * stride..], &places[..count]);
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
