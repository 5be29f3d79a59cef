//! COCO average precision and recall of boxes, with the same bits as pycocotools.
//!
//! Source: the COCO detection protocol (Lin et al., ECCV 2014) as pycocotools 2.0 computes it:
//! ten IoU thresholds .50:.05:.95, 101 recall points, four ranges of area, crowds and objects
//! outside the range ignored, detections ranked by score with ties in input order.
//!
//! ```text
//! files ──▶ input ──▶ grouping: by category, then image ──▶ matching: greedy, all thresholds and areas at once
//!       ──▶ precision: curves of one category ──▶ summary: means over thresholds, recalls, categories
//! ```
//!
//! Class-agnostic evaluation pools everything, whatever its category id, as if both files knew
//! only one category. (pycocotools' own `useCats = 0` drops detections of categories that the
//! ground truth does not list, which is every pseudo-class.)
//!
//! One deliberate difference: an object whose annotation id is 0 can be matched like any other;
//! pycocotools takes 0 for "unmatched". Ids of annotations are not looked at here.

pub mod files;
mod grouping;
pub mod input;
mod matching;
pub mod notes;
mod options;
mod precision;
mod protocol;
mod summary;

pub use input::{BoxArrays, EvaluationInput, ObjectTraits};
pub use notes::FileNotes;
pub use options::EvaluationOptions;
pub use protocol::{
    AREA_RANGES, AREAS_COUNT, RECALLS_COUNT, THRESHOLDS_COUNT, iou_thresholds, recall_points,
};
pub use summary::{CategoryFigures, Evaluation};

use crate::Result;
use crate::control::Control;
use crate::workers::Workers;
use grouping::Grouping;
use matching::{Detection, Object};
use precision::CategoryCurves;

/// Evaluates `input`. The same bits at any number of workers.
///
/// # Errors
/// Those of [`EvaluationOptions::validate`]; [`crate::Error::Cancelled`].
pub fn evaluate(
    input: &EvaluationInput,
    options: &EvaluationOptions,
    workers: &Workers,
    control: &Control,
) -> Result<Evaluation> {
    options.validate()?;
    let categories_count = if options.class_agnostic { 1 } else { input.categories().len() };
    let ranks_max = options.detections_max.iter().copied().max().unwrap_or(0) as usize;
    let objects = group_objects(input, options.class_agnostic, categories_count);
    let detections = group_detections(input, options.class_agnostic, categories_count);
    let curves = workers.try_map(categories_count, |category| {
        control.check()?;
        let (objects, detections) = (objects.category(category), detections.category(category));
        let outcomes = matching::match_category(objects, detections, ranks_max);
        Ok(CategoryCurves::new(&outcomes, &options.detections_max))
    })?;
    Ok(Evaluation::new(input, options, curves))
}

fn group_objects(
    input: &EvaluationInput,
    pooled: bool,
    categories_count: usize,
) -> Grouping<Object> {
    let objects = &input.objects;
    Grouping::new(&objects.boxes, pooled, categories_count, input.images_count(), |index| Object {
        image: objects.boxes.images[index],
        bounds: objects.boxes.bounds[index],
        is_crowd: objects.crowds[index],
        is_ignored: AREA_RANGES.map(|[low, high]| {
            objects.crowds[index] || !(low..=high).contains(&objects.areas[index])
        }),
    })
}

fn group_detections(
    input: &EvaluationInput,
    pooled: bool,
    categories_count: usize,
) -> Grouping<Detection> {
    let detections = &input.detections;
    let boxes = &detections.boxes;
    Grouping::new(boxes, pooled, categories_count, input.images_count(), |index| Detection {
        image: boxes.images[index],
        score: detections.scores[index],
        bounds: boxes.bounds[index],
    })
}
