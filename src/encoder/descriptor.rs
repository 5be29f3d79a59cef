//! Training-free channels of a map: what colour and texture a cell has.
//!
//! For each cell the mean and the deviation of L*a*b*, and a histogram of gradient orientations
//! (Dalal and Triggs, "Histograms of oriented gradients", CVPR 2005: unsigned, nine bins, votes
//! weighted by magnitude and shared linearly between two bins). Such plain statistics say better
//! than small learned networks where things end; the networks say better what they are, so the
//! default encoder carries both side by side.
//!
//! Every pixel is read once, for the finest of the strides; coarser cells are put together from
//! finer ones.

use super::lab::Lab;
use crate::Result;
use crate::data::feature_map::FeatureMap;
use crate::data::image::Image;
use crate::kernels::simd::Level;
use crate::kernels::simd::plain::{Arithmetic, Kernel, run};
use crate::workers::Workers;

/// Bins of unsigned gradient orientation over half a turn.
const ORIENTATIONS: usize = 9;

/// Channels of L*a*b*.
const COLOURS: usize = 3;

/// Where each kind of channel begins: means, deviations, orientations.
const DEVIATION: usize = COLOURS;
const ORIENTATION: usize = 2 * COLOURS;

/// Channels of a cell.
pub const CHANNELS: usize = ORIENTATION + ORIENTATIONS;

/// Channels of each kind, in their order: means, deviations, orientations.
pub const GROUPS: [usize; 3] = [COLOURS, COLOURS, ORIENTATIONS];

/// Computes the channels.
pub struct Descriptor {
    lab: Lab,
}

impl Default for Descriptor {
    fn default() -> Descriptor {
        Descriptor { lab: Lab::new() }
    }
}

impl Descriptor {
    /// One map of [`CHANNELS`] channels for each of `strides`, in their order; L*a*b* units, and
    /// L* for each pixel for the gradients. Sides of the image must be multiples of every stride.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    pub fn maps(
        &self,
        image: &Image,
        strides: &[usize],
        workers: &Workers,
    ) -> Result<Vec<FeatureMap>> {
        let (mut statistics, mut maps) = (FeatureMap::default(), Vec::new());
        let strides = strides.iter().copied();
        self.maps_into(image, strides, workers, (&mut statistics, &mut maps))?;
        Ok(maps)
    }

    /// [`Descriptor::maps`] into memory that is used again: first the cells of the finest stride,
    /// then the maps.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    pub fn maps_into(
        &self,
        image: &Image,
        strides: impl Iterator<Item = usize> + Clone,
        workers: &Workers,
        (statistics, maps): (&mut FeatureMap, &mut Vec<FeatureMap>),
    ) -> Result<()> {
        let finest = strides.clone().reduce(super::common_divisor).unwrap_or(1);
        let (rows, columns) = (image.height as usize / finest, image.width as usize / finest);
        statistics.reset([rows, columns, CHANNELS], 0.0)?;
        let row_length = (columns * CHANNELS).max(1);
        workers.for_each_piece(&mut statistics.values, row_length, |row, cells| {
            let (first_line, width) = (row * finest, image.width as usize);
            workers.with_scratch(Band::length(width, finest), |memory| {
                let (lab, stride) = (&self.lab, finest);
                run(Level::best(), Cells { lab, image, first_line, stride, cells, memory });
            });
        });
        maps.resize_with(strides.clone().count(), FeatureMap::default);
        for (map, stride) in maps.iter_mut().zip(strides) {
            finish(statistics, stride / finest, map)?;
        }
        Ok(())
    }
}

/// A row of cells that is described in the instructions of a level.
struct Cells<'a> {
    lab: &'a Lab,
    image: &'a Image,
    first_line: usize,
    stride: usize,
    cells: &'a mut [f32],
    /// [`Band::length`] numbers.
    memory: &'a mut [f32],
}

impl Kernel for Cells<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Cells { lab, image, first_line, stride, cells, memory } = self;
        let width = image.width as usize;
        let (planes, gradient) = memory.split_at_mut(Band::planes_length(width, stride));
        let band = Band::new(lab, image, (first_line, stride), planes);
        let (magnitude, orientation) = gradient[..2 * width].split_at_mut(width);
        band.describe(cells, Gradient { magnitude, orientation });
    }
}

/// One row of cells: its L*a*b* planes, and one more line of lightness on either side.
struct Band<'a> {
    width: usize,
    stride: usize,
    planes: [&'a [f32]; COLOURS],
}

impl<'a> Band<'a> {
    /// Numbers of the planes of a row of cells.
    fn planes_length(width: usize, stride: usize) -> usize {
        COLOURS * (stride + 2) * width
    }

    /// Numbers that describing a row of cells takes.
    fn length(width: usize, stride: usize) -> usize {
        Band::planes_length(width, stride) + 2 * width
    }

