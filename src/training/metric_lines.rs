//! The lines of `metrics.jsonl`: what each kind holds, and where in the file it belongs.

use super::step::StepReport;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// A step's line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsLine {
    pub stage: u16,
    /// Optimiser steps of the stage that are done.
    pub step: usize,
    /// Weighted sum of all losses of all layers.
    pub loss: f64,
    /// Of the last layer, before its weight.
    pub loss_class: f64,
    /// Of the last layer, before its weight.
    pub loss_l1: f64,
    /// Of the last layer, before its weight.
    pub loss_giou: f64,
    /// Share of the last layer's matched queries whose best class is their target's.
    pub matched_class_accuracy: f64,
    /// Norm of the gradients before clipping.
    pub gradient_norm: f64,
    /// Of the parameters outside the backbone.
    pub learning_rate: f64,
    /// Targets of each training image, mean of the step.
    pub boxes_per_image: f64,
}

impl MetricsLine {
    /// The line of a step.
    pub fn new(
        stage: u16,
        step: usize,
        report: &StepReport,
        rate: f64,
        images: usize,
    ) -> MetricsLine {
        let last = &report.last_layer;
        MetricsLine {
            stage,
            step,
            loss: report.loss,
            loss_class: last.class,
            loss_l1: last.l1,
            loss_giou: last.giou,
            matched_class_accuracy: last.accuracy,
            gradient_norm: report.gradient_norm,
            learning_rate: rate * report.rate_factor,
            boxes_per_image: report.boxes_count as f64 / images.max(1) as f64,
        }
    }
}

/// A check's line in `metrics.jsonl`, behind that of its step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CheckLine {
    pub stage: u16,
    /// Optimiser steps of the stage that are done.
    pub step: usize,
    /// [`super::checks::Check::own_recall`].
    pub held_out_own_recall: f64,
}

/// What was measured after a stage; whoever measures says what that is.
#[derive(Serialize, Deserialize)]
pub(super) struct MeasuredLine<T> {
    pub stage: u16,
    pub measured: T,
}

/// The step of a measured line: behind every other.
pub(super) const MEASURED: usize = usize::MAX;

/// Stage and step of a line of any kind; `None` for what is no line of ours.
pub(super) fn place_of(line: &str) -> Option<(u16, usize)> {
    let of_step = || serde_json::from_str::<MetricsLine>(line).ok();
    let measured = || measured_stage_of(line).map(|stage| (stage, MEASURED));
    let of_check = || check_place_of(line);
    of_step().map(|line| (line.stage, line.step)).or_else(of_check).or_else(measured)
}

/// Stage and step of a check's line; `None` for any other.
pub(super) fn check_place_of(line: &str) -> Option<(u16, usize)> {
    serde_json::from_str::<CheckLine>(line).ok().map(|line| (line.stage, line.step))
}

/// The stage of a measured line; `None` for any other.
pub(super) fn measured_stage_of(line: &str) -> Option<u16> {
    serde_json::from_str::<MeasuredLine<IgnoredAny>>(line).ok().map(|line| line.stage)
}

/// The lines of a file but one that a kill cut short, or that is being written.
pub(super) fn whole_lines(text: &str) -> std::str::Lines<'_> {
    text.rfind('\n').map_or("", |end| &text[..end]).lines()
}
