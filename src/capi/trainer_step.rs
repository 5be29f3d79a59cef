//! Single steps on batches of the host's own: its data loop, the library's detector, losses and
//! optimiser (or, with callbacks, the library's losses alone).

use super::declare::versioned;
use super::error::simdetr_error_t;
use super::guard::guard_handle_mut;
use super::options::wanted;
use super::pointers::{optional, slice, text};
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::targets::{TargetMemory, borrow_targets, simdetr_targets_t};
use super::tensor::{DLTensor, Tensor};
use super::trainer::simdetr_trainer_t;
use crate::data::training::batch::Batch;
use crate::matching::Targets;
use crate::training::step::StepReport;
use crate::{Error, Result, memory};
use std::ffi::c_char;
use std::path::Path;

versioned! {
    /// What one step did.
    pub struct simdetr_step_report_t (80 bytes) {
        /// Weighted sum of all losses of all layers.
        pub loss: f64,
        /// Class loss of the last layer, not weighted, as the next two.
        pub class_loss: f64,
        /// L1 loss of the last layer.
        pub l1_loss: f64,
        /// GIoU loss of the last layer.
        pub giou_loss: f64,
        /// Share of the last layer's matched queries whose best class is their target's.
        pub accuracy: f64,
        /// Norm of the gradients before clipping.
        pub gradient_norm: f64,
        /// The schedule's factor on every learning rate.
        pub rate_factor: f64,
        /// Targets of the step.
        pub boxes_count: u64,
        /// Those that found a query.
        pub pairs_count: u64,
    }
}

fn report_of(report: &StepReport) -> simdetr_step_report_t {
    let last = &report.last_layer;
    simdetr_step_report_t {
        struct_size: size_of::<simdetr_step_report_t>(),
        loss: report.loss,
        class_loss: last.class,
        l1_loss: last.l1,
        giou_loss: last.giou,
        accuracy: last.accuracy,
        gradient_norm: report.gradient_norm,
        rate_factor: report.rate_factor,
        boxes_count: report.boxes_count as u64,
        pairs_count: report.pairs_count as u64,
    }
}

/// Begins a loop of the host's own: a detector at the start of a run, step 0.
///
/// @param[in] trainer The trainer.
/// @param[in] classes_count Classes of the targets.
/// @param[in] steps_count Steps that will be taken: what the learning rate's schedule counts with.
/// @return `SIMDETR_ERROR_INVALID_ARGUMENT` for a count of 0; what a callback answered.
///
/// One thread at a time on one trainer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_begin(
    trainer: *mut simdetr_trainer_t,
    classes_count: usize,
    steps_count: u64,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(trainer, error, |trainer| {
        let too_large = |_| Error::invalid("steps_count", format!("{steps_count} is too large"));
        let steps_count = usize::try_from(steps_count).map_err(too_large)?;
        trainer.pretrainer.begin(classes_count, steps_count)
    })
}

/// Takes one step of the loop that `simdetr_trainer_begin` began: forward, losses, backward, update.
///
/// @param[in] trainer The trainer.
/// @param[in] images f32 `[N, 3, H, W]` or `[N, H, W, 3]`, any positive strides, normalised by the
/// encoder's mean and deviation; copied.
/// @param[in] sizes `[N, 2]`: height and width of each image without its padding, which lies at the
/// right and below and is taken for 0. NULL: no image is padded.
/// @param[in] targets What the images hold.
/// @param[in] run Optional: a token that is set keeps the step from beginning.
/// @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
/// @return `SIMDETR_ERROR_DIVERGED` for losses or gradients that are not finite;
/// `SIMDETR_ERROR_INVALID_ARGUMENT` before `simdetr_trainer_begin` and after the last step. A step
/// that failed changed nothing and may be taken again.
///
/// One thread at a time on one trainer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_step(
    trainer: *mut simdetr_trainer_t,
    images: *const DLTensor,
    sizes: *const u32,
    targets: *const simdetr_targets_t,
    run: *const simdetr_run_options_t,
    report: *mut simdetr_step_report_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(trainer, error, |trainer| {
        let images = Tensor::<f32>::borrow(images, "images")?;
        let axes = axes_of(&images)?;
        let count = images.size(0);
        let sizes = optional(sizes, |sizes| slice::<[u32; 2]>(sizes.cast(), count, "sizes"))?;
        let mut memory = TargetMemory::default();
        let classes_count = trainer.pretrainer.loop_classes();
        let known = classes_count.as_ref().copied().unwrap_or(usize::MAX);
        let (targets, _) = borrow_targets(targets, &mut memory, known)?;
        classes_count?;
        let write = wanted(report)?;
        gather(&mut trainer.batch, (&images, axes), sizes, &targets)?;
        let (pretrainer, batch) = (&mut trainer.pretrainer, &trainer.batch);
        let found = with_control(run, |_| pretrainer.step(batch))?;
        write(&report_of(&found))
    })
}

