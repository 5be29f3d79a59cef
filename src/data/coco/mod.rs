//! COCO detection files: data sets with images, categories and annotations, and lists of results.
//!
//! Format: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, and the public
//! description of its data and results formats. [`read`] reads both forms in one pass and keeps
//! only what detection needs; [`write`] writes T_0 and detections, the same bytes for the same
//! input; [`ids`] makes foreign ids dense; [`join`] pairs the images of two files.

pub mod ids;
pub mod join;
pub mod read;
pub mod write;

use crate::geometry::BoundingBox;

/// One entry of a file's image list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CocoImage {
    pub id: i64,
    /// Path relative to the image folder, with `/`.
    pub file_name: String,
    /// Pixels of the upright image; 0 where the file does not say.
    pub width: u32,
    /// Pixels of the upright image; 0 where the file does not say.
    pub height: u32,
}

/// One entry of a file's category list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CocoCategory {
    pub id: i64,
    /// Empty where the file does not say.
    pub name: String,
}

/// One box as read. Numbers keep the file's f64, so that figures are those of any other reader.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CocoAnnotation {
    pub image_id: i64,
    pub category_id: i64,
    /// x, y, width, height in pixels; finite, sizes not negative.
    pub bounds: [f64; 4],
    /// Square pixels: the file's `area`, else that of the box.
    pub area: f64,
    /// Finite; `None` in ground truth.
    pub score: Option<f64>,
    /// The box holds many objects that were not told apart.
    pub is_crowd: bool,
}

/// A file as read: a data set, or a list of results, which has neither images nor categories.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CocoFile {
    pub images: Vec<CocoImage>,
    pub categories: Vec<CocoCategory>,
    /// In the file's order, on which ties of score depend.
    pub annotations: Vec<CocoAnnotation>,
}

/// One box to be written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledBox {
    pub image_id: u32,
    pub category_id: u32,
    /// xyxy in pixels of the upright original image.
    pub bounds: BoundingBox,
    /// `None` in ground truth.
    pub score: Option<f32>,
}

/// The category list of `count` pseudo-classes: ids from 0, all of them, used or not.
pub fn pseudo_categories(count: u32) -> Vec<CocoCategory> {
    (0..count).map(|id| CocoCategory { id: id.into(), name: format!("pseudo-{id}") }).collect()
}
