//! The whole picture moved by some pixels (patent ¶148); off by default.

use super::FILL;
use super::config::AugmentationConfig;
use crate::data::image::Image;
use crate::data::training::sample::{Sample, keep_visible};
use crate::random::Random;

/// Draws a shift in pixels, right and down: each at most `shift_share_max` of its side.
pub fn draw(random: &mut Random, config: &AugmentationConfig, image: &Image) -> (i32, i32) {
    let mut along = |side: u32| {
        let most = config.shift_share_max * f64::from(side);
        ((random.uniform() * 2.0 - 1.0) * most).round() as i32
    };
    (along(image.width), along(image.height))
}

/// Moves pixels and boxes; what comes in from outside is [`FILL`]. `spare` is memory that is used
/// again.
pub fn apply(sample: &mut Sample, (right, down): (i32, i32), share_min: f64, spare: &mut Image) {
    let (width, height) = (sample.image.width, sample.image.height);
    std::mem::swap(&mut sample.image, spare);
    (sample.image.width, sample.image.height) = (width, height);
    sample.image.pixels.resize(spare.pixels.len(), 0);
    sample.image.pixels.as_chunks_mut::<3>().0.fill(FILL);
    let (columns, rows) = (width as i32, height as i32);
    let (from, to) = (right.clamp(0, columns), (columns + right).clamp(0, columns));
    if from < to {
        let count = (to - from) as usize * 3;
        for y in down.clamp(0, rows)..(rows + down).clamp(0, rows) {
            let target = (y * columns + from) as usize * 3;
            let source = ((y - down) * columns + from - right) as usize * 3;
            sample.image.pixels[target..target + count]
                .copy_from_slice(&spare.pixels[source..source + count]);
        }
    }
    let (right, down) = (right as f32, down as f32);
    for target in &mut sample.targets {
        let [x0, y0, x1, y1] = target.bounds;
        target.bounds = [x0 + right, y0 + down, x1 + right, y1 + down];
    }
    keep_visible(&mut sample.targets, width, height, share_min);
}

#[cfg(test)]
mod tests {
    use super::super::test_scene::{keyed, rectangle, scene};
    use super::*;
    use crate::data::training::sample::Target;

    #[test]
    fn pixels_and_boxes_move_together_whatever_the_distance() {
        let mut spare = Image::default();
        for case in 0..100 {
            let mut random = keyed(case);
            let (image, bounds) = scene(&mut random);
            let distance = |random: &mut Random| random.below(400) as i32 - 200;
            let by = (distance(&mut random), distance(&mut random));
            let mut sample =
                Sample { image, targets: vec![Target { bounds, class: 3, score: 1.0 }] };
            apply(&mut sample, by, 0.0, &mut spare);
            // The fill is grey: nearer to black than to white.
            assert_eq!(
                rectangle(&sample.image),
                sample.targets.first().map(|target| target.bounds),
                "case {case}: {by:?}"
            );
        }
    }

    #[test]
    fn draws_keep_to_their_share() {
        let config = AugmentationConfig { shift_share_max: 0.2, ..AugmentationConfig::default() };
        let image = Image::filled(100, 50, [0; 3]).unwrap();
        for case in 0..100 {
            let (right, down) = draw(&mut keyed(case), &config, &image);
            assert!(right.abs() <= 20 && down.abs() <= 10);
        }
    }
}
