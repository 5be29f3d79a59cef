//! Blur by a Gaussian, rows first and columns after, mirrored at the edges.
//!
//! The kernel reaches three deviations to either side, as far as its weights matter in 8 bits.
//! Blurred rows are kept in a ring as long as the kernel, so the image is read and written once.

use crate::data::image::Image;
use crate::kernels::simd::Level;
use crate::kernels::simd::plain::{Arithmetic, Kernel, run};

/// Memory of [`apply`], used again from image to image.
#[derive(Debug, Default)]
pub struct BlurScratch {
    /// One row with its mirrored margins.
    row: Vec<f32>,
    /// The last rows after the first pass, each at its number modulo the kernel's length.
    ring: Vec<f32>,
    sum: Vec<f32>,
}

/// Weights from the middle outwards: `weights[distance]`; all of them, those at both sides
/// counted, sum to 1.
fn kernel(sigma: f64) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil() as usize;
    let weights: Vec<f64> =
        (0..=radius).map(|distance| (-0.5 * (distance as f64 / sigma).powi(2)).exp()).collect();
    let total = 2.0 * weights.iter().sum::<f64>() - weights[0];
    weights.iter().map(|weight| (weight / total) as f32).collect()
}

/// The index that a mirror at the edges, the edge itself not repeated, puts in the place of
/// `index`.
#[inline(always)]
fn mirrored(index: isize, length: usize) -> usize {
    if length == 1 {
        return 0;
    }
    let period = 2 * (length as isize - 1);
    let index = index.rem_euclid(period);
    index.min(period - index) as usize
}

/// Blurs in place with deviation `sigma` in pixels; nothing happens at 0.
pub fn apply(image: &mut Image, sigma: f64, scratch: &mut BlurScratch) {
    if sigma > 0.0 {
        let weights = kernel(sigma);
        run(Level::best(), Blur { image, weights: &weights, scratch });
    }
}

struct Blur<'a> {
    image: &'a mut Image,
    weights: &'a [f32],
    scratch: &'a mut BlurScratch,
}

impl Kernel for Blur<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Blur { image, weights, scratch } = self;
        let BlurScratch { row, ring, sum } = scratch;
        let radius = weights.len() - 1;
        let (height, stride) = (image.height as usize, image.width as usize * 3);
        let slots = (2 * radius + 1).min(height);
        ring.resize(slots * stride, 0.0);
        sum.resize(stride, 0.0);
        let mut ready = 0;
        for y in 0..height {
            // The ring holds the rows around this one; those that a mirror shows are among them.
            while ready < height && ready <= y + radius {
                let pixels = &image.pixels[ready * stride..][..stride];
                blur_row(pixels, weights, row, &mut ring[(ready % slots) * stride..][..stride]);
                ready += 1;
            }
            let here = y as isize;
            let ring_row = |row: isize| &ring[(mirrored(row, height) % slots) * stride..][..stride];
            weigh(sum, ring_row(here), &[], weights[0]);
            for (distance, &weight) in weights.iter().enumerate().skip(1) {
                let distance = distance as isize;
                weigh(sum, ring_row(here - distance), ring_row(here + distance), weight);
            }
            let target = &mut image.pixels[y * stride..][..stride];
            for (level, sum) in target.iter_mut().zip(&*sum) {
                *level = (sum + 0.5) as u8;
            }
        }
    }
}

/// `row` becomes the blurred `pixels`.
#[inline(always)]
fn blur_row(pixels: &[u8], weights: &[f32], padded: &mut Vec<f32>, row: &mut [f32]) {
    let (radius, width) = (weights.len() - 1, pixels.len() / 3);
    padded.clear();
    for x in -(radius as isize)..(width + radius) as isize {
        let from = mirrored(x, width) * 3;
        padded.extend(pixels[from..from + 3].iter().map(|level| f32::from(*level)));
    }
    let at = |distance: isize| {
        let from = ((radius as isize + distance) * 3) as usize;
        &padded[from..from + pixels.len()]
    };
    weigh(row, at(0), &[], weights[0]);
    for (distance, &weight) in weights.iter().enumerate().skip(1) {
        weigh(row, at(-(distance as isize)), at(distance as isize), weight);
    }
}

/// Adds `weight` times both inputs to `sum`, or sets it where there is only one.
#[inline(always)]
fn weigh(sum: &mut [f32], first: &[f32], second: &[f32], weight: f32) {
    if second.is_empty() {
        sum.iter_mut().zip(first).for_each(|(sum, value)| *sum = value * weight);
        return;
    }
    for ((sum, first), second) in sum.iter_mut().zip(first).zip(second) {
        *sum += (first + second) * weight;
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_scene::keyed;
    use super::*;

    /// The definition, in two dimensions and f64.
    fn directly(image: &Image, sigma: f64) -> Vec<f64> {
        let radius = (3.0 * sigma).ceil() as isize;
        let weight = |d: isize| (-0.5 * (d as f64 / sigma).powi(2)).exp();
        let total: f64 = (-radius..=radius).map(weight).sum();
        let mut levels = Vec::new();
        for y in 0..image.height as isize {
            for x in 0..image.width as isize {
                for channel in 0..3 {
                    let mut sum = 0.0;
                    for dy in -radius..=radius {
                        for dx in -radius..=radius {
                            let row = mirrored(y + dy, image.height as usize);
                            let column = mirrored(x + dx, image.width as usize);
                            let level = image.pixel(column as u32, row as u32)[channel];
                            sum += weight(dx) * weight(dy) * f64::from(level);
                        }
                    }
                    levels.push(sum / total.powi(2));
                }
            }
        }
        levels
    }

    #[test]
    fn every_level_is_that_of_the_definition_whatever_the_sides() {
        let mut scratch = BlurScratch::default();
        let mut random = keyed(1);
        for (width, height, sigma) in
            [(23, 17, 0.8), (40, 3, 2.0), (1, 9, 1.5), (5, 1, 0.1), (2, 2, 3.0)]
        {
            let pixels = (0..width * height * 3).map(|_| random.next_u32() as u8).collect();
            let mut image = Image::new(width, height, pixels).unwrap();
            let expected = directly(&image, sigma);
            apply(&mut image, sigma, &mut scratch);
            for (level, expected) in image.pixels.iter().zip(&expected) {
                assert!((f64::from(*level) - expected).abs() < 0.51, "{width}x{height} {sigma}");
            }
        }
    }

    #[test]
    fn the_mirror_repeats_no_edge() {
        let seen: Vec<_> = (-4..8).map(|index| mirrored(index, 4)).collect();
        assert_eq!(seen, [2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]);
        assert_eq!(mirrored(-9, 1), 0);
    }
}
