//! `simdetr_evaluator_t`: COCO average precision and recall, from arrays and from files.

use super::declare::{handle, initialiser, memory_bytes, options, versioned};
use super::error::simdetr_error_t;
use super::guard::{Poison, guard, guard_handle, into_handle};
use super::options::{copy_options, write_struct};
use super::pointers::{optional, output, slice, text};
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::workers::{simdetr_parallel_for_fn_t, workers};
use crate::control::Control;
use crate::evaluation::input::ObjectTraits;
use crate::evaluation::{BoxArrays, Evaluation, EvaluationInput, EvaluationOptions, evaluate};
use crate::workers::Workers;
use crate::{Error, Result};
use std::ffi::{c_char, c_void};
use std::path::Path;

/// Most entries of `detections_max`.
pub const SIMDETR_DETECTIONS_MAX_CAPACITY: usize = 8;

/// Scores boxes against known ones. Never changes; any number of threads may use one.
pub struct simdetr_evaluator_t {
    options: EvaluationOptions,
    workers: Workers,
    poison: Poison,
}

options! {
    /// How to evaluate. Zero in a field is its default.
    pub struct simdetr_evaluator_options_t (56 bytes) {
        /// Must be 0; no field has a zero that is not its default.
        pub set_mask: u64 => apart,
        /// 1 pools all objects and all detections of an image, whatever their category; pseudo-classes
        /// need it. 0 is COCO's way.
        pub class_agnostic: i32 => switch,
        /// 0 is one for each processor.
        pub threads: u32 => apart,
        /// How many of an image's best detections count, ascending, `[detections_max_count]`; recall
        /// is given for each, precision for the last. NULL is 1, 10, 100.
        pub detections_max: *const u32 => apart,
        /// At most `SIMDETR_DETECTIONS_MAX_CAPACITY`.
        pub detections_max_count: usize => apart,
        /// The host's job system instead of threads of the library; NULL for none. `threads` then says
        /// how many tasks it runs at once.
        pub parallel_for: simdetr_parallel_for_fn_t => apart,
        /// First argument of `parallel_for`.
        pub parallel_for_user_data: *mut c_void => apart,
    }
}

versioned! {
    /// Figures in [0, 1]; -1 where there is nothing to measure.
    pub struct simdetr_evaluation_t (192 bytes, first without detections_of_unknown_categories) {
        /// AP at IoU .50 to .95, with the largest number of detections, as all precisions here.
        pub average_precision: f64,
        /// AP at IoU .50.
        pub average_precision_50: f64,
        /// AP at IoU .75.
        pub average_precision_75: f64,
        /// AP of objects under 32 x 32 square pixels.
        pub average_precision_small: f64,
        /// AP of objects up to 96 x 96 square pixels.
        pub average_precision_medium: f64,
        /// AP of larger objects.
        pub average_precision_large: f64,
        /// AR for each entry of `detections_max`; the rest is -1.
        pub average_recall: [f64; SIMDETR_DETECTIONS_MAX_CAPACITY],
        /// AR of small objects with the largest number of detections, as the next two.
        pub average_recall_small: f64,
        /// AR of medium objects.
        pub average_recall_medium: f64,
        /// AR of large objects.
        pub average_recall_large: f64,
        /// Images that were evaluated.
        pub images_count: u64,
        /// Objects, crowds included.
        pub objects_count: u64,
        /// Detections that were evaluated.
        pub detections_count: u64,
        /// Detections on images that the ground truth does not list.
        pub detections_left_out: u64,
        /// Detections of categories that the ground truth does not list, from files; they count only
        /// with `class_agnostic`.
        pub detections_of_unknown_categories: u64,
        /// Boxes of both files with a side that is NaN, infinite or negative; they are left out.
        pub boxes_left_out: u64,
    }
}

initialiser!(simdetr_evaluator_options_init, options, simdetr_evaluator_options_t);

/// Makes an evaluator.
///
/// @param[in] options NULL is all defaults.
/// @param[out] out The evaluator, to be given to `simdetr_evaluator_destroy`.
/// @return A status.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_evaluator_create(
    options: *const simdetr_evaluator_options_t,
    out: *mut *mut simdetr_evaluator_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (out, given) = (output(out, "out")?, copy_options(options)?);
        let maxima = slice(given.detections_max, given.detections_max_count, "detections_max")?;
        if maxima.len() > SIMDETR_DETECTIONS_MAX_CAPACITY {
            let reason = format!("{} > {SIMDETR_DETECTIONS_MAX_CAPACITY}", maxima.len());
            return Err(Error::invalid("detections_max_count", reason));
        }
        let mut keys = given.keys()?;
        keys.list("detections_max", maxima.iter().copied());
        let options: EvaluationOptions = keys.finish()?;
        options.validate()?;
        let workers = workers(given.threads, given.parallel_for, given.parallel_for_user_data)?;
        out.set(into_handle(simdetr_evaluator_t { options, workers, poison: Poison::default() }));
        Ok(())
    })
}

handle!(simdetr_evaluator_t, evaluator, simdetr_evaluator_destroy, "Destroys an evaluator.");

memory_bytes!(
    simdetr_evaluator_t,
    evaluator,
    simdetr_evaluator_memory_bytes,
    "Says how many bytes an evaluator holds between calls.",
    "The answer."
);

impl simdetr_evaluator_t {
    fn memory_bytes(&self) -> usize {
        let lists = self.options.detections_max.capacity() * size_of::<u32>();
        size_of::<simdetr_evaluator_t>() + lists
    }
}

