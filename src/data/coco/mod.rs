//! COCO detection files: data sets with images, categories and annotations, and lists of results.
//!
//! Format: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, and the public
//! description of its data and results formats. [`read`] reads both forms in one pass and keeps
//! only what detection needs; [`write`] writes T_0 and detections, the same bytes for the same
//! input; [`ids`] makes foreign ids dense; [`join`] pairs the images and categories of two files.
//!
//! ```text
//! bytes ──odd_numbers──▶ values, fields ──▶ records ──▶ document ──▶ read: one CocoFile, or what is wrong
//!                                 └▶ plain, at full speed ──▶ document
//! two CocoFiles ──names, canonical_text──▶ pairing ──▶ join
//! ```

mod canonical_text;
mod document;
mod fields;
pub mod folder_places;
pub mod foreign_ids;
pub mod ids;
pub mod join;
mod names;
mod odd_numbers;
mod pairing;
mod plain;
pub mod problems;
pub mod read;
mod records;
pub mod settle;
mod values;
pub mod write;

use crate::geometry::BoundingBox;
use foreign_ids::{IdForm, IdTexts};
use problems::Problems;

/// One entry of a file's image list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CocoImage {
    pub id: i64,
    /// How the file writes the id.
    pub id_form: IdForm,
    /// Path relative to the image folder, as the file writes it; empty where it does not say.
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
    /// How the file writes the id.
    pub id_form: IdForm,
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
    /// Square pixels: the file's `area`, else that of the box, as always of a detection.
    pub area: f64,
    /// Any number, NaN too, which ranks last; `None` in ground truth.
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
    /// Annotations whose numbers are no box: a side that is NaN, infinite or negative.
    pub left_out: Problems,
    /// Their places in the file's list, ascending.
    pub left_out_indices: Vec<usize>,
    /// What image ids that are texts stand for.
    pub image_texts: IdTexts,
    /// What category ids that are texts stand for.
    pub category_texts: IdTexts,
}

impl CocoFile {
    /// The place in the file's list of the annotation at `position` of those that were taken.
    pub fn index_in_file(&self, position: usize) -> usize {
        let before = |index: usize, &left_out: &usize| index + usize::from(left_out <= index);
        self.left_out_indices.iter().fold(position, before)
    }
}

impl CocoImage {
    /// An image whose id is written as an integer.
    pub fn new(id: i64, file_name: impl Into<String>, width: u32, height: u32) -> CocoImage {
        CocoImage { id, id_form: IdForm::Integer, file_name: file_name.into(), width, height }
    }
}

impl CocoCategory {
    /// A category whose id is written as an integer.
    pub fn new(id: i64, name: impl Into<String>) -> CocoCategory {
        CocoCategory { id, id_form: IdForm::Integer, name: name.into() }
    }
}

/// One box to be written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledBox {
    pub image_id: i64,
    pub category_id: i64,
    /// xyxy in pixels of the upright original image.
    pub bounds: BoundingBox,
    /// `None` in ground truth.
    pub score: Option<f32>,
}

/// The category list of `count` pseudo-classes: ids from 0, all of them, used or not.
pub fn pseudo_categories(count: u32) -> Vec<CocoCategory> {
    (0..count).map(|id| CocoCategory::new(id.into(), format!("pseudo-{id}"))).collect()
}
