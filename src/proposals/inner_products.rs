//! Inner products of all rows of a matrix with one another: F Fᵀ, symmetric, by bands of rows.
//!
//! The rows are packed once as the right operand; a band of rows is then multiplied only with the
//! columns up to its own end, and is handed on while it still lies in the cache. What is above the
//! diagonal is copied from below. Nothing is allocated once the memory is warm.

use super::row_product::{RowView, multiply_rows};
use crate::kernels::simd::Level;
use crate::kernels::simd::panels::{PanelsView, panel_width};
use crate::memory::aligned::AlignedFloats;
use crate::workers::Workers;

/// Rows of a band: a multiple of the kernel's tile, and a few hundred kilobytes with a thousand
/// columns.
const BAND_ROWS: usize = 48;
/// Steps that are packed together: two cache lines of each row, read whole.
const PACKED_STEPS: usize = 32;
/// Side of the squares that are mirrored together; two of them fit the first cache.
const SQUARE: usize = 32;

/// The packed rows.
#[derive(Debug)]
pub struct InnerProducts {
    packed: AlignedFloats,
}

impl Default for InnerProducts {
    fn default() -> InnerProducts {
        InnerProducts { packed: AlignedFloats::zeros(0) }
    }
}

impl InnerProducts {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.packed.memory_bytes()
    }

    /// Fills `result` (`[count, count]`) with the inner products of the dense `rows`, below and
    /// on the diagonal: row `r` up to [`computed_columns`]`(count, r)`. Each band goes through
    /// `finish(number of its first row, the band)` before the next one of its thread begins.
    pub fn lower(
        &mut self,
        rows: RowView<'_>,
        result: &mut [f32],
        workers: &Workers,
        finish: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        let (count, inner, level) = (rows.count, rows.inner, Level::best());
        self.pack(rows, level, workers);
        let packed = self.packed.as_slice();
        workers.for_each_piece(result, BAND_ROWS * count, |band, part| {
            let first = band * BAND_ROWS;
            let columns = computed_columns(count, first);
            // The panels of the first columns are the first panels.
            let panels = PanelsView::new(level, inner, columns, packed, &[]);
            let height = part.len() / count;
            let band_rows =
                RowView { data: &rows.data[first * rows.stride..], count: height, ..rows };
            multiply_rows(band_rows, panels, None, part, count);
            finish(first, part);
        });
    }

    fn pack(&mut self, rows: RowView<'_>, level: Level, workers: &Workers) {
        let (count, inner, width) = (rows.count, rows.inner, panel_width(level));
        let length = PanelsView::length(level, inner, count);
        self.packed.grow(length);
        let packed = &mut self.packed.as_mut_slice()[..length];
        workers.for_each_piece(packed, width * inner, |index, panel| {
            let first = index * width;
            let filled = width.min(count - first);
            let padded = panel.len() / inner;
            if filled < padded {
                panel.fill(0.0);
            }
            for step in (0..inner).step_by(PACKED_STEPS) {
                let steps = PACKED_STEPS.min(inner - step);
                let lines = &mut panel[step * padded..(step + steps) * padded];
                for column in 0..filled {
                    let from = (first + column) * rows.stride + step;
                    let source = &rows.data[from..from + steps];
                    for (line, value) in lines.chunks_exact_mut(padded).zip(source) {
                        line[column] = *value;
                    }
                }
            }
        });
    }
}

/// Columns of row `row` that [`InnerProducts::lower`] computes; at least those up to the diagonal.
pub fn computed_columns(count: usize, row: usize) -> usize {
    let band_end = (row / BAND_ROWS + 1) * BAND_ROWS;
    count.min(band_end.next_multiple_of(panel_width(Level::best())))
}

/// Copies what lies below the diagonal of a `size` by `size` matrix to above it.
pub fn mirror(matrix: &mut [f32], size: usize, workers: &Workers) {
    // The lower half of the rows fills the right half of the upper ones; then each half is a
    // triangle of its own.
    let middle = size.div_ceil(2).next_multiple_of(SQUARE).min(size);
    let (upper, lower) = matrix.split_at_mut(middle * size);
    workers.for_each_piece(upper, SQUARE * size, |index, part| {
        copy_transposed(part, index * SQUARE, lower, middle, size);
    });
    workers.for_each_piece(&mut matrix[..size * size], (middle * size).max(1), |half, part| {
        mirror_triangle(part, half * middle, size);
    });
}

/// Mirrors the square on the diagonal whose rows, from row `first` on, are `rows`.
fn mirror_triangle(rows: &mut [f32], first: usize, size: usize) {
    let count = rows.len() / size;
    for start in (0..count).step_by(SQUARE) {
        let end = (start + SQUARE).min(count);
        let (upper, lower) = rows.split_at_mut(end * size);
        let square = &mut upper[start * size..];
        for row in 0..end - start {
            for other in row + 1..end - start {
                square[row * size + first + start + other] =
                    square[other * size + first + start + row];
            }
        }
        copy_transposed(square, first + start, lower, first + end, size);
    }
}

/// Fills, in the rows `upper` (from row `upper_first` on), the columns that the rows `lower` (from
/// row `lower_first` on) mirror.
fn copy_transposed(
    upper: &mut [f32],
    upper_first: usize,
    lower: &[f32],
    lower_first: usize,
    size: usize,
) {
    for (block, source) in lower.chunks(SQUARE * size).enumerate() {
        let columns = lower_first + block * SQUARE;
        for (row, target) in upper.chunks_exact_mut(size).enumerate() {
            let target = &mut target[columns..columns + source.len() / size];
            for (value, from) in target.iter_mut().zip(source.chunks_exact(size)) {
                *value = from[upper_first + row];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_agrees_with_plain_sums_at_any_threads() {
        for (count, inner) in [(1, 1), (5, 3), (48, 33), (64, 70), (97, 40), (230, 17)] {
            let stride = inner + 2;
            let data: Vec<f32> = (0..count * stride).map(|i| (i * 37 % 23) as f32 - 11.0).collect();
            let rows = RowView { data: &data, count, stride, inner };
            for threads in [1, 3] {
                let workers = Workers::with_threads(threads).unwrap();
                let mut result = vec![f32::NAN; count * count];
                let mut products = InnerProducts::default();
                products.lower(rows, &mut result, &workers, |first, band| {
                    for (row, values) in band.chunks_exact_mut(count).enumerate() {
                        let columns = computed_columns(count, first + row);
                        assert!(columns > first + row);
                        values[..columns].iter_mut().for_each(|value| *value += 1.0);
                    }
                });
                mirror(&mut result, count, &workers);
                for row in 0..count {
                    for column in 0..count {
                        let wanted: f32 = (0..inner)
                            .map(|step| data[row * stride + step] * data[column * stride + step])
                            .sum();
                        assert_eq!(result[row * count + column], wanted + 1.0, "{row} {column}");
                    }
                }
            }
        }
    }
}
