//! What a trainer does: the whole of Algorithm 1, one stage, one relabelling; each can be stopped and
//! goes on with a later call.

use super::declare::versioned;
use super::error::simdetr_error_t;
use super::guard::{guard_handle, guard_handle_mut};
use super::options::{checked_size, wanted, write_struct};
use super::pointers::{optional_text, output, text};
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::trainer::simdetr_trainer_t;
use crate::pipeline::measure::HeldOut;
use crate::pipeline::pretrain::LabelsReport;
use crate::pipeline::pretrainer::StageRequest;
use crate::{Error, Result};
use std::ffi::c_char;
use std::path::Path;

versioned! {
    /// One set of labels of a run.
    pub struct simdetr_labels_t (48 bytes) {
        /// Images of the set.
        pub images_count: u64,
        /// Boxes of all images.
        pub boxes_count: u64,
        /// Class-agnostic average recall with the best 10 boxes of each image; -1 without ground truth.
        pub recall_10: f64,
        /// The same with 25.
        pub recall_25: f64,
        /// The same with 100.
        pub recall_100: f64,
    }
}

versioned! {
    /// What one stage did.
    pub struct simdetr_stage_report_t (32 bytes) {
        /// Optimiser steps of the stage, those of earlier calls included, and those that were spared because
        /// checks on held-out images ended it.
        pub steps_count: u64,
        /// Images of its data set.
        pub images_count: u64,
        /// Boxes of its data set.
        pub boxes_count: u64,
    }
}

versioned! {
    /// What one relabelling did.
    pub struct simdetr_relabel_report_t (32 bytes) {
        /// Images that have labels.
        pub images_count: u64,
        /// Boxes of all images.
        pub boxes_count: u64,
        /// Images that could not be decoded and are left out.
        pub images_broken: u64,
    }
}

/// # Safety
/// The strings are NULL or as [`text`] wants them.
unsafe fn stage_request<'a>(
    run_folder: *const c_char,
    stage: u32,
    annotations: *const c_char,
    images: *const c_char,
) -> Result<StageRequest<'a>> {
    let too_large = |_| Error::invalid("stage", format!("{stage} is over {}", u16::MAX));
    Ok(StageRequest {
        run: Path::new(text(run_folder, "run_folder")?),
        stage: u16::try_from(stage).map_err(too_large)?,
        annotations: Path::new(text(annotations, "annotations")?),
        images: Path::new(text(images, "images")?),
    })
}

/// Runs Algorithm 1: proposals, pseudo-classes (`T0.json`), and in each stage training, the
/// detector's own labels (`T1.json`, ...) and its file, at last `detector.safetensors`
/// (`detector.host` for a detector of the host). A run that was stopped, by a token, a callback, an
/// error or a kill, goes on with the next call, in this process or another, and ends with the bytes
/// of one that was not.
///
/// @param[in] trainer The trainer.
/// @param[in] images Folder of images, searched recursively.
/// @param[in] run_folder Folder of the run; made if it is missing.
/// @param[in] ground_truth COCO file with true boxes, for measuring only
/// (`simdetr_trainer_measured`); NULL for none. `simdetr_trainer_set_validation` names held-out images.
/// @param[in] run Optional. Progress counts "check" (images that are compared with those of an
/// earlier call), "extract", "cluster", "train", "relabel" and, with true boxes, "measure".
/// @return `SIMDETR_ERROR_RUN_MISMATCH` when the folder holds a run of other images, another
/// configuration, other initial weights or another detector, with everything that differs;
/// `SIMDETR_ERROR_LOCKED` while another call or process writes there; `SIMDETR_ERROR_DIVERGED`; what
/// a callback answered.
///
/// One thread at a time on one trainer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_pretrain(
    trainer: *mut simdetr_trainer_t,
    images: *const c_char,
    run_folder: *const c_char,
    ground_truth: *const c_char,
    run: *const simdetr_run_options_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(trainer, error, |trainer| {
        let images = Path::new(text(images, "images")?);
        let folder = Path::new(text(run_folder, "run_folder")?);
        let truth = optional_text(ground_truth, "ground_truth")?.map(Path::new);
        let strict = trainer.strict;
        trainer.labels.clear();
        trainer.measured.clear();
        let validation = trainer.validation.as_ref();
        let held_out = validation.map(|(images, annotations)| HeldOut { images, annotations });
        let report = with_control(run, |control| {
            trainer.pretrainer.pretrain(images, folder, (truth, held_out), strict, control)
        })?;
        (trainer.labels, trainer.measured) = (report.labels, report.measured);
        Ok(())
    })
}

/// Says how many sets of labels the last `simdetr_trainer_pretrain` made: one more than its stages,
/// or 0 when it did not end.
///
/// @param[in] trainer The trainer.
/// @param[out] count The answer.
/// @return A status.
///
/// One thread at a time on one trainer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_labels_count(
    trainer: *const simdetr_trainer_t,
    count: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(trainer, error, |trainer| {
        output(count, "count")?.set(trainer.labels.len());
        Ok(())
    })
}

