//! Every key of training, with its default and where it comes from.
//!
//! Defaults are the patent's (¶109: batch 192, 5 epochs a stage, 2e-4) and, where it is silent, those
//! of the official Deformable DETR, which it follows.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Most of a set that may be held out: what is learned from is not the smaller part.
const HELD_OUT_SHARE_MAX: f64 = 0.5;

/// How the learning rate changes over a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    Constant,
    /// Times `drop_factor` from the share `drop_at` of the steps on.
    Step,
    /// Half a cosine down to 0.
    Cosine,
}

/// What a stage of training does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingConfig {
    /// Default 2e-4.
    pub learning_rate: f64,
    /// Of the backbone. Default 2e-5, a tenth (official code).
    pub backbone_learning_rate: f64,
    /// On `reference_points` and `sampling_offsets`. Default 0.1 (official code).
    pub offsets_multiplier: f64,
    /// Decoupled, on every parameter. Default 1e-4 (official code).
    pub weight_decay: f64,
    /// Gradients are scaled down to this norm; 0 leaves them. Default 0.1 (official code).
    pub gradient_norm_max: f64,
    /// Default `step`.
    pub schedule: Schedule,
    /// Share of the steps after which `step` drops. Default 0.8: 40 of 50 epochs (official code).
    pub drop_at: f64,
    /// Default 0.1.
    pub drop_factor: f64,
    /// Steps over which the rate grows from nearly 0. Default 0 (official code).
    pub warmup_steps: usize,
    /// Images of an optimiser step. Default 192 (¶109).
    pub batch_size: usize,
    /// Images that are in memory together; gradients of `batch_size` are the sum of several parts.
    /// 0: all of them. Default 0.
    pub part_size: usize,
    /// Whether outputs of cheap operations (normalisation, sums, masks) are computed again on the
    /// way back in place of being kept: the same numbers. Default true: 6 % less of the arena (R50,
    /// 3 + 3 layers, two images of 320x320) at no time that could be measured.
    pub recompute: bool,
    /// Epochs of a stage; `steps` overrides it. Default 5 (¶109).
    pub epochs: usize,
    /// Optimiser steps of a stage; 0: `epochs` decides. Default 0.
    pub steps: usize,
    /// Steps between checkpoints; 0: one at the end of each stage. Default 500.
    pub checkpoint_steps: usize,
    /// Checkpoints of each stage that stay, the newest; older ones are removed once a new one is
    /// whole. 0: all of them. Default 3. The last one of a stage always stays.
    pub checkpoints_kept: usize,
    /// Batch shapes (images, height, width) whose networks stay laid out, the least recently used
    /// one going first; laid out again, a network computes the same. At least 1. Default 16: a
    /// loader has at most twelve shapes.
    pub networks_kept: usize,
    /// Steps between lines of `metrics.jsonl`. Default 10.
    pub metrics_steps: usize,
    /// Share, in [0, 0.5], of the set's images that no stage learns from. On these the detector is
    /// checked against their own labels, those of the stage, never against true boxes; they are
    /// labelled like the others. Which they are depends on the seed and their ids alone, so that
    /// they are the same in every stage. An epoch is one of the other images. Default 0: none.
    pub held_out_share: f64,
    /// Steps between checks: each takes a prediction for every held-out image, writes a line of
    /// `metrics.jsonl` with the class-agnostic recall at 100 boxes, and is a checkpoint. The last
    /// step of a stage is checked too. 0 where no image is held out, and only there. Default 0.
    pub check_steps: usize,
    /// A stage ends after so many checks in a row that are no better than the best one before them,
    /// and then, as at its last step, with the weights of its best check, the earliest of equals.
    /// The schedule is that of all steps: patience is to outlast the time before its rate drops. 0:
    /// checks change nothing, and a stage ends with its last weights. Default 0.
    pub patience_checks: usize,
    /// Bytes that a step may take: parameters, gradients, moments, activations and batches. A run whose
    /// step takes more is refused before it begins. Default 0: what the machine has free.
    pub memory_bytes_max: u64,
}

impl Default for TrainingConfig {
    fn default() -> TrainingConfig {
        TrainingConfig {
            learning_rate: 2e-4,
            backbone_learning_rate: 2e-5,
            offsets_multiplier: 0.1,
            weight_decay: 1e-4,
            gradient_norm_max: 0.1,
            schedule: Schedule::Step,
            drop_at: 0.8,
            drop_factor: 0.1,
            warmup_steps: 0,
            batch_size: 192,
            part_size: 0,
            recompute: true,
            epochs: 5,
            steps: 0,
            checkpoint_steps: 500,
            checkpoints_kept: 3,
            networks_kept: 16,
            metrics_steps: 10,
            held_out_share: 0.0,
            check_steps: 0,
            patience_checks: 0,
            memory_bytes_max: 0,
        }
    }
}

