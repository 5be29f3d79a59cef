//! What a pair of query and target costs.
//!
//! Defaults are those of Deformable DETR and DETReg, which the patent follows (¶76): focal class
//! cost with weight 2, L1 with 5, GIoU with 2.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How logits are read as probabilities. Eq. 2 of the patent (¶38) writes -log p of every query,
/// "no object" included; the detectors it trains have no such class and use focal loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassLoss {
    /// A sigmoid for each class, focal loss (Lin et al., ICCV 2017): Deformable DETR, DETReg,
    /// ViDT+.
    Focal,
    /// A sigmoid for each class, varifocal loss (Zhang et al., "VarifocalNet", CVPR 2021): RT-DETR.
    /// Its pairs cost what those of `focal` do, as there.
    Varifocal,
    /// One softmax over the classes and "no object", which is the last: DETR, and the letter of
    /// eq. 2.
    Softmax,
}

impl ClassLoss {
    /// How many classes a target may have where a query has `logits_count` logits.
    pub fn classes_of(self, logits_count: usize) -> usize {
        match self {
            ClassLoss::Focal | ClassLoss::Varifocal => logits_count,
            ClassLoss::Softmax => logits_count.saturating_sub(1),
        }
    }
}

/// The keys of the matcher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MatcherConfig {
    /// Default `focal`.
    pub class_loss: ClassLoss,
    /// Weight of the class cost, at least 0. Default 2.
    pub class_cost: f32,
    /// Weight of the L1 distance of boxes, at least 0. Default 5.
    pub l1_cost: f32,
    /// Weight of the negative GIoU, at least 0. Default 2.
    pub giou_cost: f32,
    /// Share of the positive term of the focal cost, 0 to 1. Default 0.25.
    pub focal_alpha: f32,
    /// Exponent of the focal cost, 0 to 10. Default 2.
    pub focal_gamma: f32,
}

impl Default for MatcherConfig {
    fn default() -> MatcherConfig {
        MatcherConfig {
            class_loss: ClassLoss::Focal,
            class_cost: 2.0,
            l1_cost: 5.0,
            giou_cost: 2.0,
            focal_alpha: 0.25,
            focal_gamma: 2.0,
        }
    }
}

/// Largest weight; larger ones leave costs without digits.
const WEIGHT_MAX: f32 = 1e6;
/// Largest exponent; larger ones leave probabilities without digits.
const GAMMA_MAX: f32 = 10.0;

impl MatcherConfig {
    /// # Errors
    /// [`Error::InvalidArgument`] naming the first key outside its range, or all weights when
    /// each is 0.
    pub fn validate(&self) -> Result<()> {
        let weights = [
            ("class_cost", self.class_cost),
            ("l1_cost", self.l1_cost),
            ("giou_cost", self.giou_cost),
        ];
        for (key, weight) in weights {
            within(key, weight, WEIGHT_MAX)?;
        }
        if weights.iter().all(|(_, weight)| *weight == 0.0) {
            return Err(Error::invalid("class_cost, l1_cost, giou_cost", "all are 0"));
        }
        within("focal_alpha", self.focal_alpha, 1.0)?;
        within("focal_gamma", self.focal_gamma, GAMMA_MAX)
    }
}

/// # Errors
/// [`Error::InvalidArgument`] when `value` is not in [0, `high`].
fn within(key: &str, value: f32, high: f32) -> Result<()> {
    if value >= 0.0 && value <= high {
        return Ok(());
    }
    Err(Error::invalid(key, format!("{value} is not in [0, {high}]")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_survives_toml() {
        let config = MatcherConfig::default();
        config.validate().unwrap();
        let text = toml::to_string(&config).unwrap();
        assert!(text.contains("class_loss = \"focal\""), "{text}");
        assert_eq!(crate::config::parse::<MatcherConfig>(&text, "test").unwrap(), config);
    }

    #[test]
    fn values_out_of_range_name_their_key() {
        type Change = fn(&mut MatcherConfig);
        let cases: [(&str, Change); 5] = [
            ("class_cost", |c| c.class_cost = -1.0),
            ("l1_cost", |c| c.l1_cost = f32::NAN),
            ("giou_cost", |c| c.giou_cost = f32::INFINITY),
            ("focal_alpha", |c| c.focal_alpha = 1.5),
            ("focal_gamma", |c| c.focal_gamma = 11.0),
        ];
        for (key, change) in cases {
            let mut config = MatcherConfig::default();
            change(&mut config);
            let message = config.validate().unwrap_err().to_string();
            assert!(message.starts_with(&format!("{key}:")), "{message}");
        }
        let free = MatcherConfig { class_cost: 0.0, l1_cost: 0.0, giou_cost: 0.0, ..config() };
        assert!(free.validate().unwrap_err().to_string().contains("all are 0"));
    }

    fn config() -> MatcherConfig {
        MatcherConfig::default()
    }
}
