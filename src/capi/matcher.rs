//! `simdetr_matcher_t`: which query answers for which target, and assignment of plain matrices.

use super::declare::{handle, initialiser, memory_bytes, options};
use super::error::simdetr_error_t;
use super::guard::{Poison, guard, guard_handle, guard_handle_mut, into_handle};
use super::options::copy_options;
use super::pointers::{OutputArray, optional, output, output_array, slice};
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::targets::{
    CLASS_LOSSES, TargetMemory, array_predictions, borrow_predictions, borrow_targets, partner,
    simdetr_targets_t,
};
use super::tensor::{DLTensor, Tensor};
use super::workers::{simdetr_parallel_for_fn_t, workers};
use crate::matching::input::PredictionsShape;
use crate::matching::{BatchAssigner, Matcher, MatcherConfig, Predictions};
use crate::workers::Workers;
use crate::{Error, Result};
use std::ffi::c_void;

/// Matches targets to queries. Matching needs exclusion; assignment of plain matrices may run at
/// the same time.
pub struct simdetr_matcher_t {
    matcher: Matcher,
    config: MatcherConfig,
    assigner: BatchAssigner,
    targets: TargetMemory,
    workers: Workers,
    poison: Poison,
}

options! {
    /// What a pair costs. Zero in a field is its default.
    pub struct simdetr_matcher_options_t (64 bytes) {
        /// `SIMDETR_MATCHER_SET_*` of the fields whose zero is meant.
        pub set_mask: u64 => apart,
        /// `SIMDETR_CLASS_LOSS_*`.
        pub class_loss: i32 => one of CLASS_LOSSES,
        /// Weight of the class cost; 0 is 2 unless its bit is set.
        pub class_cost: f32 => bit SIMDETR_MATCHER_SET_CLASS_COST = 1,
        /// Weight of the L1 distance of boxes; 0 is 5 unless its bit is set.
        pub l1_cost: f32 => bit SIMDETR_MATCHER_SET_L1_COST = 2,
        /// Weight of the negative GIoU; 0 is 2 unless its bit is set.
        pub giou_cost: f32 => bit SIMDETR_MATCHER_SET_GIOU_COST = 4,
        /// Share of the positive term of the focal cost; 0 is 0.25 unless its bit is set.
        pub focal_alpha: f32 => bit SIMDETR_MATCHER_SET_FOCAL_ALPHA = 8,
        /// Exponent of the focal cost; 0 is 2 unless its bit is set.
        pub focal_gamma: f32 => bit SIMDETR_MATCHER_SET_FOCAL_GAMMA = 16,
        /// 0 is one for each processor.
        pub threads: u32 => apart,
        /// Must be 0.
        pub reserved: u32 => reserved,
        /// The host's job system instead of threads of the library; NULL for none. `threads` then says
        /// how many tasks it runs at once.
        pub parallel_for: simdetr_parallel_for_fn_t => apart,
        /// First argument of `parallel_for`.
        pub parallel_for_user_data: *mut c_void => apart,
    }
}

initialiser!(simdetr_matcher_options_init, options, simdetr_matcher_options_t);

/// Makes a matcher.
///
/// @param[in] options NULL is all defaults.
/// @param[out] out The matcher, to be given to `simdetr_matcher_destroy`.
/// @return A status.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_matcher_create(
    options: *const simdetr_matcher_options_t,
    out: *mut *mut simdetr_matcher_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (out, given) = (output(out, "out")?, copy_options(options)?);
        let config: MatcherConfig = given.keys()?.finish()?;
        let workers = workers(given.threads, given.parallel_for, given.parallel_for_user_data)?;
        out.set(into_handle(simdetr_matcher_t {
            matcher: Matcher::new(config.clone())?,
            config,
            assigner: BatchAssigner::new(),
            targets: TargetMemory::default(),
            workers,
            poison: Poison::default(),
        }));
        Ok(())
    })
}

handle!(simdetr_matcher_t, matcher, simdetr_matcher_destroy, "Destroys a matcher.");

