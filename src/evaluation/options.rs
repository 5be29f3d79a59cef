//! What a caller may choose of an evaluation: input, matching and summary each read a part.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What to evaluate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EvaluationOptions {
    /// Pool all objects and all detections of an image, whatever their category. Default false,
    /// as in COCO; pseudo-classes have no counterpart in the ground truth and need true.
    pub class_agnostic: bool,
    /// How many of an image's (and category's) best detections count, ascending; recall is given
    /// for each, precision for the last. Default 1, 10, 100, those of COCO.
    pub detections_max: Vec<u32>,
}

impl Default for EvaluationOptions {
    fn default() -> EvaluationOptions {
        EvaluationOptions { class_agnostic: false, detections_max: vec![1, 10, 100] }
    }
}

impl EvaluationOptions {
    /// # Errors
    /// [`Error::InvalidArgument`] unless `detections_max` is ascending, positive and not empty.
    pub fn validate(&self) -> Result<()> {
        let maxima = &self.detections_max;
        if maxima.is_empty() || maxima[0] == 0 || !maxima.is_sorted_by(|a, b| a < b) {
            return Err(Error::invalid(
                "detections_max",
                format!("must be ascending positive numbers, got {maxima:?}"),
            ));
        }
        Ok(())
    }
}
