//! Class loss of single queries, with the gradient of their logits.
//!
//! The long part, all classes of a query as background, runs in vector instructions; the one
//! logit of a matched class is worked out in f64.

use super::config::CriterionConfig;
use crate::matching::ClassLoss;
use crate::nn::simd::{Level, class_loss};

/// Stands for "no object" where a query's class is asked for.
pub(super) const NO_CLASS: u32 = u32::MAX;

/// The class loss of a layer, with everything that is the same for all of its queries.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClassTerm {
    loss: ClassLoss,
    alpha: f64,
    gamma: f64,
    no_object_weight: f64,
    /// One over what the layer's losses are divided by.
    inverse: f64,
    /// Weight of the class loss in the total.
    weight: f64,
    level: Level,
}

impl ClassTerm {
    /// `pairs` of `rows` queries in a layer are matched. The focal loss is divided by
    /// `boxes_count`, cross-entropy by the sum of its weights.
    pub(super) fn new(
        config: &CriterionConfig,
        boxes_count: f64,
        pairs: usize,
        rows: usize,
    ) -> ClassTerm {
        let no_object_weight = f64::from(config.no_object_weight);
        let divisor = match config.class_loss {
            ClassLoss::Focal => boxes_count,
            ClassLoss::Softmax => pairs as f64 + (rows - pairs) as f64 * no_object_weight,
        };
        ClassTerm {
            loss: config.class_loss,
            alpha: f64::from(config.focal_alpha),
            gamma: f64::from(config.focal_gamma),
            no_object_weight,
            inverse: if divisor > 0.0 { 1.0 / divisor } else { 0.0 },
            weight: f64::from(config.class_weight),
            level: Level::best(),
        }
    }

    /// The loss of one query of class `class` (or [`NO_CLASS`]), divided but not weighted;
    /// `gradient` becomes that of the weighted loss. `log_sum` is read under softmax only.
    pub(super) fn query(
        &self,
        logits: &[f32],
        class: u32,
        log_sum: f32,
        gradient: &mut [f32],
    ) -> f64 {
        let loss = match self.loss {
            ClassLoss::Focal if class == NO_CLASS => self.background(logits, gradient),
            ClassLoss::Focal => self.focal(logits, class as usize, gradient),
            ClassLoss::Softmax => self.softmax(logits, class, log_sum, gradient),
        };
        loss * self.inverse
    }

    fn background(&self, logits: &[f32], gradient: &mut [f32]) -> f64 {
        let share = 1.0 - self.alpha;
        let scale = (self.weight * self.inverse * share) as f32;
        let gamma = self.gamma as f32;
        share * class_loss::focal_background(self.level, logits, gradient, gamma, scale)
    }

    fn focal(&self, logits: &[f32], class: usize, gradient: &mut [f32]) -> f64 {
        let (before, rest) = gradient.split_at_mut(class);
        let mut sum = self.background(&logits[..class], before);
        if let Some((own, after)) = rest.split_first_mut() {
            sum += self.background(&logits[class + 1..], after);
            let (loss, slope) = focal_positive(f64::from(logits[class]), self.gamma);
            *own = (self.weight * self.inverse * self.alpha * slope) as f32;
            sum += self.alpha * loss;
        }
        sum
    }

    fn softmax(&self, logits: &[f32], class: u32, log_sum: f32, gradient: &mut [f32]) -> f64 {
        let (weight, class) = match class {
            NO_CLASS => (self.no_object_weight, logits.len() - 1),
            class => (1.0, class as usize),
        };
        let scale = self.weight * self.inverse * weight;
        class_loss::softmax(self.level, logits, gradient, log_sum, scale as f32);
        gradient[class] -= scale as f32;
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
        let term = ClassTerm::new(&softmax, 1.0, 1, 1);
        assert!(term.is_best(&logits, 1) && !term.is_best(&logits, 2) && !term.is_best(&logits, 0));
        let term = ClassTerm::new(&CriterionConfig::default(), 1.0, 1, 1);
        assert!(term.is_best(&logits, 3) && !term.is_best(&logits, 1));
    }
}