memory_bytes!(
    simdetr_matcher_t,
    matcher,
    simdetr_matcher_memory_bytes,
    "Says how many bytes a matcher holds between calls.",
    "The answer."
);

impl simdetr_matcher_t {
    fn memory_bytes(&self) -> usize {
        let targets = self.targets.memory_bytes();
        let held = self.matcher.memory_bytes() + self.assigner.memory_bytes() + targets;
        size_of::<simdetr_matcher_t>() + held
    }
}

/// Finds, for each image of each decoder layer, the pairs of target and query of least total
/// cost: as many as the image has targets, or as there are queries where that is less. An image
/// is matched with its own targets only.
///
/// @param[in] matcher The matcher.
/// @param[in] logits f32 `[layers, batch, queries, classes]`, dense; under
/// `SIMDETR_CLASS_LOSS_SOFTMAX` with "no object" as the last class.
/// @param[in] boxes f32 `[layers, batch, queries, 4]`, dense: center x, center y, width, height,
/// divided by the size of the un-padded image.
/// @param[in] targets What the images hold.
/// @param[in] run Optional.
/// @param[out] queries i32 `[layers, targets_count]`, dense: the query of each target, or -1 where
/// an image has more targets than there are queries, or where `box_policy` leaves the target out.
/// @param[out] unmatched_count Number of -1; may be NULL.
/// @return `SIMDETR_ERROR_NON_FINITE` with layer, image and query of a NaN.
///
/// One thread at a time on one matcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_matcher_match(
    matcher: *mut simdetr_matcher_t,
    logits: *const DLTensor,
    boxes: *const DLTensor,
    targets: *const simdetr_targets_t,
    run: *const simdetr_run_options_t,
    queries: *const DLTensor,
    unmatched_count: *mut u64,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(matcher, error, |matcher| {
        let predictions = borrow_predictions(logits, boxes)?;
        let answer = Tensor::<i32>::borrow(queries, "queries")?;
        matcher.run(&predictions, targets, run, unmatched_count, |shape| {
            answer.output("queries", &shape.map(|size| size as i64))
        })
    })
}

/// `simdetr_matcher_match` for plain arrays.
///
/// @param[in] matcher The matcher.
/// @param[in] logits `[layers, batch, queries_count, classes]`.
/// @param[in] boxes `[layers, batch, queries_count, 4]`.
/// @param[in] layers Decoder layers.
/// @param[in] batch Images.
/// @param[in] queries_count Queries of an image.
/// @param[in] classes Logits of a query.
/// @param[in] targets What the images hold.
/// @param[in] run Optional.
/// @param[out] queries `[layers, targets_count]`: the query of each target, or -1.
/// @param[out] unmatched_count Number of -1; may be NULL.
/// @return `SIMDETR_ERROR_NON_FINITE` with layer, image and query of a NaN.
///
/// One thread at a time on one matcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_matcher_match_f32(
    matcher: *mut simdetr_matcher_t,
    logits: *const f32,
    boxes: *const f32,
    layers: usize,
    batch: usize,
    queries_count: usize,
    classes: usize,
    targets: *const simdetr_targets_t,
    run: *const simdetr_run_options_t,
    queries: *mut i32,
    unmatched_count: *mut u64,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(matcher, error, |matcher| {
        let shape = PredictionsShape { layers, batch, queries: queries_count, classes };
        let predictions = array_predictions(logits, boxes, shape)?;
        matcher.run(&predictions, targets, run, unmatched_count, |[layers, targets]| {
            output_array(queries, layers.saturating_mul(targets), "queries")
        })
    })
}

