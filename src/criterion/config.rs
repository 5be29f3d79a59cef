//! The keys of the criterion, with those of its matcher.
//!
//! Defaults are Deformable DETR's: costs and weights 2, 5, 2 for class, L1 and GIoU.

use crate::matching::{ClassLoss, MatcherConfig};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

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
    /// Share of the positive term of the focal loss, 0 to 1. Default 0.25.
    pub focal_alpha: f32,
    /// Exponent of the focal loss, 0 to 10. Default 2.
    pub focal_gamma: f32,
    /// Of `softmax`: weight of the queries without a target, 0 to 1. Default 0.1 (DETR); 1 is
    /// the letter of eq. 2, in which background outweighs everything.
    pub no_object_weight: f32,
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
        Ok(())
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
