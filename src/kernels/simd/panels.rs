//! Rows of activations times packed weights, with a layer's bias, residual and ReLU in registers.
//!
//! A tile of 6 rows by 64 columns keeps 24 of AVX-512's 32 registers as sums (6 by 16 as many of
//! NEON's). Weights are packed once into panels as wide as a tile that are read front to back;
//! activations are read where they lie, by one offset for each row and one for each segment of the
//! inner dimension. A 3x3 convolution is three segments (its three rows of pixels), so nothing is
//! copied into columns ("indirect" convolution: Dukhan, arXiv 1907.02129). The inner dimension is
//! not cut: sums never leave the registers, and their order is the order of the inner dimension
//! whatever the tile.

use super::lanes::Lanes;
use super::{Level, dispatch};
use crate::memory::aligned::AlignedFloats;

/// Rows of the largest tile.
const TILE_ROWS: usize = 6;
/// Rows of the tile of a panel of one vector: six sums would wait for each other.
const NARROW_ROWS: usize = 12;
/// Lanes of the widest panel.
const PANEL_WIDTH_MAX: usize = 64;

/// The right operand of a product, packed for one level in memory of its own; it has no bias.
#[derive(Debug)]
pub struct Panels {
    level: Level,
    inner: usize,
    columns: usize,
    values: AlignedFloats,
}

impl Panels {
    /// Panels of an empty matrix, for [`Panels::pack`].
    pub fn empty(level: Level) -> Panels {
        level.check();
        Panels { level, inner: 0, columns: 0, values: AlignedFloats::zeros(0) }
    }

    /// Packs the matrix whose element (step, column) is `weight(step, column)` in place of the one
    /// before; allocates only where it is larger than any before.
    pub fn pack(&mut self, inner: usize, columns: usize, weight: impl Fn(usize, usize) -> f32) {
        let padded = columns.next_multiple_of(self.level.width());
        (self.inner, self.columns) = (inner, columns);
        self.values.grow(padded * inner);
        let mut start = 0;
        for first in (0..columns).step_by(panel_width(self.level)) {
            let width = panel_width(self.level).min(padded - first);
            let panel = &mut self.values.as_mut_slice()[start..start + width * inner];
            let filled = width.min(columns - first);
            for (step, row) in panel.chunks_exact_mut(width).enumerate() {
                let (weights, padding) = row.split_at_mut(filled);
                for (offset, value) in weights.iter_mut().enumerate() {
                    *value = weight(step, first + offset);
                }
                padding.fill(0.0);
            }
            start += width * inner;
        }
    }

    /// The operand as products read it.
    pub fn view(&self) -> PanelsView<'_> {
        PanelsView {
            level: self.level,
            inner: self.inner,
            columns: self.columns,
            values: self.values.as_slice(),
            bias: &[],
        }
    }

    /// Length of the inner dimension.
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.values.memory_bytes()
    }
}

/// A packed right operand in borrowed memory: training packs weights anew for each step.
#[derive(Debug, Clone, Copy)]
pub struct PanelsView<'a> {
    level: Level,
    inner: usize,
    columns: usize,
    values: &'a [f32],
    bias: &'a [f32],
}

impl<'a> PanelsView<'a> {
    /// `values` hold the matrix where [`PanelsView::place`] puts each element; `bias` has a value
    /// for each column, padded to whole vectors, or none at all (zeros).
    ///
    /// # Panics
    /// When a slice is too short.
    pub fn new(
        level: Level,
        inner: usize,
        columns: usize,
        values: &'a [f32],
        bias: &'a [f32],
    ) -> PanelsView<'a> {
        level.check();
        assert!(values.len() >= PanelsView::length(level, inner, columns));
        let padded = columns.next_multiple_of(level.width());
        assert!(bias.is_empty() || bias.len() >= padded, "{} for {padded}", bias.len());
        PanelsView { level, inner, columns, values, bias }
    }

    /// Floats of a packed matrix.
    pub fn length(level: Level, inner: usize, columns: usize) -> usize {
        inner * columns.next_multiple_of(level.width())
    }

    /// Where element (`step`, `column`) of a packed matrix of `columns` columns lies. A whole
    /// vector of columns lies together.
    pub fn place(
        level: Level,
        (inner, columns): (usize, usize),
        step: usize,
        column: usize,
    ) -> usize {
        let first = column - column % panel_width(level);
        let padded = columns.next_multiple_of(level.width());
        first * inner + step * panel_width(level).min(padded - first) + column - first
    }
}

