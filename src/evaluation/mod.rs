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
mod precision;
mod summary;

pub use files::FileNotes;
pub use input::{BoxArrays, EvaluationInput, ObjectTraits};
pub use summary::{CategoryFigures, Evaluation};

use crate::control::Control;
use crate::workers::Workers;
use crate::{Error, Result};
use grouping::Grouping;
use matching::{Detection, Object};
use precision::CategoryCurves;
use serde::{Deserialize, Serialize};

/// Number of IoU thresholds: .50, .55, ... .95.
pub const THRESHOLDS_COUNT: usize = 10;
/// Number of recall points at which precision is read: 0, .01, ... 1.
pub const RECALLS_COUNT: usize = 101;
/// Number of ranges of area: all, small, medium, large.
pub const AREAS_COUNT: usize = 4;

/// Ranges of area in square pixels, both ends included: all, small, medium, large.
pub const AREA_RANGES: [[f64; 2]; AREAS_COUNT] =
    [[0.0, 1e10], [0.0, 1024.0], [1024.0, 9216.0], [9216.0, 1e10]];

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

/// Evaluates `input`. The same bits at any number of workers.
///
/// # Errors
/// Those of [`EvaluationOptions::validate`]; [`Error::Cancelled`].
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

/// The ten IoU thresholds, with the bits of `numpy.linspace(.5, .95, 10)`.
pub fn iou_thresholds() -> [f64; THRESHOLDS_COUNT] {
    linspace(0.5, 0.95)
}

/// The 101 recall points, with the bits of `numpy.linspace(0, 1, 101)`.
pub fn recall_points() -> [f64; RECALLS_COUNT] {
    linspace(0.0, 1.0)
}

/// Evenly spaced numbers, rounded as numpy rounds them: index times step, plus start, and the
/// last one exact. Recalls fall on these points often, so one unit in the last place shows.
fn linspace<const COUNT: usize>(first: f64, last: f64) -> [f64; COUNT] {
    let step = (last - first) / (COUNT - 1) as f64;
    let mut points = std::array::from_fn(|index| index as f64 * step + first);
    points[COUNT - 1] = last;
    points
}