/// Evaluates a file of detections (a list of COCO results, or a COCO data set whose annotations
/// carry `score`) against a COCO data set. Images are joined by file name and categories by name
/// where both files list them with names, by id otherwise; names that leave open what belongs
/// together are refused, and so are images of another size in the other file.
///
/// @param[in] evaluator The evaluator.
/// @param[in] ground_truth Path of the data set.
/// @param[in] detections Path of the detections.
/// @param[in] run Optional.
/// @param[in,out] evaluation `struct_size` must be set; the rest is filled in.
/// @return `SIMDETR_ERROR_FORMAT` says what is wrong with a file.
///
/// May run at the same time as other functions on the evaluator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_evaluator_evaluate_files(
    evaluator: *const simdetr_evaluator_t,
    ground_truth: *const c_char,
    detections: *const c_char,
    run: *const simdetr_run_options_t,
    evaluation: *mut simdetr_evaluation_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(evaluator, error, |evaluator| {
        let ground_truth = Path::new(text(ground_truth, "ground_truth")?);
        let detections = Path::new(text(detections, "detections")?);
        with_control(run, |control| {
            let input = EvaluationInput::from_files(ground_truth, detections)?;
            write_struct(evaluation, &evaluator.figures(&input, control)?)
        })
    })
}

/// Evaluates arrays. Ids may be any numbers; the images are those of both sides together.
///
/// @param[in] evaluator The evaluator.
/// @param[in] object_image_ids `[objects_count]`.
/// @param[in] object_category_ids `[objects_count]`; NULL puts all into category 0.
/// @param[in] object_boxes `[objects_count, 4]`: x0, y0, x1, y1.
/// @param[in] object_areas `[objects_count]` square pixels; NULL takes those of the boxes.
/// @param[in] object_crowds `[objects_count]`, not 0 where a box holds a crowd; NULL for none.
/// @param[in] objects_count Number of known objects.
/// @param[in] detection_image_ids `[detections_count]`.
/// @param[in] detection_category_ids `[detections_count]`; NULL puts all into category 0.
/// @param[in] detection_boxes `[detections_count, 4]`: x0, y0, x1, y1.
/// @param[in] detection_scores `[detections_count]`.
/// @param[in] detections_count Number of detections.
/// @param[in] run Optional.
/// @param[in,out] evaluation `struct_size` must be set; the rest is filled in.
/// @return A status.
///
/// May run at the same time as other functions on the evaluator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_evaluator_evaluate_f32(
    evaluator: *const simdetr_evaluator_t,
    object_image_ids: *const i64,
    object_category_ids: *const i64,
    object_boxes: *const f32,
    object_areas: *const f64,
    object_crowds: *const u8,
    objects_count: usize,
    detection_image_ids: *const i64,
    detection_category_ids: *const i64,
    detection_boxes: *const f32,
    detection_scores: *const f32,
    detections_count: usize,
    run: *const simdetr_run_options_t,
    evaluation: *mut simdetr_evaluation_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(evaluator, error, |evaluator| {
        let objects = BoxArrays {
            image_ids: slice(object_image_ids, objects_count, "object_image_ids")?,
            category_ids: array(object_category_ids, objects_count)?,
            boxes: slice(object_boxes.cast(), objects_count, "object_boxes")?,
        };
        let detections = BoxArrays {
            image_ids: slice(detection_image_ids, detections_count, "detection_image_ids")?,
            category_ids: array(detection_category_ids, detections_count)?,
            boxes: slice(detection_boxes.cast(), detections_count, "detection_boxes")?,
        };
        let scores = slice(detection_scores, detections_count, "detection_scores")?;
        let crowds = array(object_crowds, objects_count)?;
        let crowds: Vec<bool> = crowds.iter().map(|&crowd| crowd != 0).collect();
        let areas = array(object_areas, objects_count)?;
        with_control(run, |control| {
            let traits = ObjectTraits { areas, crowds: &crowds };
            let input = EvaluationInput::from_arrays(objects, traits, detections, scores)?;
            write_struct(evaluation, &evaluator.figures(&input, control)?)
        })
    })
}

/// An array that may be NULL, which stands for its default.
///
/// # Safety
/// As [`slice`].
unsafe fn array<'a, T>(pointer: *const T, count: usize) -> Result<&'a [T]> {
    Ok(optional(pointer, |pointer| slice(pointer, count, "array"))?.unwrap_or_default())
}

impl simdetr_evaluator_t {
    fn figures(
        &self,
        input: &EvaluationInput,
        control: &Control<'_>,
    ) -> Result<simdetr_evaluation_t> {
        let found: Evaluation = evaluate(input, &self.options, &self.workers, control)?;
        let mut average_recall = [-1.0; SIMDETR_DETECTIONS_MAX_CAPACITY];
        average_recall[..found.average_recall.len()].copy_from_slice(&found.average_recall);
        Ok(simdetr_evaluation_t {
            struct_size: size_of::<simdetr_evaluation_t>(),
            average_precision: found.average_precision,
            average_precision_50: found.average_precision_50,
            average_precision_75: found.average_precision_75,
            average_precision_small: found.average_precision_small,
            average_precision_medium: found.average_precision_medium,
            average_precision_large: found.average_precision_large,
            average_recall,
            average_recall_small: found.average_recall_small,
            average_recall_medium: found.average_recall_medium,
            average_recall_large: found.average_recall_large,
            images_count: found.images_count as u64,
            objects_count: found.objects_count as u64,
            detections_count: found.detections_count as u64,
            detections_left_out: found.detections_left_out as u64,
            detections_of_unknown_categories: found.notes.categories_unknown.detections_count
                as u64,
            boxes_left_out: found.notes.boxes_bad.count() as u64,
        })
    }
}
