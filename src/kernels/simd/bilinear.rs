//! Rows of cells gathered with weights, and gradients scattered back: deformable attention.
//!
//! All samples of one query and head are taken together, so that sums stay in registers and the
//! four inner products of a sample are reduced at once. The order of every sum depends on the
//! level alone.

use super::lanes::{LEAST_WIDTH, Lanes};
use super::{Level, dispatch};
use std::ops::Range;

/// Most samples that are taken together.
pub const SAMPLES: usize = 16;
/// Cells around a sample.
pub const CORNERS: usize = 4;
/// Vectors of channels that are worked on together.
const VECTORS: usize = 2;

/// The channels of cells: cell `c` is `values[start + c * stride..]`.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'a> {
    pub values: &'a [f32],
    pub start: usize,
    pub stride: usize,
}

/// The cells around some samples: those of sample `s` are at `s`, `SAMPLES + s`, ...
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    /// Numbers of cells, `CORNERS * SAMPLES` of them.
    pub cells: &'a [u32],
    /// What each is weighted by, as many.
    pub shares: &'a [f32],
    /// Samples in use, up to [`SAMPLES`].
    pub count: usize,
}

impl Samples<'_> {
    /// Refuses samples that lead outside `count` cells.
    fn check(&self, count: usize) {
        assert!(self.cells.len() == CORNERS * SAMPLES && self.shares.len() == self.cells.len());
        let largest =
            self.cells.iter().fold(0, |most, cell| if *cell > most { *cell } else { most });
        assert!(self.count <= SAMPLES && (largest as usize) < count, "{largest} of {count} cells");
    }
}

impl Cells<'_> {
    /// Cells that have `channels` channels.
    fn count(&self, channels: usize) -> usize {
        let room = self.values.len().checked_sub(self.start + channels);
        room.map_or(0, |room| room / self.stride.max(1) + 1)
    }
}

/// Adds the weighted cells of the samples to `output`, which has as many channels as are added.
///
/// # Panics
/// When a cell lies outside `cells`.
pub fn gather(level: Level, cells: Cells<'_>, samples: Samples<'_>, output: &mut [f32]) {
    samples.check(cells.count(output.len()));
    dispatch!(level, gather_kernel(cells: Cells<'_>, samples: Samples<'_>, output: &mut [f32]));
}

/// # Safety
/// The level's instructions are enabled; [`gather`] checked the cells.
#[inline(always)]
unsafe fn gather_kernel<L: Lanes>(cells: Cells<'_>, samples: Samples<'_>, output: &mut [f32]) {
    let blocks = Blocks::new::<L>(output.len());
    // SAFETY: all cells have the channels of every block.
    unsafe {
        for channel in blocks.wide.clone().step_by(VECTORS * L::WIDTH) {
            gather_block::<L, VECTORS>(cells, samples, channel, output);
        }
        for channel in blocks.narrow.clone().step_by(LEAST_WIDTH) {
            gather_block::<L::Least, 1>(cells, samples, channel, output);
        }
    }
    for (channel, output) in output.iter_mut().enumerate().skip(blocks.narrow.end) {
        for (cell, share) in in_use(samples) {
            *output += share * cells.values[cells.start + cell * cells.stride + channel];
        }
    }
}

/// Channels that are worked on together: as many as fill two of the level's vectors, then those that
/// fill the narrowest one. What is left is worked on one by one.
struct Blocks {
    wide: Range<usize>,
    narrow: Range<usize>,
}

impl Blocks {
    #[inline(always)]
    fn new<L: Lanes>(channels: usize) -> Blocks {
        let wide = channels - channels % (VECTORS * L::WIDTH);
        Blocks { wide: 0..wide, narrow: wide..channels - channels % LEAST_WIDTH }
    }
}