impl simdetr_matcher_t {
    /// Matches, and writes what `answer` gives room for.
    ///
    /// # Safety
    /// `targets`, `run` and `unmatched_count` are as the header says.
    unsafe fn run<'a>(
        &mut self,
        predictions: &Predictions<'_>,
        targets: *const simdetr_targets_t,
        run: *const simdetr_run_options_t,
        unmatched_count: *mut u64,
        answer: impl FnOnce([usize; 2]) -> Result<OutputArray<'a, i32>>,
    ) -> Result<()> {
        let shape = predictions.shape();
        let classes_count = self.config.class_loss.classes_of(shape.classes);
        let (targets, total) = borrow_targets(targets, &mut self.targets, classes_count)?;
        let answer = answer([shape.layers, total])?;
        let count = optional(unmatched_count, |count| output(count.cast_mut(), "unmatched_count"))?;
        let (matcher, workers) = (&mut self.matcher, &self.workers);
        let found = with_control(run, |_| matcher.run(predictions, &targets, workers))?;
        answer.fill_from(self.targets.partners(found));
        if let Some(count) = count {
            let left_out = shape.layers * self.targets.left_out();
            count.set((found.unmatched_count() + left_out) as u64);
        }
        Ok(())
    }

    /// Solves a batch of problems.
    fn assign(
        &self,
        costs: &[f32],
        shape: [usize; 3],
        run: *const simdetr_run_options_t,
        answer: OutputArray<'_, i32>,
    ) -> Result<()> {
        let mut found = vec![0; answer.len()];
        // SAFETY: the two callers were promised it.
        unsafe {
            with_control(run, |_| self.assigner.assign(costs, shape, &mut found, &self.workers))
        }?;
        answer.fill_from(found.into_iter().map(partner));
        Ok(())
    }
}

/// Solves assignment problems exactly: for each, as many pairs of row and column as the shorter
/// side has, at the least sum of costs.
///
/// @param[in] matcher The matcher; its options do not matter, apart from the threads.
/// @param[in] costs f32 `[problems, rows, columns]`, dense; finite.
/// @param[in] run Optional.
/// @param[out] columns i32 `[problems, rows]`, dense: the column of each row, or -1 for the rows
/// that find none because there are fewer columns.
/// @return `SIMDETR_ERROR_NON_FINITE` with problem, row and column of a NaN or an infinity.
///
/// May run at the same time as other functions that take the matcher `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_matcher_assign(
    matcher: *const simdetr_matcher_t,
    costs: *const DLTensor,
    run: *const simdetr_run_options_t,
    columns: *const DLTensor,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(matcher, error, |matcher| {
        let costs = Tensor::<f32>::borrow(costs, "costs")?;
        let answer = Tensor::<i32>::borrow(columns, "columns")?;
        let [problems, rows, _] = *costs.shape else {
            let got = format!("{:?}", costs.shape);
            return Err(Error::shape("costs", "[problems, rows, columns]", got));
        };
        let shape = [0, 1, 2].map(|axis| costs.size(axis));
        let answer = answer.output("columns", &[problems, rows])?;
        matcher.assign(costs.dense("costs")?, shape, run, answer)
    })
}

/// `simdetr_matcher_assign` for plain arrays.
///
/// @param[in] matcher The matcher.
/// @param[in] costs `[problems_count, rows_count, columns_count]`; finite.
/// @param[in] problems_count Number of problems.
/// @param[in] rows_count Rows of each.
/// @param[in] columns_count Columns of each.
/// @param[in] run Optional.
/// @param[out] columns `[problems_count, rows_count]`: the column of each row, or -1.
/// @return `SIMDETR_ERROR_NON_FINITE` with problem, row and column of a NaN or an infinity.
///
/// May run at the same time as other functions that take the matcher `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_matcher_assign_f32(
    matcher: *const simdetr_matcher_t,
    costs: *const f32,
    problems_count: usize,
    rows_count: usize,
    columns_count: usize,
    run: *const simdetr_run_options_t,
    columns: *mut i32,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(matcher, error, |matcher| {
        let shape = [problems_count, rows_count, columns_count];
        let all_rows = problems_count.saturating_mul(rows_count);
        let costs = slice(costs, all_rows.saturating_mul(columns_count), "costs")?;
        let answer = output_array(columns, all_rows, "columns")?;
        matcher.assign(costs, shape, run, answer)
    })
}
