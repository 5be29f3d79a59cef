//! The keys of the criterion, with those of its matcher.
//!
//! Defaults are Deformable DETR's: costs and weights 2, 5, 2 for class, L1 and GIoU. What the labels
//! of an earlier detector know and how well a box lies are no part of it, nor of the patent; both are
//! keys that are off by default.

use crate::matching::{ClassLoss, MatcherConfig};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the score of a label enters: what the detector that wrote it thought of it (patent ¶40 keeps
/// labels whatever their scores are).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelScore {
    /// Not at all.
    #[default]
    Ignore,
    /// The probability of a matched query's class is to be the score, not 1.
    SoftTarget,
    /// Class and box losses of a matched query are multiplied by the score, and the number of boxes
    /// that losses are divided by becomes the sum of the scores.
    Weight,
}

/// What the probability of a matched query's class is to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassTarget {
    /// 1.
    #[default]
    One,
    /// The IoU of the query's own box with its target, without a gradient through it: a score that
    /// ranks by how well boxes lie (Li et al., "Generalized focal loss", NeurIPS 2020).
    Iou,
}

/// The keys of the criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CriterionConfig {
    /// Default `focal`.
    pub class_loss: ClassLoss,
    /// Weight of the class cost in the matching, at least 0. Default 2.
    pub class_cost: f32,
    /// Weight of the L1 distance in the matching, at least 0. Default 5.
    pub l1_cost: f32,
    /// Weight of the negative GIoU in the matching, at least 0. Default 2.
    pub giou_cost: f32,
    /// Weight of the class loss, at least 0. Default 2 (`transformers` has 1).
    pub class_weight: f32,
    /// Weight of the L1 loss, at least 0. Default 5.
    pub l1_weight: f32,
    /// Weight of the GIoU loss, at least 0. Default 2.
    pub giou_weight: f32,
    /// Share of the positive term of the focal loss, 0 to 1; of a target t between, it is
    /// `t * alpha + (1 - t) * (1 - alpha)`. Of `varifocal`, whose positives have weights of their own,
    /// 1 minus it is the weight of the background, the published alpha of 0.75. Default 0.25.
    pub focal_alpha: f32,
    /// Exponent of the focal loss, 0 to 10. Default 2.
    pub focal_gamma: f32,
    /// Of `softmax`: weight of the queries without a target, 0 to 1. Default 0.1 (DETR); 1 is
    /// the letter of eq. 2, in which background outweighs everything.
    pub no_object_weight: f32,
    /// How the score of a label enters: `ignore`, `soft_target` or `weight`. Only labels of a detector
    /// have one, those of stage 1 and later; all others count as 1. Default `ignore`.
    pub label_score: LabelScore,
    /// What the probability of a matched query's class is to be: `one` or `iou`, times the label's
    /// score under `soft_target`. Where it is not 1, `focal` is quality focal loss,
    /// `|t - p|^gamma` times the cross-entropy of p and t. Default `one`.
    pub class_target: ClassTarget,
}

impl Default for CriterionConfig {
    fn default() -> CriterionConfig {
        let matcher = MatcherConfig::default();
        CriterionConfig {
            class_loss: matcher.class_loss,
            class_cost: matcher.class_cost,
            l1_cost: matcher.l1_cost,
            giou_cost: matcher.giou_cost,
            class_weight: 2.0,
            l1_weight: 5.0,
            giou_weight: 2.0,
            focal_alpha: matcher.focal_alpha,
            focal_gamma: matcher.focal_gamma,
            no_object_weight: 0.1,
            label_score: LabelScore::Ignore,
            class_target: ClassTarget::One,
        }
    }
}

/// Largest weight of a loss; larger ones leave gradients without digits.
const WEIGHT_MAX: f32 = 1e6;

