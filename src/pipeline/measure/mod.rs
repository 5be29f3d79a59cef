//! Measuring as the patent does: after every stage the detector's own boxes (every query, the best
//! 100, none suppressed; Table 7) are scored against true boxes, whatever the classes, beside what they
//! must be compared with.
//!
//! | row | what it is |
//! |---|---|
//! | T_0 | the clusters' boxes, under the run's own cap and, held out, allowed 100 as well |
//! | fixed boxes | as many boxes, fitted to T_0, put on every image: what knowing no image gives |
//! | detector of stage s | what the method is about |
//! | labels T_s | what the next stage learns from; a choice among the detector's boxes |
//!
//! Each on the images that training sees and on held-out ones. The detector's recall of its own labels
//! (those that the stage learned, or what they would have been on a held-out image) tells memorising
//! from learning: high on training images and low on held-out ones, it is the former.
//!
//! True boxes only measure. They are no part of a run; without them nothing here is done. What is kept
//! lies in the run's folder: `measured/` holds boxes as COCO files that say what they are of,
//! `validation/` and `validation-100/` are runs of `extract` on the held-out images, and
//! `metrics.jsonl` gets a line for each stage.

pub mod context;
pub mod figures;
pub mod fixed_boxes;
pub mod held_out;
mod kept;
pub mod stages;
pub mod table;

use figures::Figures;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Images that training does not see, with their true boxes.
#[derive(Debug, Clone, Copy)]
pub struct HeldOut<'a> {
    /// Folder of images, searched recursively.
    pub images: &'a Path,
    /// COCO file; every image that it lists is in the folder.
    pub annotations: &'a Path,
}

/// Which images were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredImages {
    HeldOut,
    Training,
}

impl MeasuredImages {
    /// What files of these images are called.
    fn suffix(self) -> &'static str {
        match self {
            MeasuredImages::HeldOut => "held-out",
            MeasuredImages::Training => "training",
        }
    }
}

/// Whose boxes were scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredKind {
    /// T_0, those of the clusters.
    Proposals,
    /// The same boxes on every image.
    FixedBoxes,
    /// A detector's own, all queries, none suppressed.
    Detector,
    /// T_s, s above 0: what a detector's boxes became for the next stage.
    Labels,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeasuredRow {
    pub images: MeasuredImages,
    pub kind: MeasuredKind,
    /// 0 for what there is before training.
    pub stage: u16,
    /// How many boxes an image could have had; for labels, the most that one has.
    pub boxes_max: usize,
    /// Images with an entry in the file of the boxes.
    pub images_count: usize,
    /// Boxes of all images.
    pub boxes_count: usize,
    #[serde(flatten)]
    pub figures: Figures,
    /// Of a detector: average recall, at 100 boxes, of the labels that its stage learned from.
    pub own_recall: Option<f64>,
}

impl MeasuredRow {
    /// Mean number of boxes of an image.
    pub fn boxes_per_image(&self) -> f64 {
        self.boxes_count as f64 / self.images_count.max(1) as f64
    }
}
