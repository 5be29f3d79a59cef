//! The frame of a single image: flip, then a random size, half of the time after a crop.
//!
//! Source: the training transform of DETR, with the sizes of DETReg's pretraining: flip; then
//! either the shorter side to one of `image_short_sides` with the longer one at most
//! `image_long_side_max`, or the shorter side to one of `crop_short_sides`, a crop, and the same
//! resize after it.

use super::config::AugmentationConfig;
use super::framing::{Framing, draw_crop};
use crate::random::Random;

/// Draws the frame of an image of `width` x `height` pixels.
pub fn draw(random: &mut Random, config: &AugmentationConfig, width: u32, height: u32) -> Framing {
    let mut framing = flipped(random, config, Framing::whole(width, height));
    if random.uniform() < config.crop_probability {
        let short_side = choose(random, &config.crop_short_sides);
        let (width, height) = scaled_size(framing.size(), short_side, u32::MAX);
        framing = framing.resized(width, height);
        let (x, y, width, height) =
            draw_crop(random, framing.size(), config.crop_side_min, config.crop_side_max);
        framing = framing.cropped(x, y, width, height);
    }
    let short_side = choose(random, &config.image_short_sides);
    let (width, height) = scaled_size(framing.size(), short_side, config.image_long_side_max);
    framing.resized(width, height)
}

/// Mirrored with `flip_probability`.
pub(super) fn flipped(
    random: &mut Random,
    config: &AugmentationConfig,
    framing: Framing,
) -> Framing {
    match random.uniform() < config.flip_probability {
        true => framing.mirrored(),
        false => framing,
    }
}

/// One of `sides`, each as likely; `sides` must not be empty.
pub(super) fn choose(random: &mut Random, sides: &[u32]) -> u32 {
    sides[random.below(sides.len() as u64) as usize]
}

/// Width and height when the shorter side becomes `short_side`, or less where the longer one would
/// pass `long_side_max`. The aspect is kept but for the rounding of the longer side down to a
/// whole pixel, and both sides are at least 1 (the rule of DETR's resize).
pub fn scaled_size((width, height): (u32, u32), short_side: u32, long_side_max: u32) -> (u32, u32) {
    let (short, long) = (f64::from(width.min(height)), f64::from(width.max(height)));
    let target = match long / short * f64::from(short_side) > f64::from(long_side_max) {
        true => (f64::from(long_side_max) * short / long).round_ties_even().max(1.0),
        false => short_side.into(),
    };
    let other = ((target * long / short) as u32).clamp(1, long_side_max);
    match width <= height {
        true => (target as u32, other),
        false => (other, target as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_scene::keyed;
    use super::*;

    /// Answers of `get_size_with_aspect_ratio` of the official code, run on these sizes.
    #[test]
    fn sizes_are_those_of_the_official_rule() {
        for (size, short, long_max, expected) in [
            ((640, 480), 480, 600, (600, 450)),
            ((480, 640), 320, 600, (320, 426)),
            ((500, 375), 400, 600, (533, 400)),
            ((1000, 100), 480, 600, (600, 60)),
            ((333, 500), 480, 600, (400, 600)),
            ((100, 100), 480, 600, (480, 480)),
        ] {
            assert_eq!(scaled_size(size, short, long_max), expected, "{size:?}");
        }
        assert_eq!(scaled_size((60_000, 1), 480, 600), (600, 1));
        assert_eq!(scaled_size((1, 60_000), 480, u32::MAX), (480, 28_800_000));
    }

    #[test]
    fn every_frame_keeps_the_limits_and_all_choices_come_up() {
        let config = AugmentationConfig::default();
        let (mut crops, mut mirrors) = (0, 0);
        for case in 0..400 {
            let mut random = keyed(case);
            let framing = draw(&mut random, &config, 640, 480);
            let (width, height) = framing.size();
            assert!(width.max(height) <= 600 && width.min(height) <= 480, "{width}x{height}");
            let (across, down) = framing.source_pixels();
            assert!((across / down - 1.0).abs() < 0.02, "{across} {down}");
            let covered = framing.map(&[0.0, 0.0, 640.0, 480.0]);
            crops += u32::from(covered[2] - covered[0] > width as f32 + 2.0);
            let corner = framing.map(&[0.0, 0.0, 1.0, 1.0]);
            mirrors += u32::from(corner[0] > covered[0] + 5.0);
        }
        assert!((100..=230).contains(&crops), "{crops}");
        assert!((150..=250).contains(&mirrors), "{mirrors}");
    }
}
