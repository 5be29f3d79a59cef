//! `simdetr_criterion_t`: losses of every decoder layer, and gradients written into the host's
//! tensors.

use super::declare::{choices, handle, initialiser, memory_bytes, options, versioned};
use super::error::simdetr_error_t;
use super::guard::{Poison, guard, guard_handle_mut, into_handle};
use super::options::{copy_options, wanted};
use super::pointers::{OutputArray, output, output_array};
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::targets::{
    CLASS_LOSSES, TargetMemory, array_predictions, borrow_predictions, borrow_targets, counts_of,
    simdetr_targets_t,
};
use super::tensor::{DLTensor, Tensor};
use super::workers::{simdetr_parallel_for_fn_t, workers};
use crate::criterion::{Criterion, Gradients, Losses};
use crate::matching::Predictions;
use crate::matching::input::PredictionsShape;
use crate::workers::Workers;
use crate::{Error, Result};
use std::ffi::c_void;
use std::ops::Range;

choices! {
    LABEL_SCORES: &str {
        /// Scores of targets count for nothing; the default.
        SIMDETR_LABEL_SCORE_IGNORE = 1 => "ignore",
        /// The probability of a matched query's class is to be the target's score, not 1.
        SIMDETR_LABEL_SCORE_SOFT_TARGET = 2 => "soft_target",
        /// Losses of a matched query are multiplied by the target's score, and the number of boxes that losses
        /// are divided by becomes the sum of the scores.
        SIMDETR_LABEL_SCORE_WEIGHT = 3 => "weight",
    }
    CLASS_TARGETS: &str {
        /// The probability of a matched query's class is to be 1; the default.
        SIMDETR_CLASS_TARGET_ONE = 1 => "one",
        /// The probability of a matched query's class is to be the IoU of its box with the target.
        SIMDETR_CLASS_TARGET_IOU = 2 => "iou",
    }
}

/// Numbers that `simdetr_criterion_layer_losses` gives for each layer.
pub const SIMDETR_LAYER_LOSSES_COUNT: usize = 4;

/// Matching, losses and gradients. Evaluating needs exclusion; everything that takes the criterion
/// `const` may run at the same time.
pub struct simdetr_criterion_t {
    pub(super) criterion: Criterion,
    pub(super) targets: TargetMemory,
    workers: Workers,
    poison: Poison,
}

options! {
    /// What is lost how. Zero in a field is its default.
    pub struct simdetr_criterion_options_t (88 bytes, first without label_score) {
        /// `SIMDETR_CRITERION_SET_*` of the fields whose zero is meant.
        pub set_mask: u64 => apart,
        /// `SIMDETR_CLASS_LOSS_*`.
        pub class_loss: i32 => one of CLASS_LOSSES,
        /// Weight of the class cost in the matching; 0 is 2 unless its bit is set.
        pub class_cost: f32 => bit SIMDETR_CRITERION_SET_CLASS_COST = 1,
        /// Weight of the L1 distance in the matching; 0 is 5 unless its bit is set.
        pub l1_cost: f32 => bit SIMDETR_CRITERION_SET_L1_COST = 2,
        /// Weight of the negative GIoU in the matching; 0 is 2 unless its bit is set.
        pub giou_cost: f32 => bit SIMDETR_CRITERION_SET_GIOU_COST = 4,
        /// Weight of the class loss; 0 is 2 unless its bit is set.
        pub class_weight: f32 => bit SIMDETR_CRITERION_SET_CLASS_WEIGHT = 8,
        /// Weight of the L1 loss; 0 is 5 unless its bit is set.
        pub l1_weight: f32 => bit SIMDETR_CRITERION_SET_L1_WEIGHT = 16,
        /// Weight of the GIoU loss; 0 is 2 unless its bit is set.
        pub giou_weight: f32 => bit SIMDETR_CRITERION_SET_GIOU_WEIGHT = 32,
        /// Share of the positive term of the focal loss; 1 minus it is the weight of the background in the
        /// varifocal one. 0 is 0.25 unless its bit is set.
        pub focal_alpha: f32 => bit SIMDETR_CRITERION_SET_FOCAL_ALPHA = 64,
        /// Exponent of the focal loss; 0 is 2 unless its bit is set.
        pub focal_gamma: f32 => bit SIMDETR_CRITERION_SET_FOCAL_GAMMA = 128,
        /// Weight of queries without a target under softmax; 0 is 0.1 unless its bit is set, with which
        /// they do not count.
        pub no_object_weight: f32 => bit SIMDETR_CRITERION_SET_NO_OBJECT_WEIGHT = 256,
        /// 0 is one for each processor.
        pub threads: u32 => apart,
        /// Must be 0.
        pub reserved: u32 => reserved,
        /// The host's job system instead of threads of the library; NULL for none. `threads` then says
        /// how many tasks it runs at once.
        pub parallel_for: simdetr_parallel_for_fn_t => apart,
        /// First argument of `parallel_for`.
        pub parallel_for_user_data: *mut c_void => apart,
        /// `SIMDETR_LABEL_SCORE_*`: how `simdetr_targets_t.scores` enter.
        pub label_score: i32 => one of LABEL_SCORES,
        /// `SIMDETR_CLASS_TARGET_*`; times the score under `SIMDETR_LABEL_SCORE_SOFT_TARGET`. Where it is
        /// not 1, focal loss is quality focal loss.
        pub class_target: i32 => one of CLASS_TARGETS,
    }
}

