//! Objects of another image laid over this one (patent ¶148, "adding overlapping objects"); off by
//! default.
//!
//! What is copied is the box with everything in it, because the labels of stage 1 and later are
//! boxes without outlines. An object keeps its size unless it is more than half as wide or as high
//! as the picture.

use super::framing::Framing;
use super::mosaic::{Tile, place};
use crate::Result;
use crate::data::image::{Image, Sampler};
use crate::data::training::sample::{Sample, Target};
use crate::geometry::{area, intersection};
use crate::random::Random;

/// Objects with a shorter side are not copied; nobody could recognise them.
const SIDE_MIN: u32 = 4;

/// Copies `count` objects of `source`, drawn with repetition, to random places of `sample`.
///
/// Boxes of which less than `share_min` stays uncovered are dropped. `object` is memory that is
/// used again.
///
/// # Errors
/// Those of [`Framing::draw`].
pub fn apply(
    random: &mut Random,
    (source, count): (&Sample, usize),
    sample: &mut Sample,
    share_min: f64,
    (sampler, object): (&mut Sampler, &mut Image),
) -> Result<()> {
    if source.targets.is_empty() {
        return Ok(());
    }
    for _ in 0..count {
        let chosen = source.targets[random.below(source.targets.len() as u64) as usize];
        let sides = (sample.image.width, sample.image.height);
        let Some(framing) = frame(&chosen, &source.image, sides) else { continue };
        let (width, height) = framing.size();
        let x = random.below(u64::from(sides.0 - width) + 1) as u32;
        let y = random.below(u64::from(sides.1 - height) + 1) as u32;
        framing.draw(&source.image, sampler, object)?;
        place(object, Tile { x, y, width, height }, &mut sample.image);
        let bounds = [x, y, x + width, y + height].map(|edge| edge as f32);
        sample.targets.retain(|target| {
            let visible = 1.0 - intersection(&target.bounds, &bounds) / area(&target.bounds);
            visible > 0.0 && visible >= share_min
        });
        sample.targets.push(Target { bounds, ..chosen });
    }
    Ok(())
}

/// The pixels of a box, and the size at which they are laid over a picture of `width` x `height`;
/// `None` for a box that is too small.
fn frame(target: &Target, image: &Image, (width, height): (u32, u32)) -> Option<Framing> {
    let [left, top, right, bottom] = target.bounds;
    let (x, y) = (left.floor() as u32, top.floor() as u32);
    let from_width = (right.ceil() as u32).min(image.width).checked_sub(x)?;
    let from_height = (bottom.ceil() as u32).min(image.height).checked_sub(y)?;
    let half = |side: u32, from: u32| f64::from(side) / 2.0 / f64::from(from);
    let scale = half(width, from_width).min(half(height, from_height)).min(1.0);
    let side = |from: u32| (f64::from(from) * scale) as u32;
    let (to_width, to_height) = (side(from_width), side(from_height));
    let framing = Framing::whole(image.width, image.height).cropped(x, y, from_width, from_height);
    let large = to_width.min(to_height) >= SIDE_MIN;
    large.then(|| framing.resized(to_width, to_height))
}

#[cfg(test)]
mod tests {
    use super::super::test_scene::{keyed, rectangle, scene};
    use super::*;

    fn paste(random: &mut Random, source: &Sample, sample: &mut Sample) {
        let (mut sampler, mut object) = (Sampler::default(), Image::default());
        apply(random, (source, 1), sample, 0.3, (&mut sampler, &mut object)).unwrap();
    }

    #[test]
    fn the_new_box_is_where_the_object_was_laid() {
        for case in 0..60 {
            let mut random = keyed(case);
            let (image, bounds) = scene(&mut random);
            let source = Sample { image, targets: vec![Target { bounds, class: 9, score: 0.25 }] };
            let black = Image::filled(90, 70, [0; 3]).unwrap();
            let mut sample = Sample { image: black, targets: Vec::new() };
            paste(&mut random, &source, &mut sample);
            let target = sample.targets[0];
            assert_eq!((target.class, target.score), (9, 0.25));
            let found = rectangle(&sample.image).unwrap();
            for (found, expected) in found.iter().zip(target.bounds) {
                assert!((found - expected).abs() <= 1.0, "case {case}: {found} {expected}");
            }
            assert!(found[2] - found[0] <= 45.0 && found[3] - found[1] <= 35.0);
        }
    }

    #[test]
    fn covered_boxes_go_and_others_stay() {
        let image = Image::filled(40, 40, [255; 3]).unwrap();
        let target = |bounds, class| Target { bounds, class, score: 1.0 };
        let source = Sample { image, targets: vec![target([0.0, 0.0, 20.0, 20.0], 1)] };
        let mut random = keyed(0);
        for _ in 0..50 {
            let black = Image::filled(40, 40, [0; 3]).unwrap();
            let spots = (0..100).map(|i| {
                let (x, y) = ((i % 10 * 4) as f32, (i / 10 * 4) as f32);
                target([x, y, x + 4.0, y + 4.0], 0)
            });
            let mut sample = Sample { image: black, targets: spots.collect() };
            paste(&mut random, &source, &mut sample);
            // The object covers 400 of 1,600 square pixels; spots are 16 each.
            let left = sample.targets.iter().filter(|target| target.class == 0).count();
            assert!((75..=84).contains(&left), "{left}");
        }
        let nothing = Sample::default();
        let mut sample = source.clone();
        paste(&mut random, &nothing, &mut sample);
        assert_eq!(sample, source);
    }
}