/// Gathers `COUNT` vectors of channels from `channel` on.
///
/// # Safety
/// The level's instructions are enabled, and all cells and the output have those channels.
#[inline(always)]
unsafe fn gather_block<L: Lanes, const COUNT: usize>(
    cells: Cells<'_>,
    samples: Samples<'_>,
    channel: usize,
    output: &mut [f32],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[L::splat(0.0); COUNT]; CORNERS];
        for sample in 0..samples.count {
            for (corner, sums) in sums.iter_mut().enumerate() {
                let place = corner * SAMPLES + sample;
                let cell = *samples.cells.get_unchecked(place) as usize;
                let from = cells.values.as_ptr().add(cells.start + cell * cells.stride + channel);
                let share = L::splat(*samples.shares.get_unchecked(place));
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = L::multiply_add(share, L::load(from.add(vector * L::WIDTH)), *sum);
                }
            }
        }
        let [a, b, c, d] = sums;
        for vector in 0..COUNT {
            let to = output.as_mut_ptr().add(channel + vector * L::WIDTH);
            let sum = L::add(L::add(a[vector], b[vector]), L::add(c[vector], d[vector]));
            L::store(to, L::add(L::load(to), sum));
        }
    }
}

/// Cells and shares of the samples in use.
fn in_use(samples: Samples<'_>) -> impl Iterator<Item = (usize, f32)> {
    let places = (0..CORNERS * SAMPLES).filter(move |place| place % SAMPLES < samples.count);
    places.map(move |place| (samples.cells[place] as usize, samples.shares[place]))
}

/// What a scatter writes.
#[derive(Debug)]
pub struct Scattered<'a> {
    /// Dense rows of channels, one for each cell; the weighted gradient is added to them.
    pub cells: &'a mut [f32],
    /// The inner product of the gradient with each corner of each sample, placed as in
    /// [`Samples`]; samples that are not in use keep theirs.
    pub products: &'a mut [f32],
}

/// Scatters `gradient`, the gradient of what [`gather`] added.
///
/// # Panics
/// When a cell lies outside `cells` or `to.cells`.
pub fn scatter(
    level: Level,
    cells: Cells<'_>,
    samples: Samples<'_>,
    gradient: &[f32],
    to: &mut Scattered<'_>,
) {
    samples.check(cells.count(gradient.len()).min(to.cells.len() / gradient.len().max(1)));
    assert_eq!(to.products.len(), CORNERS * SAMPLES);
    dispatch!(
        level,
        scatter_kernel(
            cells: Cells<'_>,
            samples: Samples<'_>,
            gradient: &[f32],
            to: &mut Scattered<'_>,
        )
    );
}

/// # Safety
/// The level's instructions are enabled; [`scatter`] checked the cells.
#[inline(always)]
unsafe fn scatter_kernel<L: Lanes>(
    cells: Cells<'_>,
    samples: Samples<'_>,
    gradient: &[f32],
    to: &mut Scattered<'_>,
) {
    let channels = gradient.len();
    let blocks = Blocks::new::<L>(channels);
    let whole = blocks.narrow.end;
    for sample in 0..samples.count {
        let mut sums = [0.0f32; CORNERS];
        // SAFETY: all cells have the channels of every block, in both.
        unsafe {
            for channel in blocks.wide.clone().step_by(VECTORS * L::WIDTH) {
                let place = (sample, channel);
                scatter_block::<L, VECTORS>(cells, samples, place, gradient, to, &mut sums);
            }
            for channel in blocks.narrow.clone().step_by(LEAST_WIDTH) {
                let place = (sample, channel);
                scatter_block::<L::Least, 1>(cells, samples, place, gradient, to, &mut sums);
            }
        }
        for (corner, sum) in sums.into_iter().enumerate() {
            let place = corner * SAMPLES + sample;
            let (cell, share) = (samples.cells[place] as usize, samples.shares[place]);
            let mut sum = sum;
            let values = &cells.values[cells.start + cell * cells.stride..][whole..channels];
            let targets = &mut to.cells[cell * channels..][whole..channels];
            let rest = gradient[whole..channels].iter().zip(values).zip(targets);
            for ((gradient, value), target) in rest {
                sum += gradient * value;
                *target += share * gradient;
            }
            to.products[place] = sum;
        }
    }
}

