//! What the property tests of augmentations share: a picture with one object whose place can be
//! read off the pixels.

use crate::data::image::Image;
use crate::geometry::BoundingBox;
use crate::random::{Purpose, Random, StreamKey};

/// A stream for one case of a test.
pub fn keyed(case: u32) -> Random {
    Random::new(StreamKey::new(11, Purpose::Augmentation).for_image(case))
}

/// A black image of 60 to 160 pixels a side with one white rectangle, and the rectangle's box.
pub fn scene(random: &mut Random) -> (Image, BoundingBox) {
    let mut side = || 60 + random.below(101) as u32;
    let (width, height) = (side(), side());
    let mut image = Image { width, height, pixels: vec![0; width as usize * height as usize * 3] };
    let mut range = |side: u32| {
        let length = 20 + random.below(u64::from(side - 30)) as u32;
        let from = random.below(u64::from(side - length) + 1) as u32;
        (from, from + length)
    };
    let ((left, right), (top, bottom)) = (range(width), range(height));
    for y in top..bottom {
        for x in left..right {
            image.set_pixel(x, y, [255; 3]);
        }
    }
    (image, [left, top, right, bottom].map(|edge| edge as f32))
}

/// The bounds of all pixels that are nearer to white than to black.
pub fn rectangle(image: &Image) -> Option<BoundingBox> {
    let mut bounds: Option<[u32; 4]> = None;
    for y in 0..image.height {
        for x in 0..image.width {
            if image.pixel(x, y)[0] >= 128 {
                let [left, top, right, _] = bounds.unwrap_or([x, y, x + 1, y + 1]);
                bounds = Some([left.min(x), top, right.max(x + 1), y + 1]);
            }
        }
    }
    bounds.map(|bounds| bounds.map(|edge| edge as f32))
}