/// Columns of every panel but the last, which may be narrower by whole vectors.
pub fn panel_width(level: Level) -> usize {
    level.width() * panel_vectors(level.width())
}

/// Vectors of `width` floats that such a panel is wide: sixteen lanes come with twice the registers,
/// and the twice as many of NEON are taken up in pairs.
const fn panel_vectors(width: usize) -> usize {
    if width == 16 { 4 } else { 2 }
}

/// The left operand: row `r` is, for each segment, the `segment_length` floats at
/// `data[offsets[r] + segment]`, one segment after the other.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    pub data: &'a [f32],
    pub offsets: &'a [usize],
    pub segments: &'a [usize],
    pub segment_length: usize,
}

/// What happens to the sums before they are written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// Values to add, and the offset of each row's first one.
    pub residual: Option<(&'a [f32], &'a [usize])>,
    /// Negative results become 0.
    pub relu: bool,
    /// What the output holds is added too.
    pub add: bool,
}

/// Writes row `r` of (`rows` times `panels`, bias added, then `epilogue`) to
/// `output[output_offsets[r]..][..columns]`.
///
/// # Panics
/// When an offset leads outside its slice or the inner dimensions differ.
pub fn multiply(
    rows: Rows<'_>,
    panels: PanelsView<'_>,
    epilogue: Epilogue<'_>,
    output: &mut [f32],
    output_offsets: &[usize],
) {
    let largest = |offsets: &[usize]| offsets.iter().copied().max().unwrap_or(0);
    let count = rows.offsets.len();
    if count == 0 {
        return;
    }
    assert_eq!(rows.segments.len() * rows.segment_length, panels.inner);
    let reach = largest(rows.offsets) + largest(rows.segments) + rows.segment_length;
    assert!(reach <= rows.data.len(), "input: {reach} of {}", rows.data.len());
    assert_eq!(output_offsets.len(), count);
    let reach = largest(output_offsets) + panels.columns;
    assert!(reach <= output.len(), "output: {reach} of {}", output.len());
    if let Some((data, offsets)) = epilogue.residual {
        assert_eq!(offsets.len(), count);
        let reach = largest(offsets) + panels.columns;
        assert!(reach <= data.len(), "residual: {reach} of {}", data.len());
    }
    let job = Job { rows, panels, epilogue, output: output.as_mut_ptr(), output_offsets };
    let job = &job;
    dispatch!(panels.level, multiply_panels(job: &Job<'_>));
}

/// A product whose offsets have been checked.
struct Job<'a> {
    rows: Rows<'a>,
    panels: PanelsView<'a>,
    epilogue: Epilogue<'a>,
    output: *mut f32,
    output_offsets: &'a [usize],
}

/// # Safety
/// The level's instructions are enabled and every offset of `job` stays inside its slice.
#[inline(always)]
unsafe fn multiply_panels<L: Lanes>(job: &Job<'_>) {
    let panels = &job.panels;
    let vectors_max = const { panel_vectors(L::WIDTH) };
    let mut weights = panels.values.as_ptr();
    let mut column = 0;
    while column < panels.columns {
        let vectors = (panels.columns - column).div_ceil(L::WIDTH).min(vectors_max);
        // SAFETY: `pack` laid the panel that starts at `column` out with `vectors` vectors for
        // each step; the next one follows it.
        unsafe {
            match vectors {
                1 => multiply_panel::<L, 1>(job, weights, column),
                3 if vectors_max > 2 => multiply_panel::<L, 3>(job, weights, column),
                4 if vectors_max > 2 => multiply_panel::<L, 4>(job, weights, column),
                _ => multiply_panel::<L, 2>(job, weights, column),
            }
            weights = weights.add(vectors * L::WIDTH * panels.inner);
        }
        column += vectors * L::WIDTH;
    }
}

/// # Safety
/// As [`multiply_panels`]; `weights` is the panel that starts at `column`.
#[inline(always)]
unsafe fn multiply_panel<L: Lanes, const VECTORS: usize>(
    job: &Job<'_>,
    weights: *const f32,
    column: usize,
) {
    let count = job.rows.offsets.len();
    let mut row = 0;
    while row < count {
        // What is left after the whole tiles goes by fours, twos and ones: a tile for every count
        // would be 0.2 MB of code for a few rows.
        // SAFETY: the caller's promise.
        row += unsafe {
            match count - row {
                NARROW_ROWS.. if VECTORS == 1 => {
                    tile::<L, NARROW_ROWS, VECTORS>(job, weights, row, column)
                }
                1 => tile::<L, 1, VECTORS>(job, weights, row, column),
                2 | 3 => tile::<L, 2, VECTORS>(job, weights, row, column),
                4 | 5 => tile::<L, 4, VECTORS>(job, weights, row, column),
                _ => tile::<L, TILE_ROWS, VECTORS>(job, weights, row, column),
            }
        };
    }
}

/// Answers the rows done.
///
/// # Safety
/// As [`multiply_panel`]; rows `row..row + ROWS` exist.
#[inline(always)]
unsafe fn tile<L: Lanes, const ROWS: usize, const VECTORS: usize>(
    job: &Job<'_>,
    mut weights: *const f32,
    row: usize,
    column: usize,
) -> usize {
    let rows = &job.rows;
    // SAFETY: bias and panels are padded to whole vectors, and `multiply` checked the offsets.
    unsafe {
        let bias = job.panels.bias;
        let start = match bias.is_empty() {
            true => [L::splat(0.0); VECTORS],
            false => {
                std::array::from_fn(|vector| L::load(bias.as_ptr().add(column + vector * L::WIDTH)))
            }
        };
        let mut sums: [[L::Vector; VECTORS]; ROWS] = [start; ROWS];
        for line in 0..ROWS {
            prefetch_row::<L, VECTORS>(job, row + line, column);
        }
        for segment in rows.segments {
            let start = rows.data.as_ptr().add(*segment);
            let inputs: [*const f32; ROWS] =
                std::array::from_fn(|line| start.add(rows.offsets[row + line]));
            for step in 0..rows.segment_length {
                let factors: [L::Vector; VECTORS] =
                    std::array::from_fn(|vector| L::load(weights.add(vector * L::WIDTH)));
                for line in 0..ROWS {
                    let value = L::splat(*inputs[line].add(step));
                    for vector in 0..VECTORS {
                        sums[line][vector] =
                            L::multiply_add(value, factors[vector], sums[line][vector]);
                    }
                }
                weights = weights.add(VECTORS * L::WIDTH);
            }
        }
        if job.panels.columns - column >= VECTORS * L::WIDTH {
            finish_whole::<L, ROWS, VECTORS>(job, sums, row, column);
        } else {
            let mut plain = [[0.0; PANEL_WIDTH_MAX]; ROWS];
            for (plain, sums) in plain.iter_mut().zip(&sums) {
                for (vector, &sum) in sums.iter().enumerate() {
                    L::store(plain.as_mut_ptr().add(vector * L::WIDTH), sum);
                }
            }
            finish_ragged(job, &plain, row, column);
        }
    }
    ROWS
}

/// Asks for what the epilogue of one row will touch: the sums take long enough for it to arrive,
/// and without this a narrow layer waits for memory a quarter of its time.
///
/// # Safety
/// As [`multiply_panel`].
#[inline(always)]
unsafe fn prefetch_row<L: Lanes, const VECTORS: usize>(job: &Job<'_>, row: usize, column: usize) {
    let output = job.output.wrapping_add(job.output_offsets[row] + column);
    let residual = job
        .epilogue
        .residual
        .map(|(data, offsets)| data.as_ptr().wrapping_add(offsets[row] + column));
    for vector in 0..VECTORS {
        // SAFETY: prefetching takes any address.
        unsafe {
            L::prefetch_to_write(output.wrapping_add(vector * L::WIDTH));
            if let Some(residual) = residual {
                L::prefetch_to_read(residual.wrapping_add(vector * L::WIDTH));
            }
        }
    }
}

/// Applies the epilogue to the sums of a tile whose columns all exist, and writes them. Each part of
/// the epilogue goes over the whole tile: a choice for every vector would be most of the library's
/// code.
///
/// # Safety
/// As [`multiply_panel`].
#[inline(always)]
unsafe fn finish_whole<L: Lanes, const ROWS: usize, const VECTORS: usize>(
    job: &Job<'_>,
    mut sums: [[L::Vector; VECTORS]; ROWS],
    row: usize,
    column: usize,
) {
    // SAFETY: `multiply` checked the offsets, and the columns fill the vectors.
    unsafe {
        if let Some((data, offsets)) = job.epilogue.residual {
            for (line, sums) in sums.iter_mut().enumerate() {
                let residual = data.as_ptr().add(offsets[row + line] + column);
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = L::add(*sum, L::load(residual.add(vector * L::WIDTH)));
                }
            }
        }
        if job.epilogue.add {
            for (line, sums) in sums.iter_mut().enumerate() {
                let output = job.output.add(job.output_offsets[row + line] + column);
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = L::add(*sum, L::load(output.add(vector * L::WIDTH)));
                }
            }
        }
        if job.epilogue.relu {
            for sum in sums.as_flattened_mut() {
                *sum = L::maximum(L::splat(0.0), *sum);
            }
        }
        for (line, sums) in sums.iter().enumerate() {
            let output = job.output.add(job.output_offsets[row + line] + column);
            for (vector, &sum) in sums.iter().enumerate() {
                L::store(output.add(vector * L::WIDTH), sum);
            }
        }
    }
}

