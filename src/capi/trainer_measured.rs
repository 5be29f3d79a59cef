//! What was measured of a run of Algorithm 1, and on which held-out images.

use super::declare::versioned;
use super::error::simdetr_error_t;
use super::guard::{guard_handle, guard_handle_mut};
use super::options::{checked_size, write_struct};
use super::pointers::{optional_text, output};
use super::status::simdetr_status_t;
use super::trainer::simdetr_trainer_t;
use crate::Error;
use crate::pipeline::measure::{MeasuredImages, MeasuredKind, MeasuredRow};
use std::ffi::c_char;

/// Images that training does not see.
pub const SIMDETR_IMAGES_HELD_OUT: i32 = 1;
/// Images that it sees.
pub const SIMDETR_IMAGES_TRAINING: i32 = 2;

/// T_0, the boxes of the clusters: under the cap of the configuration and, on held-out images, allowed
/// 100 as well.
pub const SIMDETR_MEASURED_PROPOSALS: i32 = 1;
/// The control: boxes fitted to T_0, the same on every image.
pub const SIMDETR_MEASURED_FIXED_BOXES: i32 = 2;
/// A detector's own boxes: every query's, the best 100, none suppressed.
pub const SIMDETR_MEASURED_DETECTOR: i32 = 3;
/// The labels that a detector gives for the next stage.
pub const SIMDETR_MEASURED_LABELS: i32 = 4;

versioned! {
    /// Class-agnostic figures of some boxes; figures lie in [0, 1] and are -1 where there is no true box.
    pub struct simdetr_measured_t (96 bytes) {
        /// `SIMDETR_IMAGES_*`.
        pub images: i32,
        /// `SIMDETR_MEASURED_*`.
        pub kind: i32,
        /// 0 for what there is before training.
        pub stage: u32,
        /// How many boxes an image could have had; for labels, the most that one has.
        pub boxes_max: u32,
        /// Images that were looked at.
        pub images_count: u64,
        /// Boxes of all images.
        pub boxes_count: u64,
        /// Over the IoU thresholds .50 to .95, as the recalls.
        pub average_precision: f64,
        /// At the IoU threshold .50.
        pub average_precision_50: f64,
        /// Average recall with the best box of each image.
        pub recall_1: f64,
        /// With the best 10.
        pub recall_10: f64,
        /// With the best 25.
        pub recall_25: f64,
        /// With the best 100.
        pub recall_100: f64,
        /// Of a detector, recall with 100 boxes of the labels that its stage learned from: high on training
        /// images and low on held-out ones, it was memorised. -1 for other boxes.
        pub own_recall: f64,
    }
}

/// Names images that later calls of `simdetr_trainer_pretrain` measure every stage on and do not train
/// on; looked at when those calls begin.
///
/// @param[in] trainer The trainer.
/// @param[in] images Folder of images, searched recursively; NULL, with `annotations`, for none.
/// @param[in] annotations COCO file with their true boxes.
/// @return `SIMDETR_ERROR_INVALID_ARGUMENT` for one without the other.
///
/// One thread at a time on one trainer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_set_validation(
    trainer: *mut simdetr_trainer_t,
    images: *const c_char,
    annotations: *const c_char,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(trainer, error, |trainer| {
        let images = optional_text(images, "images")?;
        trainer.validation = match (images, optional_text(annotations, "annotations")?) {
            (Some(images), Some(annotations)) => Some((images.into(), annotations.into())),
            (None, None) => None,
            (Some(_), None) => return Err(alone("images", "annotations")),
            (None, Some(_)) => return Err(alone("annotations", "images")),
        };
        Ok(())
    })
}

fn alone(given: &str, missing: &str) -> Error {
    Error::invalid(missing, format!("NULL, but `{given}` is given; both or none"))
}

/// Says how many rows the last `simdetr_trainer_pretrain` measured: 0 where it was given no true boxes
/// or did not end.
///
/// @param[in] trainer The trainer.
/// @param[out] count The answer.
/// @return A status.
///
/// One thread at a time on one trainer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_measured_count(
    trainer: *const simdetr_trainer_t,
    count: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(trainer, error, |trainer| {
        output(count, "count")?.set(trainer.measured.len());
        Ok(())
    })
}

/// Answers a row of what the last `simdetr_trainer_pretrain` measured: held-out images first; of each
/// kind of images T_0, fixed boxes, then of every stage the detector and its labels.
///
/// @param[in] trainer The trainer.
/// @param[in] index Below the count.
/// @param[in,out] measured `struct_size` must be set; the rest is filled in.
/// @return `SIMDETR_ERROR_INVALID_ARGUMENT` for an index that it does not have.
///
/// One thread at a time on one trainer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_measured(
    trainer: *const simdetr_trainer_t,
    index: usize,
    measured: *mut simdetr_measured_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(trainer, error, |trainer| {
        checked_size(measured.cast_const())?;
        let count = trainer.measured.len();
        let missing = || Error::invalid("index", format!("{index} is not below {count}"));
        let row = trainer.measured.get(index).ok_or_else(missing)?;
        write_struct(measured, &described(row))
    })
}

fn described(row: &MeasuredRow) -> simdetr_measured_t {
    let figures = &row.figures;
    simdetr_measured_t {
        struct_size: size_of::<simdetr_measured_t>(),
        images: match row.images {
            MeasuredImages::HeldOut => SIMDETR_IMAGES_HELD_OUT,
            MeasuredImages::Training => SIMDETR_IMAGES_TRAINING,
        },
        kind: match row.kind {
            MeasuredKind::Proposals => SIMDETR_MEASURED_PROPOSALS,
            MeasuredKind::FixedBoxes => SIMDETR_MEASURED_FIXED_BOXES,
            MeasuredKind::Detector => SIMDETR_MEASURED_DETECTOR,
            MeasuredKind::Labels => SIMDETR_MEASURED_LABELS,
        },
        stage: row.stage.into(),
        boxes_max: u32::try_from(row.boxes_max).unwrap_or(u32::MAX),
        images_count: row.images_count as u64,
        boxes_count: row.boxes_count as u64,
        average_precision: figures.average_precision,
        average_precision_50: figures.average_precision_50,
        recall_1: figures.recall_1,
        recall_10: figures.recall_10,
        recall_25: figures.recall_25,
        recall_100: figures.recall_100,
        own_recall: row.own_recall.unwrap_or(-1.0),
    }
}
