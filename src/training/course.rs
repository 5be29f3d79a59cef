//! What stands between two steps of a stage: lines of metrics, checks on held-out images, checkpoints,
//! and, where checks decide, the end of the stage with the weights of the best of them.
//!
//! A stage that ends before its last step still leaves a checkpoint that is named after that step, as
//! a stage of all steps does: whoever asks for a stage's last checkpoint, or whether it is whole, need
//! not know of checks. The checkpoint of the best check stays until then, however few are kept.

use super::checkpoint::Position;
use super::checkpoint_files::{Keep, prune};
use super::checks::{Check, are_over, best};
use super::metric_lines::{CheckLine, MetricsLine};
use super::metrics::Metrics;
use super::own_recall::HeldOutImages;
use super::stage_config::{StageConfig, StagePaths};
use super::step::StepReport;
use super::trainable::TrainableDetector;
use crate::Result;
use crate::control::Control;

/// A stage on its way.
pub(super) struct Course<'a> {
    pub(super) detector: &'a mut dyn TrainableDetector,
    pub(super) config: &'a StageConfig,
    pub(super) paths: &'a StagePaths,
    pub(super) control: &'a Control<'a>,
    /// Steps of the whole stage.
    pub(super) steps_count: usize,
    pub(super) metrics: Metrics,
    pub(super) held_out: Option<HeldOutImages>,
    /// Those so far, in order.
    pub(super) checks: Vec<Check>,
}

impl Course<'_> {
    /// Whether the checks end the stage.
    pub(super) fn is_over(&self) -> bool {
        are_over(&self.checks, self.config.training.patience_checks)
    }

    /// After `done` steps, of which `report` is the last: its line, check and checkpoint, where they
    /// are due.
    ///
    /// # Errors
    /// Those of [`HeldOutImages::recall`], of the detector and of pruning; [`crate::Error::Io`].
    pub(super) fn after_step(&mut self, done: usize, report: &StepReport) -> Result<()> {
        let (training, stage) = (&self.config.training, self.config.stage);
        let is_last = done == self.steps_count;
        let is_due = |steps: usize| steps != 0 && done.is_multiple_of(steps);
        let is_checked = self.held_out.is_some() && (is_due(training.check_steps) || is_last);
        let is_kept = is_checked || is_due(training.checkpoint_steps);
        if is_due(training.metrics_steps) || is_last {
            let (rate, images) = (training.learning_rate, training.batch_size);
            self.metrics.write(&MetricsLine::new(stage, done, report, rate, images))?;
        }
        if is_checked {
            self.check(done)?;
        }
        match (is_last, is_kept) {
            (true, _) => self.end(done),
            (false, true) => self.save(done),
            (false, false) => Ok(()),
        }
    }

    /// Measures the detector on the held-out images.
    fn check(&mut self, step: usize) -> Result<()> {
        let Some(images) = &mut self.held_out else { return Ok(()) };
        let own_recall = images.recall(self.detector, (step, self.steps_count), self.control)?;
        self.checks.push(Check { step, own_recall });
        let stage = self.config.stage;
        self.metrics.write(&CheckLine { stage, step, held_out_own_recall: own_recall })
    }

    /// Ends the stage after `done` steps with its last checkpoint: with the weights of the best check
    /// where checks decide.
    ///
    /// # Errors
    /// Those of the detector; [`crate::Error::Io`].
    pub(super) fn end(&mut self, done: usize) -> Result<()> {
        if let Some(best) = deciding(&self.checks, self.config).filter(|best| best.step != done) {
            let (stage, all) = (self.config.stage, self.steps_count);
            let Check { step, own_recall } = best;
            let patience = self.config.training.patience_checks;
            log::info!(
                "stage {stage} ends after step {done} of {all} with the weights of step {step}: \
                 recall of the held-out images' own labels was {own_recall:.4} there and no better \
                 since (patience_checks = {patience})"
            );
            let first = self.detector.checkpoint_extensions()[0];
            let path = self.paths.checkpoint(stage, step, first);
            self.detector.load(&path, &self.config.settings)?;
        }
        self.save(self.steps_count)
    }

    /// Writes the checkpoint of a step; older ones go.
    fn save(&mut self, step: usize) -> Result<()> {
        let StageConfig { stage, settings, .. } = self.config;
        let (stage, settings, checks) = (*stage, settings.clone(), self.checks.clone());
        let position = Position { stage, step, settings, checks };
        let extensions = self.detector.checkpoint_extensions();
        self.detector.save(&self.paths.checkpoint(stage, step, extensions[0]), &position)?;
        prune_to(&position, self.steps_count, self.config, self.paths, extensions)
    }
}

/// The best check, where checks decide how a stage ends.
fn deciding(checks: &[Check], config: &StageConfig) -> Option<Check> {
    best(checks).filter(|_| config.training.patience_checks != 0)
}

/// Removes the checkpoints that a stage does not need once that of `position` is its newest.
///
/// # Errors
/// As [`prune`].
pub(super) fn prune_to(
    position: &Position,
    steps_count: usize,
    config: &StageConfig,
    paths: &StagePaths,
    extensions: &[&str],
) -> Result<()> {
    let best = deciding(&position.checks, config).filter(|_| position.step < steps_count);
    let newest_count = config.training.checkpoints_kept;
    let keep = Keep { newest_count, best_step: best.map(|best| best.step) };
    prune(&paths.checkpoints, position.stage, extensions, keep)
}