versioned! {
    /// What one evaluation found.
    pub struct simdetr_losses_t (72 bytes) {
        /// Weighted sum over all layers: what the gradients belong to.
        pub total: f64,
        /// What losses were divided by: boxes, or the sum of their scores under
        /// `SIMDETR_LABEL_SCORE_WEIGHT`.
        pub boxes_count: f64,
        /// Class loss of the last layer, not weighted, as the next two.
        pub class_loss: f64,
        /// L1 loss of the last layer.
        pub l1_loss: f64,
        /// GIoU loss of the last layer.
        pub giou_loss: f64,
        /// Share of the last layer's matched queries whose best class is their target's.
        pub accuracy: f64,
        /// Pairs of target and query in each layer.
        pub pairs_count: u64,
        /// Targets of each layer that found no query, those that a `box_policy` left out not counted.
        pub unmatched_count: u64,
    }
}

initialiser!(simdetr_criterion_options_init, options, simdetr_criterion_options_t);

/// Makes a criterion.
///
/// @param[in] options NULL is all defaults.
/// @param[out] out The criterion, to be given to `simdetr_criterion_destroy`.
/// @return A status.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_criterion_create(
    options: *const simdetr_criterion_options_t,
    out: *mut *mut simdetr_criterion_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (out, given) = (output(out, "out")?, copy_options(options)?);
        let criterion = Criterion::new(given.keys()?.finish()?)?;
        let workers = workers(given.threads, given.parallel_for, given.parallel_for_user_data)?;
        let (targets, poison) = (TargetMemory::default(), Poison::default());
        out.set(into_handle(simdetr_criterion_t { criterion, targets, workers, poison }));
        Ok(())
    })
}

handle!(simdetr_criterion_t, criterion, simdetr_criterion_destroy, "Destroys a criterion.");

memory_bytes!(
    simdetr_criterion_t,
    criterion,
    simdetr_criterion_memory_bytes,
    "Says how many bytes a criterion holds between calls.",
    "The answer."
);

impl simdetr_criterion_t {
    fn memory_bytes(&self) -> usize {
        let held = self.criterion.memory_bytes() + self.targets.memory_bytes();
        size_of::<simdetr_criterion_t>() + held
    }
}

/// Matches every layer, and computes the losses and the gradients of their weighted sum. Once
/// sizes repeat, `threads = 1` allocates nothing.
///
/// @param[in] criterion The criterion.
/// @param[in] logits f32 `[layers, batch, queries, classes]`, dense, the decoder's last layer
/// last; under `SIMDETR_CLASS_LOSS_SOFTMAX` with "no object" as the last class.
/// @param[in] boxes f32 `[layers, batch, queries, 4]`, dense: center x, center y, width, height,
/// divided by the size of the un-padded image.
/// @param[in] targets What the images hold.
/// @param[in] boxes_count What losses are divided by: in a run of several processes the mean number
/// of targets of a process, or of the sum of their scores under `SIMDETR_LABEL_SCORE_WEIGHT`. 0 is
/// that of this call; under 1 counts as 1.
/// @param[in] run Optional.
/// @param[out] logits_gradient As `logits`, in other memory.
/// @param[out] boxes_gradient As `boxes`, in other memory.
/// @param[in,out] losses `struct_size` must be set, the rest is filled in; may be NULL.
/// @return `SIMDETR_ERROR_NON_FINITE` with layer, image and query of a NaN.
///
/// One thread at a time on one criterion.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_criterion_evaluate(
    criterion: *mut simdetr_criterion_t,
    logits: *const DLTensor,
    boxes: *const DLTensor,
    targets: *const simdetr_targets_t,
    boxes_count: f32,
    run: *const simdetr_run_options_t,
    logits_gradient: *const DLTensor,
    boxes_gradient: *const DLTensor,
    losses: *mut simdetr_losses_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(criterion, error, |criterion| {
        let predictions = borrow_predictions(logits, boxes)?;
        let PredictionsShape { layers, batch, queries, classes } = predictions.shape();
        let output = |tensor, name, last| {
            let shape = [layers, batch, queries, last].map(|size| size as i64);
            Tensor::<f32>::borrow(tensor, name)?.output(name, &shape)
        };
        let logits = output(logits_gradient, "logits_gradient", classes)?;
        let boxes = output(boxes_gradient, "boxes_gradient", 4)?;
        let given = (targets, boxes_count, run);
        criterion.evaluate(&predictions, given, [logits, boxes], losses)
    })
}