impl CriterionConfig {
    /// # Errors
    /// [`Error::InvalidArgument`] naming the first key outside its range.
    pub fn validate(&self) -> Result<()> {
        self.matcher().validate()?;
        for (key, value, high) in [
            ("class_weight", self.class_weight, WEIGHT_MAX),
            ("l1_weight", self.l1_weight, WEIGHT_MAX),
            ("giou_weight", self.giou_weight, WEIGHT_MAX),
            ("no_object_weight", self.no_object_weight, 1.0),
        ] {
            if !(value >= 0.0 && value <= high) {
                return Err(Error::invalid(key, format!("{value} is not in [0, {high}]")));
            }
        }
        self.check_soft_targets()
    }

    /// # Errors
    /// [`Error::InvalidArgument`] for targets between 0 and 1 of a loss that has none.
    fn check_soft_targets(&self) -> Result<()> {
        let key = match (self.label_score, self.class_target) {
            (LabelScore::SoftTarget, _) => "label_score = soft_target",
            (_, ClassTarget::Iou) => "class_target = iou",
            _ => return Ok(()),
        };
        let gamma = self.focal_gamma;
        match self.class_loss {
            ClassLoss::Softmax => {
                let reason = "class_loss = softmax has no targets between 0 and 1; focal and \
                              varifocal have";
                Err(Error::invalid(key, reason))
            }
            // Its slope has no bound where the probability is just the target.
            ClassLoss::Focal if gamma > 0.0 && gamma < 1.0 => {
                let reason = format!("focal_gamma = {gamma} is neither 0 nor at least 1");
                Err(Error::invalid(key, reason))
            }
            ClassLoss::Focal | ClassLoss::Varifocal => Ok(()),
        }
    }

    /// Whether a label's score changes anything.
    pub fn reads_scores(&self) -> bool {
        self.label_score != LabelScore::Ignore
    }

    /// The keys that the matcher shares.
    pub fn matcher(&self) -> MatcherConfig {
        MatcherConfig {
            class_loss: self.class_loss,
            class_cost: self.class_cost,
            l1_cost: self.l1_cost,
            giou_cost: self.giou_cost,
            focal_alpha: self.focal_alpha,
            focal_gamma: self.focal_gamma,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_between_need_a_loss_that_has_them() {
        let scored =
            CriterionConfig { label_score: LabelScore::SoftTarget, ..CriterionConfig::default() };
        let placed =
            CriterionConfig { class_target: ClassTarget::Iou, ..CriterionConfig::default() };
        for (config, key) in [(scored, "label_score"), (placed, "class_target")] {
            for (class_loss, focal_gamma, wanted) in [
                (ClassLoss::Focal, 2.0, None),
                (ClassLoss::Focal, 0.0, None),
                (ClassLoss::Focal, 0.5, Some("focal_gamma = 0.5 is neither 0 nor at least 1")),
                (ClassLoss::Varifocal, 0.5, None),
                (ClassLoss::Softmax, 2.0, Some("class_loss = softmax has no targets")),
            ] {
                let config = CriterionConfig { class_loss, focal_gamma, ..config.clone() };
                let error = config.validate().err().map(|error| error.to_string());
                let fits = match (&error, wanted) {
                    (None, None) => true,
                    (Some(error), Some(wanted)) => error.starts_with(key) && error.contains(wanted),
                    _ => false,
                };
                assert!(fits, "{class_loss:?}, {focal_gamma}: {error:?}");
            }
        }
        let weighted = CriterionConfig {
            label_score: LabelScore::Weight,
            class_loss: ClassLoss::Softmax,
            ..CriterionConfig::default()
        };
        weighted.validate().unwrap();
    }

    #[test]
    fn the_default_is_valid_and_values_out_of_range_name_their_key() {
        CriterionConfig::default().validate().unwrap();
        type Change = fn(&mut CriterionConfig);
        let cases: [(&str, Change); 4] = [
            ("class_weight", |c| c.class_weight = -1.0),
            ("giou_weight", |c| c.giou_weight = f32::NAN),
            ("no_object_weight", |c| c.no_object_weight = 1.5),
            ("l1_cost", |c| c.l1_cost = -2.0),
        ];
        for (key, change) in cases {
            let mut config = CriterionConfig::default();
            change(&mut config);
            let message = config.validate().unwrap_err().to_string();
            assert!(message.starts_with(&format!("{key}:")), "{message}");
        }
    }
}
