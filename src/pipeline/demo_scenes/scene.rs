//! A scene: its picture, and the truth about it.

use crate::data::image::Image;
use crate::geometry::BoundingBox;

/// An image and what is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// 320x240 to 480x360 pixels.
    pub image: Image,
    /// xyxy in pixels, around the visible part.
    pub boxes: Vec<BoundingBox>,
    /// Kind of each object, 0 to 7: places in [`super::kind_names`].
    pub kinds: Vec<u32>,
}
