//! A window of an 8-bit RGB image drawn at another size, without aliasing.
//!
//! The filter is the triangle, widened by the ratio where the image shrinks: what Pillow calls
//! `BILINEAR` and torchvision `antialias=True`. Without the widening a shrunken image aliases.
//! Rows are combined first, as whole rows make long vectors; what is between the two passes stays
//! in f32 and levels are rounded once. Sums have one order, so every machine draws the same bytes.

use super::Image;
use crate::kernels::simd::Level;
use crate::kernels::simd::plain::{Arithmetic, Kernel, run};
use crate::{Error, Result, memory};
use std::ops::Range;

/// Numbers of a row that are summed together: their sums stay in the first cache.
const BLOCK: usize = 192;

/// A part of an image: corner and sides in its pixels, inside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Window {
    /// All of an image.
    pub fn whole(image: &Image) -> Window {
        Window { left: 0.0, top: 0.0, width: image.width.into(), height: image.height.into() }
    }

    fn lies_in(&self, image: &Image) -> bool {
        let inside = |from: f64, length: f64, side: u32| {
            from >= 0.0 && length > 0.0 && from + length <= f64::from(side) + 1e-6
        };
        inside(self.left, self.width, image.width) && inside(self.top, self.height, image.height)
    }
}

/// Draws windows; keeps its memory from one to the next.
#[derive(Debug, Default)]
pub struct Sampler {
    columns: Taps,
    rows: Taps,
    line: Vec<f32>,
}

impl Sampler {
    /// Draws the `window` of `source` with `width` by `height` pixels into `target`, whose memory
    /// is used again.
    ///
    /// # Errors
    /// [`Error::Shape`] when a side is 0, the source's pixels do not fit its sides or the window
    /// does not lie inside.
    pub fn draw(
        &mut self,
        source: &Image,
        window: Window,
        (width, height): (u32, u32),
        target: &mut Image,
    ) -> Result<()> {
        let expected = u128::from(source.width) * u128::from(source.height) * 3;
        if source.pixels.len() as u128 != expected || !window.lies_in(source) {
            let size = format!("a window of {}x{}x3 bytes", source.height, source.width);
            let got = format!("{window:?} of {} bytes", source.pixels.len());
            return Err(Error::shape("image", size, got));
        }
        if width == 0 || height == 0 {
            return Err(Error::shape("image", "a size above 0", format!("{width}x{height}")));
        }
        self.columns.measure(window.left, window.width, source.width, width);
        self.rows.measure(window.top, window.height, source.height, height);
        (target.width, target.height) = (width, height);
        memory::resize(&mut target.pixels, width as usize * height as usize * 3, 0, "an image")?;
        let reach = self.columns.reach();
        self.line.clear();
        // One number more, as pixels are read four numbers at a time.
        self.line.resize((reach.end - reach.start) * 3 + 1, 0.0);
        let drawing = Drawing {
            source,
            columns: &self.columns,
            rows: &self.rows,
            reach,
            line: &mut self.line,
            target: &mut target.pixels,
        };
        run(Level::best(), drawing);
        Ok(())
    }
}

/// Which pixels of a side each result pixel is made of, and how much of each.
#[derive(Debug, Default)]
struct Taps {
    spans: Vec<Span>,
    weights: Vec<f32>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    /// First pixel of the source.
    first: usize,
    /// First weight.
    start: usize,
    count: usize,
}

impl Taps {
    /// For `count` pixels drawn from `length` pixels, from `from` on, of a side of `side`.
    fn measure(&mut self, from: f64, length: f64, side: u32, count: u32) {
        self.spans.clear();
        self.weights.clear();
        let ratio = length / f64::from(count);
        let radius = ratio.max(1.0);
        for pixel in 0..count {
            let center = from + (f64::from(pixel) + 0.5) * ratio;
            let weight = |source: u32| 1.0 - ((f64::from(source) + 0.5 - center) / radius).abs();
            let low = (center - radius).floor().max(0.0) as u32;
            let high = ((center + radius).ceil() as u32).min(side);
            let touched = (low..high).filter(|&source| weight(source) > 0.0);
            let first = touched.clone().next().unwrap_or(low.min(side - 1));
            let total: f64 = touched.clone().map(weight).sum();
            let start = self.weights.len();
            self.weights.extend(touched.map(|source| (weight(source) / total) as f32));
            let count = self.weights.len() - start;
            self.spans.push(Span { first: first as usize, start, count });
        }
    }

    /// The pixels of the source that are touched; spans never go back.
    fn reach(&self) -> Range<usize> {
        let start = self.spans.first().map_or(0, |span| span.first);
        start..self.spans.iter().map(|span| span.first + span.count).max().unwrap_or(start)
    }

    #[inline(always)]
    fn weights(&self, span: Span) -> &[f32] {
        &self.weights[span.start..span.start + span.count]
    }
}

struct Drawing<'a> {
    source: &'a Image,
    columns: &'a Taps,
    rows: &'a Taps,
    /// The columns of the source that are touched.
    reach: Range<usize>,
    line: &'a mut [f32],
    target: &'a mut [u8],
}

