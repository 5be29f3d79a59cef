//! The whole picture turned about its middle (patent ¶148); off by default.
//!
//! The picture keeps its sides. A box becomes the bounds of its turned corners: all that can be
//! said without the object's outline, and larger than the object for round things. That is why
//! the default angle is small.

use super::FILL;
use crate::data::image::Image;
use crate::data::training::sample::{Sample, keep_visible};
use crate::geometry::BoundingBox;

/// Turns pixels and boxes by `degrees`, clockwise as one looks at the picture; what comes in from
/// outside is [`FILL`]. `spare` is memory that is used again.
pub fn apply(sample: &mut Sample, degrees: f64, share_min: f64, spare: &mut Image) {
    let (width, height) = (sample.image.width, sample.image.height);
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let middle = (f64::from(width) / 2.0, f64::from(height) / 2.0);
    std::mem::swap(&mut sample.image, spare);
    (sample.image.width, sample.image.height) = (width, height);
    sample.image.pixels.resize(spare.pixels.len(), 0);
    let rows = sample.image.pixels.chunks_exact_mut(width as usize * 3);
    for (y, row) in rows.enumerate() {
        let down = y as f64 + 0.5 - middle.1;
        for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let right = x as f64 + 0.5 - middle.0;
            // The way back from the turned pixel's centre to where it came from.
            let from_x = cosine * right + sine * down + middle.0 - 0.5;
            let from_y = cosine * down - sine * right + middle.1 - 0.5;
            *pixel = bilinear(spare, from_x, from_y);
        }
    }
    for target in &mut sample.targets {
        target.bounds = turned(&target.bounds, (sine, cosine), middle);
    }
    keep_visible(&mut sample.targets, width, height, share_min);
}

fn turned(bounds: &BoundingBox, (sine, cosine): (f64, f64), middle: (f64, f64)) -> BoundingBox {
    let [left, top, right, bottom] = bounds.map(f64::from);
    let mut turned = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    for (x, y) in [(left, top), (right, top), (left, bottom), (right, bottom)] {
        let (right, down) = (x - middle.0, y - middle.1);
        let x = cosine * right - sine * down + middle.0;
        let y = cosine * down + sine * right + middle.1;
        turned = [turned[0].min(x), turned[1].min(y), turned[2].max(x), turned[3].max(y)];
    }
    turned.map(|edge| edge as f32)
}

/// The colour between four pixels; a pixel outside the image counts as [`FILL`].
fn bilinear(image: &Image, x: f64, y: f64) -> [u8; 3] {
    let (left, top) = (x.floor(), y.floor());
    let (right_share, down_share) = ((x - left) as f32, (y - top) as f32);
    let (left, top) = (left as i64, top as i64);
    let level = |x: i64, y: i64| {
        let inside =
            (0..i64::from(image.width)).contains(&x) && (0..i64::from(image.height)).contains(&y);
        if inside { image.pixel(x as u32, y as u32) } else { FILL }
    };
    let corners = [level(left, top), level(left + 1, top), level(left, top + 1)];
    let last = level(left + 1, top + 1);
    std::array::from_fn(|channel| {
        let [first, second, third] = corners.map(|pixel| f32::from(pixel[channel]));
        let upper = first + (second - first) * right_share;
        let lower = third + (f32::from(last[channel]) - third) * right_share;
        (upper + (lower - upper) * down_share + 0.5) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::super::test_scene::{keyed, rectangle, scene};
    use super::*;
    use crate::data::training::sample::Target;

    #[test]
    fn boxes_are_the_bounds_of_the_turned_rectangle() {
        let (mut spare, mut seen_count) = (Image::default(), 0);
        for case in 0..60 {
            let mut random = keyed(case);
            let (image, bounds) = scene(&mut random);
            let degrees = random.uniform() * 30.0 - 15.0;
            let inside = |bounds: &BoundingBox, image: &Image| {
                bounds[0] > 0.0
                    && bounds[1] > 0.0
                    && bounds[2] < image.width as f32
                    && bounds[3] < image.height as f32
            };
            let mut sample =
                Sample { image, targets: vec![Target { bounds, class: 3, score: 1.0 }] };
            apply(&mut sample, degrees, 0.0, &mut spare);
            // Where a corner is cut off, the bounds of the corners are not those of the rest.
            let expected = sample.targets[0].bounds;
            if !inside(&expected, &sample.image) || !inside(&bounds, &sample.image) {
                continue;
            }
            seen_count += 1;
            let found = rectangle(&sample.image).unwrap();
            for (found, expected) in found.iter().zip(expected) {
                // The tip of a turned corner covers little of its pixel.
                assert!((found - expected).abs() < 3.0, "case {case}: {found} {expected}");
            }
        }
        assert!(seen_count > 20, "{seen_count}");
    }

    #[test]
    fn a_quarter_turn_is_exact() {
        let mut image = Image::filled(4, 4, [0; 3]).unwrap();
        image.set_pixel(0, 1, [200; 3]);
        let bounds = [0.0, 1.0, 1.0, 2.0];
        let mut sample = Sample { image, targets: vec![Target { bounds, class: 0, score: 1.0 }] };
        apply(&mut sample, 90.0, 0.0, &mut Image::default());
        assert_eq!(sample.image.pixel(2, 0), [200; 3]);
        let expected = [2.0, 0.0, 3.0, 1.0];
        let found = sample.targets[0].bounds;
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }
}