/// `simdetr_criterion_evaluate` for plain arrays.
///
/// @param[in] criterion The criterion.
/// @param[in] logits `[layers, batch, queries, classes]`.
/// @param[in] boxes `[layers, batch, queries, 4]`.
/// @param[in] layers Decoder layers.
/// @param[in] batch Images.
/// @param[in] queries Queries of an image.
/// @param[in] classes Logits of a query.
/// @param[in] targets What the images hold.
/// @param[in] boxes_count What losses are divided by; 0 is what belongs to this call.
/// @param[in] run Optional.
/// @param[out] logits_gradient As `logits`, in other memory.
/// @param[out] boxes_gradient As `boxes`, in other memory.
/// @param[in,out] losses `struct_size` must be set, the rest is filled in; may be NULL.
/// @return `SIMDETR_ERROR_NON_FINITE` with layer, image and query of a NaN.
///
/// One thread at a time on one criterion.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_criterion_evaluate_f32(
    criterion: *mut simdetr_criterion_t,
    logits: *const f32,
    boxes: *const f32,
    layers: usize,
    batch: usize,
    queries: usize,
    classes: usize,
    targets: *const simdetr_targets_t,
    boxes_count: f32,
    run: *const simdetr_run_options_t,
    logits_gradient: *mut f32,
    boxes_gradient: *mut f32,
    losses: *mut simdetr_losses_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(criterion, error, |criterion| {
        let shape = PredictionsShape { layers, batch, queries, classes };
        let predictions = array_predictions(logits, boxes, shape)?;
        let (logits_count, boxes_total) = counts_of(shape)?;
        let logits = output_array(logits_gradient, logits_count, "logits_gradient")?;
        let boxes = output_array(boxes_gradient, boxes_total, "boxes_gradient")?;
        let given = (targets, boxes_count, run);
        criterion.evaluate(&predictions, given, [logits, boxes], losses)
    })
}

impl simdetr_criterion_t {
    /// The gradients have the predictions' sizes. They are untouched unless nothing can fail any
    /// more; the zeros that they then get first cost one pass over them.
    ///
    /// # Safety
    /// Everything is as the header says.
    unsafe fn evaluate(
        &mut self,
        predictions: &Predictions<'_>,
        (targets, boxes_count, run): (*const simdetr_targets_t, f32, *const simdetr_run_options_t),
        [logits_gradient, boxes_gradient]: [OutputArray<'_, f32>; 2],
        losses: *mut simdetr_losses_t,
    ) -> Result<()> {
        let shape = predictions.shape();
        check_disjoint(predictions, &logits_gradient, &boxes_gradient)?;
        let class_loss = self.criterion.config().class_loss;
        let classes_count = class_loss.classes_of(shape.classes);
        let write = wanted(losses)?;
        let (targets, _) = borrow_targets(targets, &mut self.targets, classes_count)?;
        let boxes_count = Some(boxes_count).filter(|&count| count != 0.0);
        let (criterion, workers) = (&mut self.criterion, &self.workers);
        let found = with_control(run, |_| {
            let gradients =
                || Gradients { logits: logits_gradient.zeroed(), boxes: boxes_gradient.zeroed() };
            criterion.evaluate_into(predictions, &targets, boxes_count, gradients, workers)
        })?;
        write(&losses_of(found))
    }
}

/// # Errors
/// [`Error::InvalidArgument`] when a gradient lies over what is read or over the other.
fn check_disjoint(
    predictions: &Predictions<'_>,
    logits_gradient: &OutputArray<'_, f32>,
    boxes_gradient: &OutputArray<'_, f32>,
) -> Result<()> {
    let addresses = |values: &[f32]| {
        let range = values.as_ptr_range();
        range.start.addr()..range.end.addr()
    };
    let (logits, boxes) = predictions.values();
    let (logits, boxes) = (("logits", addresses(logits)), ("boxes", addresses(boxes)));
    let written = [("logits_gradient", logits_gradient), ("boxes_gradient", boxes_gradient)]
        .map(|(name, array)| (name, array.addresses()));
    let overlaps = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
    let [first, second] = &written;
    for (name, range) in &written {
        for (other, place) in [&logits, &boxes, if *name == first.0 { second } else { first }] {
            if overlaps(range, place) {
                return Err(Error::invalid(*name, format!("shares memory with {other}")));
            }
        }
    }
    Ok(())
}

fn losses_of(found: &Losses) -> simdetr_losses_t {
    let last = found.layers.last().copied().unwrap_or_default();
    simdetr_losses_t {
        struct_size: size_of::<simdetr_losses_t>(),
        total: found.total,
        boxes_count: found.boxes_count,
        class_loss: last.class,
        l1_loss: last.l1,
        giou_loss: last.giou,
        accuracy: last.accuracy,
        pairs_count: found.pairs_count as u64,
        unmatched_count: found.unmatched_count as u64,
    }
}
