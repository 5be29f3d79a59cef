//! Losses of one logit whose probability p is to be a number t in [0, 1] and not just 1, in f64.
//!
//! Sources: Li et al., "Generalized focal loss" (NeurIPS 2020), eq. 5, quality focal loss; Zhang et
//! al., "VarifocalNet" (CVPR 2021), eq. 2, whose positives are the cross-entropy times t.

/// The sigmoid of a logit, how far it lies above `target`, and their cross-entropy.
struct Answer {
    /// p and 1 - p.
    yes: f64,
    no: f64,
    difference: f64,
    cross_entropy: f64,
}

impl Answer {
    fn new(logit: f64, target: f64) -> Answer {
        let small = (-logit.abs()).exp();
        let (near, far) = (1.0 / (1.0 + small), small / (1.0 + small));
        let (yes, no) = if logit > 0.0 { (near, far) } else { (far, near) };
        // By the smaller of both sides, which has the digits.
        let difference = if logit > 0.0 { (1.0 - target) - no } else { yes - target };
        let linear = if logit > 0.0 { logit * (1.0 - target) } else { -logit * target };
        let cross_entropy = small.ln_1p() + linear;
        Answer { yes, no, difference, cross_entropy }
    }
}

/// `|t - p|^gamma` times the cross-entropy of p and t, and its derivative by the logit; `gamma` is 0
/// or at least 1.
pub(super) fn quality_focal(logit: f64, target: f64, gamma: f64) -> (f64, f64) {
    let Answer { yes, no, difference, cross_entropy } = Answer::new(logit, target);
    let distance = difference.abs();
    let power = distance.powf(gamma);
    // Where p is just t there is no slope: that of |t - p| is taken as 0, as torch has it.
    let power_slope = if gamma == 0.0 || distance == 0.0 {
        0.0
    } else {
        gamma * distance.powf(gamma - 1.0) * difference.signum() * yes * no
    };
    (power * cross_entropy, power * difference + power_slope * cross_entropy)
}

/// `t` times the cross-entropy of p and t, and its derivative by the logit.
pub(super) fn varifocal_positive(logit: f64, target: f64) -> (f64, f64) {
    let Answer { difference, cross_entropy, .. } = Answer::new(logit, target);
    (target * cross_entropy, target * difference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_its_own_derivative() {
        let shift = 1e-6;
        for (target, gamma) in
            [0.0, 0.1, 0.5, 0.9, 1.0].into_iter().flat_map(|t| [0.0, 1.5, 2.0].map(|g| (t, g)))
        {
            for step in -40..40 {
                let x = f64::from(step) * 0.37 + 0.01;
                let slope =
                    |loss: &dyn Fn(f64) -> f64| (loss(x + shift) - loss(x - shift)) / (2.0 * shift);
                let found = quality_focal(x, target, gamma).1;
                let wanted = slope(&|x| quality_focal(x, target, gamma).0);
                assert!((found - wanted).abs() < 1e-8, "{x} {target} {gamma}: {found} {wanted}");
                let found = varifocal_positive(x, target).1;
                let wanted = slope(&|x| varifocal_positive(x, target).0);
                assert!((found - wanted).abs() < 1e-8, "{x} {target}: {found} {wanted}");
            }
        }
    }

    #[test]
    fn what_is_wanted_already_has_no_slope_and_far_logits_keep_their_digits() {
        let even = quality_focal(0.0, 0.5, 2.0);
        assert_eq!(even, (0.0, 0.0));
        assert_eq!(quality_focal(0.0, 0.5, 1.0).1, 0.0);
        // 1 - p is e^-50 there, and p rounds to 1.
        let far = quality_focal(50.0, 1.0, 1.0).0 / (-100.0f64).exp();
        assert!((far - 1.0).abs() < 1e-9, "{far}");
        assert_eq!(quality_focal(-1000.0, 1.0, 2.0).0, 1000.0);
        assert_eq!(varifocal_positive(1000.0, 0.25), (0.25 * 750.0, 0.25 * 0.75));
    }
}
