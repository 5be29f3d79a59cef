//! Which part of an image is seen, how large, and whether mirrored: flip, resize and crop in any
//! order, as one step.
//!
//! Pixels are sampled once, by the antialiased triangle filter of [`crate::data::image::sampler`],
//! where a chain of flip, resize, crop and resize samples twice and blurs twice. Boxes go through
//! the same affine map, so they stay where their objects are to the last bit of f64.

use crate::Result;
use crate::data::image::{Image, Sampler, Window};
use crate::geometry::BoundingBox;
use crate::random::Random;

/// A window of an image and the size it is drawn at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Framing {
    /// The window's corner and sides, in pixels of the source.
    left: f64,
    top: f64,
    source_width: f64,
    source_height: f64,
    /// Pixels of the result.
    width: u32,
    height: u32,
    mirrored: bool,
}

impl Framing {
    /// An image of `width` x `height` pixels as it is.
    pub fn whole(width: u32, height: u32) -> Framing {
        Framing {
            left: 0.0,
            top: 0.0,
            source_width: width.into(),
            source_height: height.into(),
            width,
            height,
            mirrored: false,
        }
    }

    /// Width and height of the result.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Pixels of the source for one of the result, across and down.
    pub fn source_pixels(&self) -> (f64, f64) {
        (self.source_width / f64::from(self.width), self.source_height / f64::from(self.height))
    }

    /// The same window at another size; both sides at least 1.
    pub fn resized(self, width: u32, height: u32) -> Framing {
        Framing { width: width.max(1), height: height.max(1), ..self }
    }

    /// Left and right exchanged.
    pub fn mirrored(self) -> Framing {
        Framing { mirrored: !self.mirrored, ..self }
    }

    /// The part of the result from (`x`, `y`) on, `width` by `height` pixels; it must lie inside.
    pub fn cropped(self, x: u32, y: u32, width: u32, height: u32) -> Framing {
        let (across, down) = self.source_pixels();
        let from_left = if self.mirrored { self.width - x - width } else { x };
        Framing {
            left: self.left + f64::from(from_left) * across,
            top: self.top + f64::from(y) * down,
            source_width: f64::from(width) * across,
            source_height: f64::from(height) * down,
            width,
            height,
            ..self
        }
    }

    /// A box of the source in pixels of the result, not clipped.
    pub fn map(&self, bounds: &BoundingBox) -> BoundingBox {
        let (across, down) = self.source_pixels();
        let x = |value: f32| (f64::from(value) - self.left) / across;
        let y = |value: f32| ((f64::from(value) - self.top) / down) as f32;
        let (mut left, mut right) = (x(bounds[0]), x(bounds[2]));
        if self.mirrored {
            (left, right) = (f64::from(self.width) - right, f64::from(self.width) - left);
        }
        [left as f32, y(bounds[1]), right as f32, y(bounds[3])]
    }

    /// Draws the frame of `source` into `target`, whose memory is used again.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when `source.pixels` does not fit its sides, or the frame not the
    /// source.
    pub fn draw(&self, source: &Image, sampler: &mut Sampler, target: &mut Image) -> Result<()> {
        // Composed windows may pass the edge by a rounding.
        let (left, top) = (self.left.max(0.0), self.top.max(0.0));
        let window = Window {
            left,
            top,
            width: self.source_width.min(f64::from(source.width) - left),
            height: self.source_height.min(f64::from(source.height) - top),
        };
        sampler.draw(source, window, (self.width, self.height), target)?;
        if self.mirrored {
            mirror(target);
        }
        Ok(())
    }
}

/// A crop of a `width` x `height` image as `(x, y, width, height)`: each side uniform from
/// `side_min` to `side_max`, both cut to the image, and the place uniform (DETR's random size
/// crop).
pub fn draw_crop(
    random: &mut Random,
    (width, height): (u32, u32),
    side_min: u32,
    side_max: u32,
) -> (u32, u32, u32, u32) {
    let mut side = |whole: u32| {
        let (least, most) = (side_min.min(whole), side_max.min(whole));
        least + random.below(u64::from(most - least) + 1) as u32
    };
    let (crop_width, crop_height) = (side(width), side(height));
    let x = random.below(u64::from(width - crop_width) + 1) as u32;
    let y = random.below(u64::from(height - crop_height) + 1) as u32;
    (x, y, crop_width, crop_height)
}

/// Exchanges left and right in place.
fn mirror(image: &mut Image) {
    for row in image.pixels.chunks_exact_mut(image.width as usize * 3) {
        let (pixels, _) = row.as_chunks_mut::<3>();
        pixels.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_scene::{keyed, rectangle, scene};
    use super::*;

    /// Wherever the frame puts the rectangle's pixels, it puts the box.
    #[test]
    fn boxes_follow_the_pixels_through_any_chain_of_steps() {
        let mut sampler = Sampler::default();
        let mut drawn = Image::default();
        let mut seen_count = 0;
        for case in 0..200 {
            let mut random = keyed(case);
            let (source, bounds) = scene(&mut random);
            let mut framing = Framing::whole(source.width, source.height);
            for _ in 0..random.below(5) {
                let (width, height) = framing.size();
                framing = match random.below(3) {
                    0 => framing.mirrored(),
                    1 => {
                        let (x, y, width, height) = draw_crop(&mut random, (width, height), 30, 90);
                        framing.cropped(x, y, width, height)
                    }
                    _ => framing
                        .resized(60 + random.below(100) as u32, 60 + random.below(100) as u32),
                };
            }
            framing.draw(&source, &mut sampler, &mut drawn).unwrap();
            let expected = framing.map(&bounds);
            let Some(found) = rectangle(&drawn) else { continue };
            seen_count += 1;
            let sides = [drawn.width as f32, drawn.height as f32];
            for (edge, (found, expected)) in found.iter().zip(expected).enumerate() {
                let expected = expected.clamp(0.0, sides[edge % 2]);
                // Half a pixel by the threshold, half by the filter's reach.
                assert!((found - expected).abs() <= 1.01, "case {case}: {found} {expected}");
            }
        }
        assert!(seen_count > 120, "{seen_count}");
    }

    #[test]
    fn a_mirror_and_whole_pixel_crops_are_exact() {
        let pixels = (0..5 * 4 * 3).collect();
        let source = Image::new(5, 4, pixels).unwrap();
        let mut drawn = Image::default();
        let framing = Framing::whole(5, 4).mirrored().cropped(1, 2, 3, 2);
        framing.draw(&source, &mut Sampler::default(), &mut drawn).unwrap();
        assert_eq!((drawn.width, drawn.height), (3, 2));
        for (x, y) in [(0, 0), (2, 1), (1, 0)] {
            assert_eq!(drawn.pixel(x, y), source.pixel(4 - 1 - x, 2 + y));
        }
        assert_eq!(framing.map(&[0.0, 2.0, 2.0, 3.0]), [2.0, 0.0, 4.0, 1.0]);
        assert_eq!(framing.mirrored().mirrored(), framing);
    }

    #[test]
    fn crops_have_sides_in_range_and_lie_inside() {
        let mut random = keyed(1);
        let mut widths = std::collections::BTreeSet::new();
        for _ in 0..300 {
            let (x, y, width, height) = draw_crop(&mut random, (50, 20), 30, 40);
            assert!((30..=40).contains(&width) && height == 20 && y == 0 && x + width <= 50);
            widths.insert(width);
        }
        assert_eq!(widths.len(), 11);
    }
}