impl Kernel for Drawing<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(mut self) {
        let width = self.columns.spans.len();
        for row in 0..self.rows.spans.len() {
            self.combine_rows(self.rows.spans[row]);
            let from = row * width * 3;
            self.combine_columns(from);
        }
    }
}

impl Drawing<'_> {
    /// The line that a row of the result is drawn from: the touched columns of the touched rows.
    #[inline(always)]
    fn combine_rows(&mut self, span: Span) {
        let reach = self.reach.clone();
        let stride = self.source.width as usize * 3;
        let length = (reach.end - reach.start) * 3;
        for start in (0..length).step_by(BLOCK) {
            let count = BLOCK.min(length - start);
            let mut sums = [0.0f32; BLOCK];
            for (tap, weight) in self.rows.weights(span).iter().enumerate() {
                let at = (span.first + tap) * stride + reach.start * 3 + start;
                let levels = &self.source.pixels[at..at + count];
                for (sum, level) in sums.iter_mut().zip(levels) {
                    *sum += weight * f32::from(*level);
                }
            }
            self.line[start..start + count].copy_from_slice(&sums[..count]);
        }
    }

    /// One row of the result, from byte `from` on.
    #[inline(always)]
    fn combine_columns(&mut self, from: usize) {
        let offset = self.reach.start;
        let row = &mut self.target[from..from + self.columns.spans.len() * 3];
        for (pixel, span) in row.as_chunks_mut::<3>().0.iter_mut().zip(&self.columns.spans) {
            let weights = self.columns.weights(*span);
            let at = (span.first - offset) * 3;
            let levels = &self.line[at..at + span.count * 3 + 1];
            let mut sums = [0.5f32; 4];
            for (tap, weight) in weights.iter().enumerate() {
                let Some(four) = levels[tap * 3..].first_chunk::<4>() else { continue };
                for channel in 0..4 {
                    sums[channel] += weight * four[channel];
                }
            }
            // The conversion cuts off the fraction and stays within 0 and 255.
            *pixel = [sums[0] as u8, sums[1] as u8, sums[2] as u8];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(source: &Image, window: Window, size: (u32, u32)) -> Image {
        let mut target = Image::default();
        Sampler::default().draw(source, window, size, &mut target).unwrap();
        target
    }

    fn pattern(width: u32, height: u32) -> Image {
        let levels = (0..width * height * 3).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
        Image::new(width, height, levels.collect()).unwrap()
    }

    #[test]
    fn the_same_size_and_whole_pixel_windows_are_exact() {
        let source = pattern(70, 9);
        assert_eq!(drawn(&source, Window::whole(&source), (70, 9)), source);
        let window = Window { left: 3.0, top: 2.0, width: 5.0, height: 4.0 };
        assert_eq!(drawn(&source, window, (5, 4)), source.crop(3, 2, 5, 4).unwrap());
    }

    #[test]
    fn every_pixel_is_the_weighted_mean_of_the_formula() {
        let source = pattern(31, 23);
        let window = Window { left: 2.25, top: 0.5, width: 20.5, height: 22.5 };
        for size in [(7, 5), (50, 40), (1, 60)] {
            let found = drawn(&source, window, size);
            let weights = |from: f64, length: f64, count: u32, side: u32, pixel: u32| -> Vec<f64> {
                let ratio = length / f64::from(count);
                let center = from + (f64::from(pixel) + 0.5) * ratio;
                let weight = |x: u32| {
                    (1.0 - ((f64::from(x) + 0.5 - center) / ratio.max(1.0)).abs()).max(0.0)
                };
                let all: Vec<f64> = (0..side).map(weight).collect();
                let total: f64 = all.iter().sum();
                all.into_iter().map(|weight| weight / total).collect()
            };
            for y in 0..size.1 {
                let down = weights(window.top, window.height, size.1, 23, y);
                for x in 0..size.0 {
                    let across = weights(window.left, window.width, size.0, 31, x);
                    for channel in 0..3 {
                        let mut mean = 0.0;
                        for (row, a) in down.iter().enumerate() {
                            for (column, b) in across.iter().enumerate() {
                                let level = source.pixel(column as u32, row as u32)[channel];
                                mean += a * b * f64::from(level);
                            }
                        }
                        let level = f64::from(found.pixel(x, y)[channel]);
                        assert!((level - mean).abs() < 0.501, "{size:?} {x} {y}: {level} {mean}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let source = pattern(4, 3);
        let mut target = Image::default();
        let mut refused = |source: &Image, window, size| {
            Sampler::default().draw(source, window, size, &mut target).unwrap_err().to_string()
        };
        let whole = Window::whole(&source);
        assert!(refused(&source, whole, (0, 2)).contains("0x2"));
        assert!(refused(&source, Window { width: 4.5, ..whole }, (2, 2)).contains("4.5"));
        assert!(refused(&source, Window { left: -1.0, ..whole }, (2, 2)).contains("-1"));
        let broken = Image { pixels: vec![0; 5], ..source.clone() };
        assert!(refused(&broken, whole, (2, 2)).contains("5 bytes"));
    }
}