/// Scatters `COUNT` vectors of channels of one sample, and adds to `sums` what they give of its inner
/// products.
///
/// # Safety
/// The level's instructions are enabled, and the gradient and all cells, those of `to` too, have those
/// channels.
#[inline(always)]
unsafe fn scatter_block<L: Lanes, const COUNT: usize>(
    cells: Cells<'_>,
    samples: Samples<'_>,
    (sample, channel): (usize, usize),
    gradient: &[f32],
    to: &mut Scattered<'_>,
    sums: &mut [f32; CORNERS],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut slopes = [L::splat(0.0); COUNT];
        for (vector, slope) in slopes.iter_mut().enumerate() {
            *slope = L::load(gradient.as_ptr().add(channel + vector * L::WIDTH));
        }
        let mut terms = [L::splat(0.0); CORNERS];
        for (corner, term) in terms.iter_mut().enumerate() {
            let place = corner * SAMPLES + sample;
            let cell = *samples.cells.get_unchecked(place) as usize;
            let from = cells.values.as_ptr().add(cells.start + cell * cells.stride + channel);
            let sum = to.cells.as_mut_ptr().add(cell * gradient.len() + channel);
            let share = L::splat(*samples.shares.get_unchecked(place));
            for (vector, slope) in slopes.into_iter().enumerate() {
                let at = vector * L::WIDTH;
                *term = L::multiply_add(slope, L::load(from.add(at)), *term);
                let sum = sum.add(at);
                L::store(sum, L::multiply_add(share, slope, L::load(sum)));
            }
        }
        for (sum, term) in sums.iter_mut().zip(L::sums(terms)) {
            *sum += term;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random, StreamKey};

    const ROWS: usize = 9;

    fn draw(count: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::new(StreamKey::new(seed, Purpose::Sampling));
        (0..count).map(|_| random.normal() as f32).collect()
    }

    #[test]
    fn every_level_and_width_gathers_and_scatters_what_plain_loops_do() {
        for level in Level::available() {
            for (channels, count) in [(32, 16), (41, 5), (3, 1), (64, 16), (8, 12), (27, 16)] {
                let stride = channels + 2;
                let values = draw(ROWS * stride, 1);
                let cells = Cells { values: &values, start: 1, stride };
                let numbers: Vec<u32> = (0..64).map(|place| place * 5 % ROWS as u32).collect();
                let shares = draw(64, 2);
                let samples = Samples { cells: &numbers, shares: &shares, count };
                let gradient = draw(channels, 3);
                let mut output = vec![1.0; channels];
                gather(level, cells, samples, &mut output);
                let (mut sums, mut products) = (vec![2.0; ROWS * channels], vec![7.0; 64]);
                let mut to = Scattered { cells: &mut sums, products: &mut products };
                scatter(level, cells, samples, &gradient, &mut to);
                let (mut wanted, mut wanted_sums) = (vec![1.0; channels], vec![2.0; sums.len()]);
                for place in 0..64 {
                    let cell = numbers[place] as usize;
                    let row = &values[1 + cell * stride..][..channels];
                    let product: f32 = row.iter().zip(&gradient).map(|(a, b)| a * b).sum();
                    if place % SAMPLES >= count {
                        assert_eq!(products[place], 7.0);
                        continue;
                    }
                    assert!((products[place] - product).abs() < 1e-4, "{level:?} {channels}");
                    for channel in 0..channels {
                        wanted[channel] += shares[place] * row[channel];
                        wanted_sums[cell * channels + channel] += shares[place] * gradient[channel];
                    }
                }
                for (found, wanted) in [(output, wanted), (sums, wanted_sums)] {
                    assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4));
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "9 of 9 cells")]
    fn a_cell_outside_is_refused() {
        let values = [0.0; ROWS];
        let cells = Cells { values: &values, start: 0, stride: 1 };
        let samples = Samples { cells: &[9; 64], shares: &[0.0; 64], count: 1 };
        gather(Level::Portable, cells, samples, &mut [0.0]);
    }
}
