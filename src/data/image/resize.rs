//! Antialiased resizing ([`super::sampler`]), and the rule that picks the size an encoder sees.

use super::Image;
use super::sampler::{Sampler, Window};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How large an image is when an encoder sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResizeRule {
    /// Pixels of the shorter side. Default 480: 15x15 cells at stride 32 and 30x30 at stride 16
    /// for a square image; 640 gained nothing on COCO images.
    pub image_short_side: u32,
    /// Most pixels of the longer side; an elongated image has a shorter side below
    /// `image_short_side` for it. Default 800, which keeps a graph at stride 16 near 1,500 cells.
    pub image_long_side_max: u32,
    /// Both sides become multiples of this, at least one multiple. Default 32, the stride of the
    /// deepest map of a ResNet.
    pub side_multiple: u32,
}

impl Default for ResizeRule {
    fn default() -> ResizeRule {
        ResizeRule { image_short_side: 480, image_long_side_max: 800, side_multiple: 32 }
    }
}

impl ResizeRule {
    /// # Errors
    /// [`Error::InvalidArgument`] for a side or multiple of 0, a long side under the short one,
    /// and a side under one multiple or over 65,536 pixels.
    pub fn validate(&self) -> Result<()> {
        let (short, long) = (self.image_short_side, self.image_long_side_max);
        if self.side_multiple == 0 {
            return Err(Error::invalid("side_multiple", "0; at least 1 is needed"));
        }
        if short < self.side_multiple {
            let reason = format!("{short} is below side_multiple {}", self.side_multiple);
            return Err(Error::invalid("image_short_side", reason));
        }
        if long < short || long > 1 << 16 {
            let reason = format!("{long} is outside image_short_side {short} to 65536");
            return Err(Error::invalid("image_long_side_max", reason));
        }
        Ok(())
    }

    /// Width and height for an image of `width` x `height`.
    ///
    /// The shorter side becomes `image_short_side`, or less where the longer one would pass its
    /// maximum; then each side goes to the nearest multiple, but to at least one and to none
    /// above the maximum. The aspect changes by that, so the caller keeps the ratios of the two
    /// axes apart: `width as f32 / target as f32` and the same for the heights.
    pub fn target(&self, width: u32, height: u32) -> (u32, u32) {
        let (short, long) = (f64::from(width.min(height)), f64::from(width.max(height)));
        let scale = (f64::from(self.image_short_side) / short)
            .min(f64::from(self.image_long_side_max) / long);
        let multiples_max = self.image_long_side_max / self.side_multiple;
        let side = |pixels: u32| {
            let multiples = f64::from(pixels) * scale / f64::from(self.side_multiple);
            (multiples.round() as u32).clamp(1, multiples_max) * self.side_multiple
        };
        (side(width), side(height))
    }
}

/// Resizes to `width` x `height` with antialiasing; the aspect is not kept.
///
/// # Errors
/// [`Error::InvalidArgument`] for a side of 0; [`Error::Shape`] when `image.pixels` does not fit
/// its sides.
pub fn resize(image: &Image, width: u32, height: u32) -> Result<Image> {
    if width == 0 || height == 0 {
        return Err(Error::invalid("resize", format!("to {width}x{height} pixels")));
    }
    if (width, height) == (image.width, image.height) {
        return Ok(image.clone());
    }
    let mut target = Image::default();
    Sampler::default().draw(image, Window::whole(image), (width, height), &mut target)?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_multiples_and_capped() {
        let rule = ResizeRule::default();
        assert_eq!(rule.target(640, 480), (640, 480));
        assert_eq!(rule.target(480, 640), (480, 640));
        assert_eq!(rule.target(500, 375), (640, 480));
        assert_eq!(rule.target(1, 1), (480, 480));
        assert_eq!(rule.target(20_000, 3), (800, 32));
        assert_eq!(rule.target(3, 20_000), (32, 800));
        assert_eq!(rule.target(u32::MAX, 1), (800, 32));
    }

    #[test]
    fn rounding_up_never_passes_the_maximum() {
        let rule = ResizeRule { image_short_side: 90, image_long_side_max: 110, side_multiple: 32 };
        assert_eq!(rule.target(110, 90), (96, 96));
        rule.validate().unwrap();
    }

    #[test]
    fn rules_that_cannot_hold_are_refused_with_numbers() {
        let refused = |image_short_side, image_long_side_max, side_multiple| {
            ResizeRule { image_short_side, image_long_side_max, side_multiple }
                .validate()
                .unwrap_err()
                .to_string()
        };
        assert!(refused(480, 800, 0).contains("side_multiple"));
        assert!(refused(16, 800, 32).contains("16 is below side_multiple 32"));
        assert!(refused(480, 300, 32).contains("300"));
        assert!(refused(480, 70_000, 32).contains("70000"));
    }

    #[test]
    fn shrinking_averages_and_odd_shapes_pass() {
        let stripes: Vec<u8> = (0..64 * 64).flat_map(|i| [(i % 2) as u8 * 255; 3]).collect();
        let small = resize(&Image::new(64, 64, stripes).unwrap(), 8, 8).unwrap();
        let middle = small.pixel(4, 4);
        assert!(middle.iter().all(|level| level.abs_diff(128) <= 1), "{middle:?}");
        let line = Image::filled(20_000, 3, [7, 8, 9]).unwrap();
        assert_eq!(resize(&line, 800, 32).unwrap().pixel(799, 31), [7, 8, 9]);
        let point = Image::filled(1, 1, [7, 8, 9]).unwrap();
        assert_eq!(resize(&point, 480, 480).unwrap().pixel(479, 0), [7, 8, 9]);
        assert!(resize(&point, 0, 1).is_err());
    }
}