impl TrainingConfig {
    /// # Errors
    /// [`Error::InvalidArgument`] naming the first key outside its range.
    pub fn validate(&self) -> Result<()> {
        for (key, value) in [
            ("learning_rate", self.learning_rate),
            ("backbone_learning_rate", self.backbone_learning_rate),
            ("offsets_multiplier", self.offsets_multiplier),
            ("weight_decay", self.weight_decay),
            ("gradient_norm_max", self.gradient_norm_max),
            ("drop_at", self.drop_at),
            ("drop_factor", self.drop_factor),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::invalid(key, format!("{value} is not in [0, infinity)")));
            }
        }
        for (key, value) in [
            ("batch_size", self.batch_size),
            ("metrics_steps", self.metrics_steps),
            ("networks_kept", self.networks_kept),
        ] {
            if value == 0 {
                return Err(Error::invalid(key, "0; at least 1 is needed"));
            }
        }
        if self.epochs == 0 && self.steps == 0 {
            return Err(Error::invalid("epochs", "0, and steps is 0 too: nothing to train"));
        }
        self.validate_checks()?;
        if !self.batch_size.is_multiple_of(self.part()) {
            let reason = format!("{} does not divide batch_size {}", self.part(), self.batch_size);
            return Err(Error::invalid("part_size", reason));
        }
        Ok(())
    }

    /// The keys of early stopping.
    fn validate_checks(&self) -> Result<()> {
        let TrainingConfig { held_out_share: share, check_steps, patience_checks, .. } = *self;
        if !(0.0..=HELD_OUT_SHARE_MAX).contains(&share) {
            let reason = format!("{share} is not in [0, {HELD_OUT_SHARE_MAX}]");
            return Err(Error::invalid("held_out_share", reason));
        }
        if (share == 0.0) != (check_steps == 0) {
            let reason = format!("{share} and {check_steps}; both are to be 0 or neither");
            return Err(Error::invalid("held_out_share, check_steps", reason));
        }
        if share == 0.0 && patience_checks != 0 {
            let reason = format!("{patience_checks}, but held_out_share is 0: there are no checks");
            return Err(Error::invalid("patience_checks", reason));
        }
        Ok(())
    }

    /// Images that are in memory together.
    pub fn part(&self) -> usize {
        if self.part_size == 0 { self.batch_size } else { self.part_size }
    }

    /// Optimiser steps of a stage that learns from `images_count` images.
    pub fn steps_count(&self, images_count: usize) -> usize {
        match self.steps {
            0 => self.epochs.saturating_mul(images_count).div_ceil(self.batch_size),
            steps => steps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_patents_and_valid() {
        let config = TrainingConfig::default();
        config.validate().unwrap();
        assert_eq!(config.steps_count(1_281_167), 33_364);
        assert_eq!(TrainingConfig { steps: 7, ..config }.steps_count(100), 7);
    }

    #[test]
    fn values_out_of_range_name_their_key() {
        let refused = |change: fn(&mut TrainingConfig)| {
            let mut config = TrainingConfig::default();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        assert!(refused(|config| config.learning_rate = f64::NAN).starts_with("learning_rate"));
        assert!(refused(|config| config.batch_size = 0).starts_with("batch_size"));
        assert!(refused(|config| config.networks_kept = 0).starts_with("networks_kept"));
        assert!(refused(|config| config.part_size = 5).contains("5 does not divide"));
        assert!(refused(|config| config.epochs = 0).starts_with("epochs"));
    }

    #[test]
    fn keys_of_early_stopping_are_given_together() {
        let with = |held_out_share, check_steps, patience_checks| TrainingConfig {
            held_out_share,
            check_steps,
            patience_checks,
            ..TrainingConfig::default()
        };
        for patience_checks in [0, 3] {
            with(0.5, 1, patience_checks).validate().unwrap();
        }
        for (config, reason) in [
            (with(0.6, 1, 0), "held_out_share: 0.6 is not in [0, 0.5]"),
            (with(-0.1, 1, 0), "held_out_share: -0.1 is not in [0, 0.5]"),
            (with(f64::NAN, 1, 0), "held_out_share: NaN is not in [0, 0.5]"),
            (
                with(0.1, 0, 0),
                "held_out_share, check_steps: 0.1 and 0; both are to be 0 or neither",
            ),
            (with(0.0, 7, 0), "held_out_share, check_steps: 0 and 7; both are to be 0 or neither"),
            (with(0.0, 0, 2), "patience_checks: 2, but held_out_share is 0"),
        ] {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
