//! Boxes drawn on images: overlays and the sheets of the report.

use super::image::Image;
use crate::geometry::BoundingBox;

/// How a box is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// Red, green, blue.
    pub colour: [u8; 3],
    /// Pixels of the line, which lies inside the box; at least 1 is drawn.
    pub thickness: u32,
}

/// Draws the outline of a box. What lies outside the image is cut off; a box thinner than a
/// pixel still shows as a line.
pub fn draw_box(image: &mut Image, bounds: &BoundingBox, outline: Outline) {
    let Some((left, right)) = pixel_range(bounds[0], bounds[2], image.width) else { return };
    let Some((top, bottom)) = pixel_range(bounds[1], bounds[3], image.height) else { return };
    let line = i64::from(outline.thickness.max(1));
    let fill = |image: &mut Image, x: (i64, i64), y: (i64, i64)| {
        for row in y.0.max(0)..y.1.min(i64::from(image.height)) {
            for column in x.0.max(0)..x.1.min(i64::from(image.width)) {
                image.set_pixel(column as u32, row as u32, outline.colour);
            }
        }
    };
    fill(image, (left, right), (top, bottom.min(top + line)));
    fill(image, (left, right), (top.max(bottom - line), bottom));
    fill(image, (left, right.min(left + line)), (top, bottom));
    fill(image, (left.max(right - line), right), (top, bottom));
}

/// The pixels from `low` to `high` (continuous coordinates), at least one; nothing for ranges
/// that are inverted, not finite, or wholly outside.
fn pixel_range(low: f32, high: f32, side: u32) -> Option<(i64, i64)> {
    if !(low.is_finite() && high.is_finite() && low <= high) {
        return None;
    }
    let from = low.round() as i64;
    let to = (high.round() as i64).max(from + 1);
    (from < i64::from(side) && to > 0).then_some((from, to))
}

/// The line thickness that stays visible when an image of these sides is looked at as a whole:
/// 1/200 of the longer side, at least 1 pixel.
pub fn thickness_for(image: &Image) -> u32 {
    (image.width.max(image.height) / 200).max(1)
}

/// A colour for a pseudo-class: classes with near numbers get colours far apart, on dark and on
/// light ground.
///
/// The hue advances by the golden section of the circle, which spreads any number of points
/// evenly (Knuth, The Art of Computer Programming 3, 6.4, exercise 9); three brightnesses
/// alternate so that hues that meet again after many classes differ in them.
pub fn palette(class: u32) -> [u8; 3] {
    const GOLDEN_SECTION: f64 = 0.618_033_988_749_894_9;
    let hue = (f64::from(class) * GOLDEN_SECTION).fract() * 6.0;
    let (saturation, value) = [(0.95, 1.0), (0.6, 1.0), (0.9, 0.75)][class as usize % 3];
    let channel = |offset: f64| {
        let distance = (hue + offset) % 6.0;
        let ramp = distance.min(4.0 - distance).clamp(0.0, 1.0);
        ((value - value * saturation * ramp) * 255.0).round() as u8
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Outline = Outline { colour: [255, 0, 0], thickness: 1 };

    fn red_pixels(image: &Image) -> usize {
        image.pixels.chunks_exact(3).filter(|pixel| *pixel == RED.colour).count()
    }

    #[test]
    fn an_outline_lies_inside_its_box() {
        let mut image = Image::filled(10, 10, [0; 3]).unwrap();
        draw_box(&mut image, &[2.0, 3.0, 7.0, 8.0], RED);
        assert_eq!(red_pixels(&image), 16);
        assert_eq!((image.pixel(2, 3), image.pixel(6, 7)), (RED.colour, RED.colour));
        assert_eq!((image.pixel(7, 7), image.pixel(3, 4)), ([0; 3], [0; 3]));
        draw_box(&mut image, &[2.0, 3.0, 7.0, 8.0], Outline { thickness: 2, ..RED });
        assert_eq!(red_pixels(&image), 24);
    }

    #[test]
    fn boxes_outside_thin_or_senseless_are_cut_or_left_out() {
        let mut image = Image::filled(10, 10, [0; 3]).unwrap();
        for nothing in [[20.0, 0.0, 30.0, 5.0], [f32::NAN, 0.0, 1.0, 1.0], [5.0, 5.0, 1.0, 9.0]] {
            draw_box(&mut image, &nothing, RED);
        }
        assert_eq!(red_pixels(&image), 0);
        draw_box(&mut image, &[4.0, 4.0, 4.0, 8.0], RED);
        assert_eq!(red_pixels(&image), 4);
        draw_box(&mut image, &[-1e30, -5.0, 1e30, 20.0], RED);
        assert_eq!(red_pixels(&image), 4);
        draw_box(&mut image, &[0.0, 0.0, 1e30, 1.0], Outline { thickness: u32::MAX, ..RED });
        assert_eq!(red_pixels(&image), 14);
    }

    #[test]
    fn the_first_classes_have_colours_far_apart() {
        let colours: Vec<_> = (0..12).map(palette).collect();
        for (index, first) in colours.iter().enumerate() {
            for second in &colours[..index] {
                let distance: u32 =
                    first.iter().zip(second).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
                assert!(distance >= 60, "{first:?} {second:?}");
            }
        }
        assert_eq!(palette(0), [255, 13, 13]);
    }
}