/// [`finish_whole`] for a tile that is wider than the columns that are left; `sums` are its rows.
///
/// # Safety
/// As [`multiply_panel`].
#[inline(never)]
unsafe fn finish_ragged(job: &Job<'_>, sums: &[[f32; PANEL_WIDTH_MAX]], row: usize, column: usize) {
    let columns = job.panels.columns - column;
    for (line, sums) in (row..).zip(sums) {
        let residual =
            job.epilogue.residual.map(|(data, offsets)| &data[offsets[line] + column..][..columns]);
        // SAFETY: `multiply` checked that every row lies inside the output, which it borrows
        // exclusively.
        let output = unsafe {
            let start = job.output.add(job.output_offsets[line] + column);
            std::slice::from_raw_parts_mut(start, columns)
        };
        for (index, (output, &sum)) in output.iter_mut().zip(sums).enumerate() {
            let mut sum = sum;
            if let Some(residual) = residual {
                sum += residual[index];
            }
            if job.epilogue.add {
                sum += *output;
            }
            *output = if job.epilogue.relu && sum < 0.0 { 0.0 } else { sum };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random, StreamKey};

    fn draw(count: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::new(StreamKey::new(seed, Purpose::Sampling));
        (0..count).map(|_| random.uniform() as f32 - 0.5).collect()
    }

    /// Two segments of seven, rows that overlap, columns that fill no vector, every number of
    /// rows in the last tile.
    #[test]
    fn every_level_agrees_with_three_loops() {
        let data = draw(200, 1);
        let (segments, segment_length) = ([3usize, 40], 7);
        for columns in [1, 16, 37, 64, 100] {
            let (weights, bias) = (draw(14 * columns, 2), draw(columns, 3));
            for count in 0..14 {
                let offsets: Vec<usize> = (0..count).map(|row| row * 5).collect();
                let places: Vec<usize> = (0..count).map(|row| row * (columns + 2) + 1).collect();
                let residual = draw(count * (columns + 2) + 1, 4);
                for level in Level::available() {
                    let mut panels = Panels::empty(level);
                    panels.pack(14, columns, |step, column| weights[step * columns + column]);
                    let mut padded = bias.clone();
                    padded.resize(columns.next_multiple_of(level.width()), 0.0);
                    let values = panels.values.as_slice();
                    let view = PanelsView::new(level, 14, columns, values, &padded);
                    let rows = Rows {
                        data: &data,
                        offsets: &offsets,
                        segments: &segments,
                        segment_length,
                    };
                    let epilogue =
                        Epilogue { residual: Some((&residual, &places)), relu: true, add: true };
                    let mut output = vec![9.0f32; residual.len()];
                    multiply(rows, view, epilogue, &mut output, &places);
                    let mut wanted = vec![9.0f32; residual.len()];
                    for row in 0..count {
                        for column in 0..columns {
                            let mut sum = bias[column];
                            for step in 0..14 {
                                let from = offsets[row] + segments[step / 7] + step % 7;
                                sum += data[from] * weights[step * columns + column];
                            }
                            let place = places[row] + column;
                            wanted[place] = (sum + residual[place] + 9.0).max(0.0);
                        }
                    }
                    let error = output.iter().zip(&wanted).map(|(got, want)| (got - want).abs());
                    assert!(error.fold(0.0, f32::max) < 2e-5, "{level:?} {columns} {count}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "input: 11 of 10")]
    fn offsets_outside_are_refused() {
        let mut panels = Panels::empty(Level::best());
        panels.pack(2, 1, |_, _| 1.0);
        let rows = Rows { data: &[0.0; 10], offsets: &[9], segments: &[0], segment_length: 2 };
        multiply(rows, panels.view(), Epilogue::default(), &mut [0.0], &[0]);
    }
}