    #[inline(always)]
    fn new(
        lab: &Lab,
        image: &Image,
        (first_line, stride): (usize, usize),
        memory: &'a mut [f32],
    ) -> Band<'a> {
        let (width, height) = (image.width as usize, image.height as usize);
        let length = (stride + 2) * width;
        let (lightness, colours) = memory.split_at_mut(length);
        let (red, yellow) = colours.split_at_mut(length);
        for line in 0..stride + 2 {
            let source = (first_line + line).saturating_sub(1).min(height - 1);
            let range = line * width..(line + 1) * width;
            lab.convert(
                &image.pixels[source * width * 3..(source + 1) * width * 3],
                [&mut lightness[range.clone()], &mut red[range.clone()], &mut yellow[range]],
            );
        }
        Band { width, stride, planes: [lightness, red, yellow] }
    }

    /// Fills [`CHANNELS`] numbers for each cell: means, variances, shares of the orientations.
    #[inline(always)]
    fn describe(&self, cells: &mut [f32], mut gradient: Gradient<'_>) {
        for colour in 0..COLOURS {
            self.moments(colour, cells);
        }
        for line in 1..=self.stride {
            gradient.compute(self.planes[0], line);
            for (cell, values) in cells.chunks_exact_mut(CHANNELS).enumerate() {
                gradient.vote(cell * self.stride..(cell + 1) * self.stride, values);
            }
        }
        let share = 1.0 / (self.stride * self.stride) as f32;
        for values in cells.chunks_exact_mut(CHANNELS) {
            values[ORIENTATION..].iter_mut().for_each(|votes| *votes *= share);
        }
    }

    /// Mean and variance of one colour. Two passes: the squares of L* are too large beside the
    /// variance of a flat cell to be subtracted in f32.
    #[inline(always)]
    fn moments(&self, colour: usize, cells: &mut [f32]) {
        let share = 1.0 / (self.stride * self.stride) as f32;
        for (cell, values) in cells.chunks_exact_mut(CHANNELS).enumerate() {
            let lines = || {
                (1..=self.stride).map(|line| {
                    let first = line * self.width + cell * self.stride;
                    &self.planes[colour][first..first + self.stride]
                })
            };
            let mean = lines().map(|line| sum(line, |value| value)).sum::<f32>() * share;
            let squares: f32 = lines().map(|line| sum(line, |value| (value - mean).powi(2))).sum();
            values[colour] = mean;
            values[DEVIATION + colour] = squares * share;
        }
    }
}

/// A sum in eight lanes, so that it vectorises and is the same on every machine.
#[inline(always)]
fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; 8];
    let chunks = values.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().map(|value| term(*value)).sum();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += term(*value);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Gradients of one line of lightness: magnitude, and orientation in bins, [0, 9].
struct Gradient<'a> {
    magnitude: &'a mut [f32],
    orientation: &'a mut [f32],
}

impl Gradient<'_> {
    /// Half the difference of the neighbours; the edge repeats itself.
    #[inline(always)]
    fn compute(&mut self, lightness: &[f32], line: usize) {
        let width = self.magnitude.len();
        let row = |line: usize| &lightness[line * width..(line + 1) * width];
        let (above, here, below) = (row(line - 1), row(line), row(line + 1));
        let difference = |left: f32, right: f32| 0.5 * (right - left);
        for x in [0, width - 1] {
            let horizontal = difference(here[x.saturating_sub(1)], here[(x + 1).min(width - 1)]);
            self.set(x, horizontal, difference(above[x], below[x]));
        }
        for x in 1..width.saturating_sub(1) {
            let horizontal = difference(here[x - 1], here[x + 1]);
            self.set(x, horizontal, difference(above[x], below[x]));
        }
    }

    #[inline(always)]
    fn set(&mut self, x: usize, horizontal: f32, vertical: f32) {
        self.magnitude[x] = (horizontal * horizontal + vertical * vertical).sqrt();
        self.orientation[x] = half_turn(vertical, horizontal) * ORIENTATIONS as f32;
    }

    #[inline(always)]
    fn vote(&self, pixels: std::ops::Range<usize>, cell: &mut [f32]) {
        let votes = &mut cell[ORIENTATION..CHANNELS];
        for (magnitude, orientation) in
            self.magnitude[pixels.clone()].iter().zip(&self.orientation[pixels])
        {
            let bin = *orientation as usize;
            let upper = magnitude * (orientation - bin as f32);
            votes[bin % ORIENTATIONS] += magnitude - upper;
            votes[(bin + 1) % ORIENTATIONS] += upper;
        }
    }
}

/// The angle of a line in half turns, [0, 1], to about 1e-6: `atan2(y, x) mod π / π` by a
/// polynomial that vectorises.
#[inline(always)]
fn half_turn(y: f32, x: f32) -> f32 {
    let (tall, wide) = (y.abs(), x.abs());
    let (small, large) = (tall.min(wide), tall.max(wide));
    let ratio = small / large.max(f32::MIN_POSITIVE);
    let octant = ratio * arc_tangent_over_ratio(ratio * ratio);
    let quarter = if tall > wide { 0.5 - octant } else { octant };
    if (x < 0.0) != (y < 0.0) && small > 0.0 { 1.0 - quarter } else { quarter }
}

