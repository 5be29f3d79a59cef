//! Class-agnostic recall of labels against true boxes: how good T_j is, for measuring only.

use crate::Result;
use crate::control::Control;
use crate::evaluation::{self, EvaluationInput, EvaluationOptions};
use crate::workers::Workers;
use std::path::Path;

/// Boxes an image of the three recalls.
pub const DETECTIONS: [u32; 3] = [10, 25, 100];

/// Average recall at [`DETECTIONS`] boxes an image of the COCO file `labels`.
///
/// # Errors
/// Those of reading both files and of the evaluation.
pub fn class_agnostic(
    truth: &Path,
    labels: &Path,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<[f64; 3]> {
    let input = EvaluationInput::from_files(truth, labels)?;
    let options = EvaluationOptions { class_agnostic: true, detections_max: DETECTIONS.into() };
    let found = evaluation::evaluate(&input, &options, workers, control)?;
    Ok([0, 1, 2].map(|place| found.average_recall[place]))
}
