//! Products over the pixels of a map: the direct form of a convolution and of its input's gradient.
//!
//! Both are windows that move over a bordered map. A convolution has one window, which moves by
//! the stride. The gradient of its input at stride s has s² windows, which move by one pixel and
//! write every s-th pixel of every s-th row: each pixel's residue decides which taps of the kernel
//! ever touched it.

use crate::kernels::activation::{Activation, Layout};
use crate::kernels::simd::panels::{Epilogue, PanelsView, Rows, multiply};
use crate::workers::Workers;

/// Largest side of a kernel.
pub(super) const KERNEL_MAX: usize = 7;
/// Pixels whose offsets are collected before they are multiplied: a multiple of the tile's six
/// rows, enough to use a panel of weights often while it is in the cache.
const PIXELS_TOGETHER: usize = 96;
/// Tasks for each worker, so that a slow one leaves others something to take.
const TASKS_FOR_EACH: usize = 8;

/// A window: lattice point (a, b) reads `rows` segments from `corner + (a, b) * step` of the
/// bordered input on and writes pixel `phase + (a, b) * spacing`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    pub panels: PanelsView<'a>,
    /// Segments, one for each row of taps; 0 where no tap touches these pixels.
    pub rows: usize,
    pub segment_length: usize,
    pub corner: [usize; 2],
    pub step: usize,
    pub phase: [usize; 2],
    pub spacing: usize,
}

/// What windows read and how they write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Direct<'a> {
    pub input: Activation<'a>,
    /// The output, which is dense.
    pub output: Layout,
    pub residual: Option<&'a [f32]>,
    pub relu: bool,
    /// Whether results are added to what the output holds.
    pub add: bool,
}

impl Direct<'_> {
    /// Runs windows `0..count` over the whole output.
    pub(super) fn run<'w>(
        &self,
        count: usize,
        window: impl Fn(usize) -> Window<'w> + Sync,
        output: &mut [f32],
        workers: &Workers,
    ) {
        let row_length = self.output.row_length();
        let piece = self.piece_rows(workers.count());
        workers.for_each_piece(output, (piece * row_length).max(1), |index, part| {
            for number in 0..count {
                self.write(&window(number), index * piece, part);
            }
        });
    }

    /// Rows of one task. Sums do not depend on it: each output's order is that of its taps.
    fn piece_rows(&self, workers_count: usize) -> usize {
        let rows = self.output.rows();
        let enough = PIXELS_TOGETHER.div_ceil(self.output.width.max(1));
        let even = rows.div_ceil(workers_count);
        rows.div_ceil(workers_count * TASKS_FOR_EACH).max(enough).min(even).max(1)
    }

    /// Writes what one window gives of the rows from `first` on, counted over the batch.
    fn write(&self, window: &Window<'_>, first: usize, part: &mut [f32]) {
        let Layout { height, width, channels, .. } = self.output;
        let mut pixels = Pixels::default();
        for row in 0..part.len() / self.output.row_length() {
            let (image, y) = ((first + row) / height, (first + row) % height);
            if y % window.spacing != window.phase[0] {
                continue;
            }
            let top = window.corner[0] + y / window.spacing * window.step;
            for (point, x) in (window.phase[1]..width).step_by(window.spacing).enumerate() {
                let at = (row * width + x) * channels;
                if window.rows == 0 {
                    if !self.add {
                        part[at..at + channels].fill(0.0);
                    }
                    continue;
                }
                let left = window.corner[1] + point * window.step;
                pixels.input[pixels.count] = self.input.layout.offset(image, top, left);
                pixels.output[pixels.count] = at;
                pixels.residual[pixels.count] = at + first * self.output.row_length();
                pixels.count += 1;
                if pixels.count == PIXELS_TOGETHER {
                    self.flush(window, &mut pixels, part);
                }
            }
        }
        self.flush(window, &mut pixels, part);
    }

    fn flush(&self, window: &Window<'_>, pixels: &mut Pixels, part: &mut [f32]) {
        let pitch = self.input.layout.row_length();
        let segments: [usize; KERNEL_MAX] = std::array::from_fn(|row| row * pitch);
        let rows = Rows {
            data: self.input.data,
            offsets: &pixels.input[..pixels.count],
            segments: &segments[..window.rows],
            segment_length: window.segment_length,
        };
        let residual = self.residual.map(|map| (map, &pixels.residual[..pixels.count]));
        let epilogue = Epilogue { residual, relu: self.relu, add: self.add };
        multiply(rows, window.panels, epilogue, part, &pixels.output[..pixels.count]);
        pixels.count = 0;
    }
}

/// Offsets of pixels that are multiplied together.
struct Pixels {
    count: usize,
    input: [usize; PIXELS_TOGETHER],
    output: [usize; PIXELS_TOGETHER],
    residual: [usize; PIXELS_TOGETHER],
}

impl Default for Pixels {
    fn default() -> Pixels {
        let none = [0; PIXELS_TOGETHER];
        Pixels { count: 0, input: none, output: none, residual: none }
    }
}
