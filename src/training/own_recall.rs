//! What a check measures: how many of the held-out images' own labels the detector finds.
//!
//! The labels are those that the stage learns from on the other images, T_{s-1}, whoever made them:
//! true boxes have no part in it. The boxes are the detector's own as they are measured elsewhere:
//! every query, the best 100, none suppressed, whatever the classes ([`super::relabel::Purpose`]).

use super::relabel::MEASURED_BOXES_MAX;
use super::relabel_config::BoxScore;
use super::trainable::{TrainableDetector, View};
use crate::control::Control;
use crate::data::folder::BrokenImage;
use crate::data::image::ImageLimits;
use crate::data::training::set::TrainingSet;
use crate::evaluation::{self, BoxArrays, EvaluationInput, EvaluationOptions, ObjectTraits};
use crate::geometry::BoundingBox;
use crate::workers::Workers;
use crate::{Error, Result};
use std::sync::Arc;

/// The images that a stage is checked on, and how the detector looks at them.
#[derive(Debug)]
pub(super) struct HeldOutImages {
    pub(super) set: Arc<TrainingSet>,
    /// Of the images in the set.
    pub(super) positions: Vec<usize>,
    pub(super) view: View,
    pub(super) box_score: BoxScore,
    pub(super) limits: ImageLimits,
    /// An image that cannot be decoded is an error.
    pub(super) strict: bool,
    /// Those that could not be decoded so far. They are left out, labels too.
    pub(super) broken: Vec<BrokenImage>,
}

/// Boxes of several images, one behind another.
#[derive(Debug, Default)]
struct Boxes {
    image_ids: Vec<i64>,
    bounds: Vec<BoundingBox>,
}

impl Boxes {
    fn push(&mut self, image_id: u32, bounds: BoundingBox) {
        self.image_ids.push(image_id.into());
        self.bounds.push(bounds);
    }

    fn arrays(&self) -> BoxArrays<'_> {
        BoxArrays { image_ids: &self.image_ids, category_ids: &[], boxes: &self.bounds }
    }
}

impl HeldOutImages {
    /// Class-agnostic average recall, in [0, 1], of the images' labels; `steps` are those done and
    /// all of the stage, for progress.
    ///
    /// # Errors
    /// Those of prediction; [`Error::Io`] for an image that cannot be read; under `strict` the error
    /// of one that cannot be decoded; [`Error::InvalidArgument`] where no label is left to find;
    /// [`Error::Cancelled`].
    pub(super) fn recall(
        &mut self,
        detector: &mut dyn TrainableDetector,
        (done, steps_count): (usize, usize),
        control: &Control<'_>,
    ) -> Result<f64> {
        let (mut labels, mut found, mut scores) = (Boxes::default(), Boxes::default(), Vec::new());
        for &position in &self.positions {
            control.report("train", done as u64, steps_count as u64)?;
            let image_id = self.set.images()[position].image_id;
            let sample = match self.set.load(position, &self.limits) {
                Ok(sample) => sample,
                Err(error @ (Error::ImageDecode { .. } | Error::ImageTooLarge { .. }))
                    if !self.strict =>
                {
                    let path = self.set.images()[position].relative_path.clone();
                    note_broken(&mut self.broken, path, &error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            sample.targets.iter().for_each(|target| labels.push(image_id, target.bounds));
            let (view, score) = (&self.view, self.box_score);
            for one in detector.detect(&sample.image, view, score, MEASURED_BOXES_MAX)? {
                found.push(image_id, one.bounds);
                scores.push(one.score);
            }
        }
        if labels.bounds.is_empty() {
            let count = self.positions.len();
            let reason = format!("none of {count} held-out images can be read and has a label");
            return Err(Error::invalid("held_out_share", reason));
        }
        let traits = ObjectTraits::default();
        let input = EvaluationInput::from_arrays(labels.arrays(), traits, found.arrays(), &scores)?;
        let detections_max = vec![MEASURED_BOXES_MAX as u32];
        let options = EvaluationOptions { class_agnostic: true, detections_max };
        // Work is shared out by class, and there is one.
        let figures = evaluation::evaluate(&input, &options, &Workers::caller(), control)?;
        Ok(figures.average_recall[0])
    }
}

/// Notes an image once in a stage.
fn note_broken(broken: &mut Vec<BrokenImage>, path: String, error: &Error) {
    if !broken.iter().any(|known| known.path == path) {
        log::warn!("{path} is held out and was skipped: {error}");
        broken.push(BrokenImage { path, reason: error.to_string() });
    }
}