/// Describes the labels of a stage of the last `simdetr_trainer_pretrain`.
///
/// @param[in] trainer The trainer.
/// @param[in] stage 0 for those of the clusters, T_0.
/// @param[in,out] labels `struct_size` must be set; the rest is filled in.
/// @return `SIMDETR_ERROR_INVALID_ARGUMENT` for a stage that it does not have.
///
/// One thread at a time on one trainer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_labels(
    trainer: *const simdetr_trainer_t,
    stage: u32,
    labels: *mut simdetr_labels_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(trainer, error, |trainer| {
        checked_size(labels.cast_const())?;
        let count = trainer.labels.len();
        let found = trainer.labels.get(stage as usize);
        let missing = || Error::invalid("stage", format!("{stage} is not below {count}"));
        write_struct(labels, &described(found.ok_or_else(missing)?))
    })
}

fn described(labels: &LabelsReport) -> simdetr_labels_t {
    let [recall_10, recall_25, recall_100] = labels.recalls.unwrap_or([-1.0; 3]);
    simdetr_labels_t {
        struct_size: size_of::<simdetr_labels_t>(),
        images_count: labels.images_count as u64,
        boxes_count: labels.boxes_count as u64,
        recall_10,
        recall_25,
        recall_100,
    }
}

/// Trains one stage on a COCO data set, or goes on with it: checkpoints and `metrics.jsonl` in the
/// run folder, the detector at the end as `detector-stageS.safetensors` (`.host`). A stage after the
/// first goes on from the detector of the stage before, unless `pretrain.cold` is set.
///
/// @param[in] trainer The trainer.
/// @param[in] run_folder Folder of the run; made if it is missing.
/// @param[in] stage From 1.
/// @param[in] annotations COCO file, such as `T0.json` of a run or labels of the host's own. From stage
/// 2 on its `score`s, from 0 to 1, count as `criterion.label_score` says; a missing one is 1.
/// @param[in] images Folder of its images.
/// @param[in] run Optional. Progress counts "train".
/// @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
/// @return `SIMDETR_ERROR_RUN_STEP` when the stage before is missing or has not been trained to its
/// end; `SIMDETR_ERROR_RUN_MISMATCH` when the stage was begun on other labels; otherwise as
/// `simdetr_trainer_pretrain`.
///
/// One thread at a time on one trainer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_train(
    trainer: *mut simdetr_trainer_t,
    run_folder: *const c_char,
    stage: u32,
    annotations: *const c_char,
    images: *const c_char,
    run: *const simdetr_run_options_t,
    report: *mut simdetr_stage_report_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(trainer, error, |trainer| {
        let request = stage_request(run_folder, stage, annotations, images)?;
        let write = wanted(report)?;
        let found = with_control(run, |control| trainer.pretrainer.train(&request, control))?;
        write(&simdetr_stage_report_t {
            struct_size: size_of::<simdetr_stage_report_t>(),
            steps_count: found.steps_count as u64,
            images_count: found.images_count as u64,
            boxes_count: found.boxes_count as u64,
        })
    })
}

/// Labels every image of a COCO data set with the detector of a stage: its best boxes without those
/// that overlap better ones, as the table `relabel` of the configuration says. A call that was
/// stopped is gone on with by the next one of the same stage. An image that cannot be decoded is
/// left out, or an error under `loader.strict_images`; one that cannot be read from its disk is
/// always one.
///
/// @param[in] trainer The trainer.
/// @param[in] run_folder Folder of the run in which the stage was trained.
/// @param[in] stage From 1. Its last checkpoint is read unless this trainer holds its detector.
/// @param[in] annotations COCO file that lists images and categories; its boxes do not count.
/// @param[in] images Folder of its images.
/// @param[in] out COCO file to write; replaced as a whole.
/// @param[in] run Optional. Progress counts "relabel".
/// @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
/// @return `SIMDETR_ERROR_OUTPUT`, before the work, for an `out` that is not written: a folder, or
/// read-only; `SIMDETR_ERROR_RUN_STEP` when the stage has not been trained there to its end;
/// `SIMDETR_ERROR_RUN_MISMATCH` when it was trained under another configuration;
/// `SIMDETR_ERROR_LOCKED`; what a callback answered.
///
/// One thread at a time on one trainer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_relabel(
    trainer: *mut simdetr_trainer_t,
    run_folder: *const c_char,
    stage: u32,
    annotations: *const c_char,
    images: *const c_char,
    out: *const c_char,
    run: *const simdetr_run_options_t,
    report: *mut simdetr_relabel_report_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(trainer, error, |trainer| {
        let request = stage_request(run_folder, stage, annotations, images)?;
        let out = Path::new(text(out, "out")?);
        let write = wanted(report)?;
        let found =
            with_control(run, |control| trainer.pretrainer.relabel(&request, out, control))?;
        write(&simdetr_relabel_report_t {
            struct_size: size_of::<simdetr_relabel_report_t>(),
            images_count: found.images_count as u64,
            boxes_count: found.boxes_count as u64,
            images_broken: found.broken.len() as u64,
        })
    })
}