/// Writes the detector of the loop, as it is now: `STEM.safetensors` for the built-in one, which
/// `simdetr predict` reads, `STEM.host` for one of the host.
///
/// @param[in] trainer The trainer.
/// @param[in] stem Path without its ending.
/// @return `SIMDETR_ERROR_INVALID_ARGUMENT` before `simdetr_trainer_begin`; what a callback answered.
///
/// One thread at a time on one trainer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_write_detector(
    trainer: *mut simdetr_trainer_t,
    stem: *const c_char,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(trainer, error, |trainer| {
        let stem = Path::new(text(stem, "stem")?);
        trainer.pretrainer.write_detector(stem).map(drop)
    })
}

/// Axes of images, rows, columns and channels.
fn axes_of(images: &Tensor<'_, f32>) -> Result<[usize; 4]> {
    match *images.shape {
        [count, 3, height, width] if count * height * width > 0 => Ok([0, 2, 3, 1]),
        [count, height, width, 3] if count * height * width > 0 => Ok([0, 1, 2, 3]),
        _ => {
            let got = format!("{:?}", images.shape);
            Err(Error::shape("images", "[N, 3, H, W] or [N, H, W, 3], none of them 0", got))
        }
    }
}

/// Puts the host's images and targets into a batch.
fn gather(
    batch: &mut Batch,
    (images, axes): (&Tensor<'_, f32>, [usize; 4]),
    sizes: Option<&[[u32; 2]]>,
    targets: &Targets<'_>,
) -> Result<()> {
    let [count, height, width, _] = axes.map(|axis| images.size(axis));
    let whole = || Error::shape("images", "sides below 2^32", format!("{height} x {width}"));
    let full = [height, width].map(u32::try_from);
    let [Ok(rows), Ok(columns)] = full else { return Err(whole()) };
    if targets.batch() != count {
        let expected = format!("counts of {count} images");
        return Err(Error::shape("targets", expected, targets.batch()));
    }
    batch.sizes.clear();
    match sizes {
        None => batch.sizes.resize(count, [rows, columns]),
        Some(sizes) => batch.sizes.extend_from_slice(sizes),
    }
    let outside =
        |size: &&[u32; 2]| !(1..=rows).contains(&size[0]) || !(1..=columns).contains(&size[1]);
    if let Some(size) = batch.sizes.iter().find(outside) {
        let expected = format!("sides from 1 to {rows} and {columns}");
        return Err(Error::shape("sizes", expected, format!("{size:?}")));
    }
    (batch.height, batch.width) = (height, width);
    batch.maps.clear();
    memory::reserve(&mut batch.maps, count * height * width * 3, "a copy of the images")?;
    for image in 0..count {
        let [below, beside] = batch.sizes[image].map(|side| side as usize);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let inside = y < below && x < beside;
            let value = |channel| images.at(axes, [image, y, x, channel]);
            batch.maps.extend([0, 1, 2].map(|channel| if inside { value(channel) } else { 0.0 }));
        }
    }
    batch.boxes.clear();
    batch.classes.clear();
    batch.scores.clear();
    batch.offsets.clear();
    batch.offsets.push(0);
    for image in 0..count {
        let found = targets.of_image(image);
        batch.boxes.extend_from_slice(found.boxes);
        batch.classes.extend_from_slice(found.classes);
        batch.scores.extend((0..found.boxes.len()).map(|target| found.score(target)));
        batch.offsets.push(batch.boxes.len());
    }
    Ok(())
}
