//! An image with its targets, in pixels of that image, on its way through the augmentations.

use crate::data::image::Image;
use crate::geometry::{BoundingBox, area};

/// One object to be found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// xyxy in pixels of the image it belongs to.
    pub bounds: BoundingBox,
    /// Dense class index.
    pub class: u32,
    /// How sure the detector that wrote the label was; 1 where nobody was asked.
    pub score: f32,
}

/// An image and the objects in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    pub image: Image,
    pub targets: Vec<Target>,
}

/// The part of `bounds` inside an image of `width` x `height` pixels; `None` where none is left.
pub fn clip(bounds: &BoundingBox, width: u32, height: u32) -> Option<BoundingBox> {
    let (width, height) = (width as f32, height as f32);
    let clipped = [
        bounds[0].clamp(0.0, width),
        bounds[1].clamp(0.0, height),
        bounds[2].clamp(0.0, width),
        bounds[3].clamp(0.0, height),
    ];
    (clipped[0] < clipped[2] && clipped[1] < clipped[3]).then_some(clipped)
}

/// Clips every target to an image of `width` x `height` pixels and drops those of which nothing,
/// or less than `share_min` of their area, is left.
pub fn keep_visible(targets: &mut Vec<Target>, width: u32, height: u32, share_min: f64) {
    targets.retain_mut(|target| {
        let Some(clipped) = clip(&target.bounds, width, height) else { return false };
        let visible = area(&clipped) >= share_min * area(&target.bounds);
        target.bounds = clipped;
        visible
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_clipped_and_dropped_when_too_little_is_left() {
        let target = |bounds| Target { bounds, class: 7, score: 0.5 };
        let all = vec![
            target([-5.0, 2.0, 5.0, 4.0]),
            target([9.0, 0.0, 19.0, 1.0]),
            target([10.0, 0.0, 12.0, 5.0]),
            target([3.0, 3.0, 3.0, 4.0]),
        ];
        let mut targets = all.clone();
        keep_visible(&mut targets, 10, 8, 0.0);
        assert_eq!(targets, [target([0.0, 2.0, 5.0, 4.0]), target([9.0, 0.0, 10.0, 1.0])]);
        let mut targets = all;
        keep_visible(&mut targets, 10, 8, 0.5);
        assert_eq!(targets, [target([0.0, 2.0, 5.0, 4.0])]);
    }
}
