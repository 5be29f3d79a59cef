//! T_s from the detector of stage s: its own boxes on every image of the set (patent ¶40, ¶69-72).
//!
//! One box a query with its best class, the best `predictions_per_image` of them, no threshold on
//! scores, then class-agnostic suppression.

use super::suppression::suppress;
use super::trainable::{TrainableDetector, View};
use crate::control::Control;
use crate::data::coco::write::write_dataset;
use crate::data::coco::{CocoImage, LabelledBox};
use crate::data::image::ImageLimits;
use crate::data::training::set::TrainingSet;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How a detector labels images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RelabelConfig {
    /// Boxes before suppression. Default 100 (¶40).
    pub predictions_per_image: usize,
    /// A box goes when its IoU with a better one is above this. Default 0.55 (¶40).
    pub suppression_iou: f64,
}

impl Default for RelabelConfig {
    fn default() -> RelabelConfig {
        RelabelConfig { predictions_per_image: 100, suppression_iou: 0.55 }
    }
}

impl RelabelConfig {
    /// # Errors
    /// [`Error::InvalidArgument`] naming the first key outside its range.
    pub fn validate(&self) -> Result<()> {
        if self.predictions_per_image == 0 {
            return Err(Error::invalid("predictions_per_image", "0; at least 1 is needed"));
        }
        if !(0.0..=1.0).contains(&self.suppression_iou) {
            let reason = format!("{} is not in [0, 1]", self.suppression_iou);
            return Err(Error::invalid("suppression_iou", reason));
        }
        Ok(())
    }
}

/// What is labelled, and how.
#[derive(Debug, Clone, Copy)]
pub struct RelabelRequest<'a> {
    pub set: &'a TrainingSet,
    pub view: &'a View,
    pub limits: &'a ImageLimits,
    pub config: &'a RelabelConfig,
    /// The COCO file to write.
    pub out: &'a Path,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelabelReport {
    pub images_count: usize,
    pub boxes_count: usize,
    /// Images that could not be read; they are left out.
    pub broken_count: usize,
}

/// Writes the detector's labels of every image, best box first in each.
///
/// # Errors
/// [`Error::Cancelled`]; those of prediction; [`Error::Io`]. The file is then as it was.
pub fn relabel(
    detector: &mut dyn TrainableDetector,
    request: &RelabelRequest<'_>,
    control: &Control<'_>,
) -> Result<RelabelReport> {
    let RelabelRequest { set, view, limits, config, out } = *request;
    let (mut images, mut boxes) = (Vec::new(), Vec::new());
    let mut broken_count = 0;
    for (index, entry) in set.images().iter().enumerate() {
        control.report("relabel", index as u64, set.images_count() as u64)?;
        let image = match set.load(index, limits) {
            Ok(sample) => sample.image,
            Err(Error::ImageDecode { .. } | Error::ImageTooLarge { .. } | Error::Io { .. }) => {
                broken_count += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut found = detector.detect(&image, view, config.predictions_per_image)?;
        suppress(&mut found, config.suppression_iou);
        let (id, name) = (entry.image_id.into(), entry.relative_path.as_str());
        images.push(CocoImage::new(id, name, image.width, image.height));
        boxes.extend(found.into_iter().map(|detection| LabelledBox {
            image_id: id,
            category_id: set.categories()[detection.class as usize].id,
            bounds: detection.bounds,
            score: Some(detection.score),
        }));
    }
    control.report("relabel", set.images_count() as u64, set.images_count() as u64)?;
    let report =
        RelabelReport { images_count: images.len(), boxes_count: boxes.len(), broken_count };
    let (images, boxes) = (images.into_iter().map(Ok), boxes.into_iter().map(Ok));
    write_dataset(out, "labels of a detector", images, set.categories(), boxes)?;
    Ok(report)
}
