//! Class loss of single queries, with the gradient of their logits.
//!
//! The long part, all classes of a query as background, runs in vector instructions; the one
//! logit of a matched class is worked out in f64.

use super::config::CriterionConfig;
use super::soft_targets::{quality_focal, varifocal_positive};
use crate::kernels::simd::{Level, class_loss};
use crate::matching::ClassLoss;

/// Stands for "no object" where a query's class is asked for.
pub(super) const NO_CLASS: u32 = u32::MAX;

/// What a query is to say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wanted {
    /// The class of its target, or [`NO_CLASS`].
    pub class: u32,
    /// What the probability of that class is to be.
    pub probability: f64,
    /// Of all losses of the query.
    pub weight: f64,
}

impl Wanted {
    /// What a query without a target is to say.
    pub(super) const NOTHING: Wanted = Wanted { class: NO_CLASS, probability: 1.0, weight: 1.0 };
}

/// The class loss, with everything that is the same for all queries.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClassTerm {
    loss: ClassLoss,
    alpha: f64,
    gamma: f64,
    no_object_weight: f64,
    /// Weight of the class loss in the total.
    weight: f64,
    level: Level,
}

impl ClassTerm {
    pub(super) fn new(config: &CriterionConfig) -> ClassTerm {
        ClassTerm {
            loss: config.class_loss,
            alpha: f64::from(config.focal_alpha),
            gamma: f64::from(config.focal_gamma),
            no_object_weight: f64::from(config.no_object_weight),
            weight: f64::from(config.class_weight),
            level: Level::best(),
        }
    }

    /// One over what the class losses of a layer are divided by: `boxes_count`, or, for
    /// cross-entropy, the sum of its weights, those of the pairs and of `unmatched` other queries.
    pub(super) fn inverse(&self, boxes_count: f64, pair_weights: f64, unmatched: usize) -> f64 {
        let divisor = match self.loss {
            ClassLoss::Focal | ClassLoss::Varifocal => boxes_count,
            ClassLoss::Softmax => pair_weights + unmatched as f64 * self.no_object_weight,
        };
        if divisor > 0.0 { 1.0 / divisor } else { 0.0 }
    }

    /// The loss of one query times `inverse`, but not weighted; `gradient` becomes that of the
    /// weighted loss. `log_sum` is read under softmax only.
    pub(super) fn query(
        &self,
        logits: &[f32],
        wanted: &Wanted,
        (log_sum, inverse): (f32, f64),
        gradient: &mut [f32],
    ) -> f64 {
        let scale = self.weight * inverse * wanted.weight;
        let loss = match self.loss {
            ClassLoss::Softmax => self.softmax(logits, wanted.class, (log_sum, scale), gradient),
            _ if wanted.class == NO_CLASS => self.background(logits, scale, gradient),
            _ => self.sigmoids(logits, wanted, scale, gradient),
        };
        loss * wanted.weight * inverse
    }

    fn background(&self, logits: &[f32], scale: f64, gradient: &mut [f32]) -> f64 {
        let share = 1.0 - self.alpha;
        let (scale, gamma) = ((scale * share) as f32, self.gamma as f32);
        let sum = match self.loss {
            ClassLoss::Varifocal => class_loss::varifocal_background,
            _ => class_loss::focal_background,
        };
        share * sum(self.level, logits, gradient, gamma, scale)
    }

    fn sigmoids(&self, logits: &[f32], wanted: &Wanted, scale: f64, gradient: &mut [f32]) -> f64 {
        let class = wanted.class as usize;
        let (before, rest) = gradient.split_at_mut(class);
        let mut sum = self.background(&logits[..class], scale, before);
        if let Some((own, after)) = rest.split_first_mut() {
            sum += self.background(&logits[class + 1..], scale, after);
            let (share, loss, slope) = self.positive(f64::from(logits[class]), wanted.probability);
            *own = (scale * share * slope) as f32;
            sum += share * loss;
        }
        sum
    }

    /// The share, the loss and its derivative of the logit of a matched class.
    fn positive(&self, logit: f64, probability: f64) -> (f64, f64, f64) {
        if self.loss == ClassLoss::Varifocal {
            let (loss, slope) = varifocal_positive(logit, probability);
            return (1.0, loss, slope);
        }
        if probability == 1.0 {
            let (loss, slope) = focal_positive(logit, self.gamma);
            return (self.alpha, loss, slope);
        }
        let share = self.alpha * probability + (1.0 - self.alpha) * (1.0 - probability);
        let (loss, slope) = quality_focal(logit, probability, self.gamma);
        (share, loss, slope)
    }

    fn softmax(
        &self,
        logits: &[f32],
        class: u32,
        (log_sum, scale): (f32, f64),
        gradient: &mut [f32],
    ) -> f64 {
        let (weight, class) = match class {
            NO_CLASS => (self.no_object_weight, logits.len() - 1),
            class => (1.0, class as usize),
        };
        let scale = (scale * weight) as f32;
        class_loss::softmax(self.level, logits, gradient, log_sum, scale);
        gradient[class] -= scale;
        weight * (f64::from(log_sum) - f64::from(logits[class]))
    }

    /// Whether the class of the largest logit, "no object" apart, is `class`.
    pub(super) fn is_best(&self, logits: &[f32], class: u32) -> bool {
        let classes = &logits[..self.loss.classes_of(logits.len())];
        let own = classes[class as usize];
        // Of equal logits the first counts, as in a search for the largest.
        let (before, after) = classes.split_at(class as usize);
        before.iter().all(|&other| other < own) && after.iter().all(|&other| other <= own)
    }
}

/// `(1 - p)^gamma * -ln(p)` of a logit, and its derivative.
fn focal_positive(logit: f64, gamma: f64) -> (f64, f64) {
    let small = (-logit.abs()).exp();
    let (near, far) = (1.0 / (1.0 + small), small / (1.0 + small));
    let (yes, no) = if logit > 0.0 { (near, far) } else { (far, near) };
    let yes_loss = small.ln_1p() + (-logit).max(0.0);
    let power = no.powf(gamma);
    (power * yes_loss, -power * (gamma * yes * yes_loss + no))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_positive_term_is_its_own_derivative() {
        for gamma in [0.0, 1.5, 2.0] {
            for step in -40..40 {
                let x = f64::from(step) * 0.37;
                let ((loss, slope), shift) = (focal_positive(x, gamma), 1e-6);
                let difference =
                    focal_positive(x + shift, gamma).0 - focal_positive(x - shift, gamma).0;
                assert!((slope - difference / (2.0 * shift)).abs() < 1e-8 && loss >= 0.0, "{x}");
            }
        }
        assert!(focal_positive(1000.0, 2.0).0 == 0.0 && focal_positive(-1000.0, 2.0).0 == 1000.0);
    }

    #[test]
    fn the_best_class_leaves_no_object_out() {
        let softmax = CriterionConfig { class_loss: ClassLoss::Softmax, ..Default::default() };
        let logits = [0.0, 2.0, 2.0, 9.0];
        let term = ClassTerm::new(&softmax);
        assert!(term.is_best(&logits, 1) && !term.is_best(&logits, 2) && !term.is_best(&logits, 0));
        let term = ClassTerm::new(&CriterionConfig::default());
        assert!(term.is_best(&logits, 3) && !term.is_best(&logits, 1));
    }
}
