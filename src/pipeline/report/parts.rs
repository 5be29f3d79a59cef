//! What a report is made of, piece by piece: tables, images, pseudo-classes.

use crate::data::image::Image;
use crate::geometry::BoundingBox;

/// A table with a heading.
#[derive(Debug, Clone, Default)]
pub struct ReportTable {
    pub title: String,
    pub columns: Vec<String>,
    /// One text for each column.
    pub rows: Vec<Vec<String>>,
}

/// An image of the run; it is made smaller for the report.
#[derive(Debug, Clone, Default)]
pub struct ReportImage {
    pub name: String,
    pub image: Image,
    /// xyxy in pixels of `image`.
    pub boxes: Vec<BoundingBox>,
    /// Pseudo-class of each box, from which its colour follows.
    pub classes: Vec<u32>,
}

/// A pseudo-class and some of what is in it.
#[derive(Debug, Clone, Default)]
pub struct ReportClass {
    pub class: u32,
    /// Boxes of the class in the whole run.
    pub boxes_count: u64,
    /// Cut out of the images; they are made smaller for the report.
    pub crops: Vec<Image>,
}
