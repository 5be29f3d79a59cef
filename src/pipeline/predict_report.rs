//! What the step `predict` did: how much it wrote, and what it left out and why.

use super::folder_extraction::skipped_by_reason;
use crate::data::coco::problems::Problems;
use crate::data::folder::{BrokenImage, LeftOut};

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PredictReport {
    pub images_count: usize,
    pub boxes_count: usize,
    /// Images that could not be read, or are not as large as the annotations say; they are left
    /// out.
    pub broken: Vec<BrokenImage>,
    /// Files that are no images to this library.
    pub left_out: Vec<LeftOut>,
    /// Images of the folder that the annotations do not list; they are left out.
    pub images_unlisted: usize,
    /// Images of the annotations that have no `file_name`; they are left out.
    pub images_nameless: Problems,
    /// Classes of the detector that the annotations do not list; their own ids are written.
    pub categories_unknown: Problems,
}

impl PredictReport {
    /// How many files were skipped, for each reason that there is, by the reason's name.
    pub fn skipped_by_reason(&self) -> Vec<(&'static str, u64)> {
        skipped_by_reason(&self.broken, &self.left_out)
    }
}