/// `atan(r) / (π r)` over `r²` in [0, 1]: interpolation at the Chebyshev nodes, degree 6; the
/// angle is off by at most 1.6e-7 half turns.
#[inline(always)]
fn arc_tangent_over_ratio(square: f32) -> f32 {
    const COEFFICIENTS: [f32; 7] = [
        0.318_309_63,
        -0.106_078_93,
        0.063_254_67,
        -0.042_805_88,
        0.026_459_971,
        -0.011_573_885,
        0.002_434_546_6,
    ];
    COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| sum * square + coefficient)
}

/// The map of cells of `factor` by `factor` fine cells, variances turned into deviations.
fn finish(fine: &FeatureMap, factor: usize, to: &mut FeatureMap) -> Result<()> {
    let (height, width) = (fine.height / factor, fine.width / factor);
    to.reset([height, width, CHANNELS], 0.0)?;
    let share = 1.0 / (factor * factor) as f32;
    for (cell, values) in to.values.chunks_exact_mut(CHANNELS).enumerate() {
        let (row, column) = (cell / width * factor, cell % width * factor);
        let parts = || {
            (0..factor * factor).map(|part| {
                let (row, column) = (row + part / factor, column + part % factor);
                fine.view().cell(row * fine.width + column)
            })
        };
        for part in parts() {
            for (value, part) in values.iter_mut().zip(part) {
                *value += part * share;
            }
        }
        for colour in 0..COLOURS {
            let mean = values[colour];
            let between: f32 = parts().map(|part| (part[colour] - mean).powi(2) * share).sum();
            let variance = values[DEVIATION + colour] + between;
            values[DEVIATION + colour] = variance.sqrt();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lightness by the rendering, other colours neutral.
    fn grey(width: u32, height: u32, value: impl Fn(u32, u32) -> u8) -> Image {
        let pixels = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| [value(x, y); 3])
            .collect();
        Image { width, height, pixels }
    }

    fn maps(image: &Image) -> Vec<FeatureMap> {
        Descriptor::default().maps(image, &[32, 16], &Workers::caller()).unwrap()
    }

    #[test]
    fn a_flat_image_has_its_colour_and_no_texture() {
        let maps = maps(&grey(64, 32, |_, _| 255));
        assert_eq!([maps[0].width, maps[0].height, maps[1].width, maps[1].height], [2, 1, 4, 2]);
        for cell in maps.iter().flat_map(|map| map.values.chunks(CHANNELS)) {
            assert!((cell[0] - 100.0).abs() < 1e-3, "{cell:?}");
            assert!(cell[DEVIATION..].iter().all(|value| *value < 1e-3), "{cell:?}");
        }
    }

    #[test]
    fn stripes_vote_for_their_orientation() {
        let bin_of = |image: &Image| {
            let map = &maps(image)[0];
            let votes = &map.values[ORIENTATION..CHANNELS];
            (0..ORIENTATIONS).max_by(|a, b| votes[*a].total_cmp(&votes[*b])).unwrap()
        };
        let wave = |phase: f32| (127.0 + 100.0 * phase.sin()) as u8;
        // A gradient along x has orientation 0, along y half a turn's half (between bins 4 and 5).
        assert_eq!(bin_of(&grey(32, 32, |x, _| wave(x as f32))), 0);
        assert!([4, 5].contains(&bin_of(&grey(32, 32, |_, y| wave(y as f32)))));
        assert!([2, 3].contains(&bin_of(&grey(32, 32, |x, y| wave((x + y) as f32 * 0.7)))));
        assert!([6, 7].contains(&bin_of(&grey(32, 32, |x, y| wave((x + 32 - y) as f32 * 0.7)))));
    }

    #[test]
    fn half_turns_agree_with_the_arc_tangent() {
        for step in 0..720 {
            let angle = step as f64 * std::f64::consts::PI / 360.0;
            let (y, x) = angle.sin_cos();
            let expected = y.atan2(x).rem_euclid(std::f64::consts::PI) / std::f64::consts::PI;
            let error = (half_turn(y as f32, x as f32) as f64 - expected).abs();
            assert!(error.min(1.0 - error) < 1e-6, "{step}: {error}");
        }
        assert_eq!(half_turn(0.0, 0.0), 0.0);
        assert_eq!(half_turn(0.0, -1.0), 0.0);
    }

    #[test]
    fn coarse_cells_put_together_equal_coarse_cells_computed() {
        let image = grey(96, 64, |x, y| ((x * 31 + y * 17 + x * y) % 251) as u8);
        let together = &maps(&image)[0];
        let alone = &Descriptor::default().maps(&image, &[32], &Workers::caller()).unwrap()[0];
        for (index, (a, b)) in together.values.iter().zip(&alone.values).enumerate() {
            assert!((a - b).abs() < 1e-3, "{index}: {a} is not {b}");
        }
    }

    #[test]
    fn thread_counts_do_not_change_a_bit() {
        let image = grey(96, 160, |x, y| ((x * x + y * 7) % 253) as u8);
        let alone = maps(&image);
        for threads in [2, 3, 7] {
            let workers = Workers::with_threads(threads).unwrap();
            assert_eq!(Descriptor::default().maps(&image, &[32, 16], &workers).unwrap(), alone);
        }
    }
}
