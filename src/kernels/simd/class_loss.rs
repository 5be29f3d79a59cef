//! Class losses of one query's logits, with their gradients: focal and varifocal for a row that is
//! all background, and softmax.
//!
//! Sources: Lin et al., "Focal loss for dense object detection" (ICCV 2017); varifocal loss as
//! RT-DETR has it (Zhao et al., CVPR 2024); DETR's weighted cross-entropy (Carion et al., ECCV 2020). Sums run over [`WIDE`] partial sums of f32 within a
//! row, in the same order at every level; rows are added in f64 by the caller.

use super::elementary::{Sigmoid, exponential, sigmoid};
use super::lanes::Lanes;
use super::{Level, dispatch};

/// Partial sums that a compiler keeps in one or two vector registers.
const WIDE: usize = 16;

/// Adds up the lanes of a row's partial sums.
fn total(lanes: [f32; WIDE]) -> f64 {
    lanes.into_iter().map(f64::from).sum()
}

/// The focal loss of a row without a target: the sum of `p^gamma * -ln(1 - p)` over `logits`,
/// not weighted; `gradient` becomes its derivative times `scale`.
///
/// # Panics
/// When the lengths differ.
pub fn focal_background(
    level: Level,
    logits: &[f32],
    gradient: &mut [f32],
    gamma: f32,
    scale: f32,
) -> f64 {
    assert_eq!(logits.len(), gradient.len());
    let mut lanes = [0.0; WIDE];
    let sums = &mut lanes;
    if gamma == 2.0 {
        dispatch!(
            level,
            focal_square(logits: &[f32], gradient: &mut [f32], scale: f32, sums: &mut [f32; WIDE])
        );
    } else {
        dispatch!(
            level,
            focal_power(
                logits: &[f32],
                gradient: &mut [f32],
                gamma: f32,
                scale: f32,
                sums: &mut [f32; WIDE],
            )
        );
    }
    total(lanes)
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn focal_square<L: Lanes>(
    logits: &[f32],
    gradient: &mut [f32],
    scale: f32,
    sums: &mut [f32; WIDE],
) {
    for_each_lane(logits, gradient, sums, |logit, sum| {
        let Sigmoid { yes, no, no_loss, .. } = sigmoid(logit);
        let power = yes * yes;
        *sum += power * no_loss;
        scale * power * (2.0 * no * no_loss + yes)
    });
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn focal_power<L: Lanes>(
    logits: &[f32],
    gradient: &mut [f32],
    gamma: f32,
    scale: f32,
    sums: &mut [f32; WIDE],
) {
    for_each_lane(logits, gradient, sums, |logit, sum| {
        let Sigmoid { yes, no, yes_loss, no_loss } = sigmoid(logit);
        let power = exponential(-gamma * yes_loss);
        *sum += power * no_loss;
        scale * power * (gamma * no * no_loss + yes)
    });
}

/// [`focal_background`] whose factor `p^gamma` is a weight and not part of the derivative, as RT-DETR
/// takes it in varifocal loss.
///
/// # Panics
/// When the lengths differ.
pub fn varifocal_background(
    level: Level,
    logits: &[f32],
    gradient: &mut [f32],
    gamma: f32,
    scale: f32,
) -> f64 {
    assert_eq!(logits.len(), gradient.len());
    let mut lanes = [0.0; WIDE];
    let sums = &mut lanes;
    dispatch!(
        level,
        varifocal(
            logits: &[f32],
            gradient: &mut [f32],
            gamma: f32,
            scale: f32,
            sums: &mut [f32; WIDE],
        )
    );
    total(lanes)
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn varifocal<L: Lanes>(
    logits: &[f32],
    gradient: &mut [f32],
    gamma: f32,
    scale: f32,
    sums: &mut [f32; WIDE],
) {
    for_each_lane(logits, gradient, sums, |logit, sum| {
        let Sigmoid { yes, yes_loss, no_loss, .. } = sigmoid(logit);
        let power = exponential(-gamma * yes_loss);
        *sum += power * no_loss;
        scale * power * yes
    });
}

/// ln of the sum of `exp(logit)` over `logits`; minus infinity of none.
pub fn log_sum(level: Level, logits: &[f32]) -> f64 {
    let mut answer = (f32::NEG_INFINITY, 0.0f64);
    let found = &mut answer;
    dispatch!(level, log_sum_kernel(logits: &[f32], found: &mut (f32, f64)));
    f64::from(answer.0) + answer.1.ln()
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn log_sum_kernel<L: Lanes>(logits: &[f32], found: &mut (f32, f64)) {
    let mut lanes = [f32::NEG_INFINITY; WIDE];
    let (chunks, rest) = logits.as_chunks::<WIDE>();
    for chunk in chunks {
        for lane in 0..WIDE {
            lanes[lane] = if chunk[lane] > lanes[lane] { chunk[lane] } else { lanes[lane] };
        }
    }
    let all = lanes.iter().chain(rest);
    let largest = all.fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
    let mut sums = [0.0f32; WIDE];
    for chunk in chunks {
        for lane in 0..WIDE {
            sums[lane] += exponential(chunk[lane] - largest);
        }
    }
    for (sum, logit) in sums.iter_mut().zip(rest) {
        *sum += exponential(logit - largest);
    }
    *found = (largest, total(sums));
}

/// `gradient` becomes `scale` times the softmax of `logits`, whose [`log_sum`] is given.
///
/// # Panics
/// When the lengths differ.
pub fn softmax(level: Level, logits: &[f32], gradient: &mut [f32], log_sum: f32, scale: f32) {
    assert_eq!(logits.len(), gradient.len());
    dispatch!(
        level,
        softmax_kernel(logits: &[f32], gradient: &mut [f32], log_sum: f32, scale: f32)
    );
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn softmax_kernel<L: Lanes>(logits: &[f32], gradient: &mut [f32], log_sum: f32, scale: f32) {
    for (gradient, logit) in gradient.iter_mut().zip(logits) {
        *gradient = scale * exponential(logit - log_sum);
    }
}

/// Calls `each` with every logit and its lane's sum, and keeps the answers as the gradient.
#[inline(always)]
fn for_each_lane(
    logits: &[f32],
    gradient: &mut [f32],
    sums: &mut [f32; WIDE],
    each: impl Fn(f32, &mut f32) -> f32,
) {
    let (logits, logits_rest) = logits.as_chunks::<WIDE>();
    let (gradients, gradients_rest) = gradient.as_chunks_mut::<WIDE>();
    for (gradient, logits) in gradients.iter_mut().zip(logits) {
        for lane in 0..WIDE {
            gradient[lane] = each(logits[lane], &mut sums[lane]);
        }
    }
    for ((gradient, logit), sum) in gradients_rest.iter_mut().zip(logits_rest).zip(sums) {
        *gradient = each(*logit, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits(length: usize) -> Vec<f32> {
        (0..length).map(|index| ((index * 37) % 101) as f32 * 0.2 - 10.0).collect()
    }

    fn background(x: f64, gamma: f64) -> f64 {
        (1.0 + (-x).exp()).powf(-gamma) * x.exp().ln_1p()
    }

    #[test]
    fn focal_sums_and_gradients_are_those_of_f64_at_every_level_and_length() {
        for level in Level::available() {
            for (length, gamma) in [(1, 2.0), (15, 2.0), (16, 1.5), (100, 2.0), (67, 0.0)] {
                let logits = logits(length);
                let mut gradient = vec![0.0; length];
                let sum = focal_background(level, &logits, &mut gradient, gamma, 0.5);
                let of = |x: f32, shift: f64| background(f64::from(x) + shift, f64::from(gamma));
                let wanted: f64 = logits.iter().map(|&x| of(x, 0.0)).sum();
                assert!((sum - wanted).abs() < 2e-6 * wanted, "{level:?} {length}: {sum} {wanted}");
                for (&x, found) in logits.iter().zip(gradient) {
                    let slope = (of(x, 1e-5) - of(x, -1e-5)) / 2e-5;
                    assert!((f64::from(found) - 0.5 * slope).abs() < 1e-6 + 1e-5 * slope.abs());
                }
            }
        }
    }

    #[test]
    fn varifocal_sums_are_those_of_focal_and_its_gradients_leave_the_weight_alone() {
        for level in Level::available() {
            for (length, gamma) in [(1, 2.0), (15, 1.5), (16, 2.0), (67, 0.0)] {
                let logits = logits(length);
                let (mut gradient, mut other) = (vec![0.0; length], vec![0.0; length]);
                let sum = varifocal_background(level, &logits, &mut gradient, gamma, 0.5);
                let wanted = focal_background(level, &logits, &mut other, gamma, 0.5);
                assert!((sum - wanted).abs() < 1e-6 * wanted, "{level:?} {length}: {sum} {wanted}");
                for (&x, found) in logits.iter().zip(gradient) {
                    let yes = 1.0 / (1.0 + (-f64::from(x)).exp());
                    let wanted = 0.5 * yes.powf(f64::from(gamma)) * yes;
                    assert!((f64::from(found) - wanted).abs() < 1e-6, "{level:?} {x}: {found}");
                }
            }
        }
    }

    #[test]
    fn softmax_is_that_of_f64_at_every_level_and_length() {
        for level in Level::available() {
            for length in [1, 15, 16, 100] {
                let logits = logits(length);
                let exact: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
                let found = log_sum(level, &logits);
                assert!((found - exact).abs() < 1e-6, "{level:?} {length}: {found} {exact}");
                let mut shares = vec![0.0; length];
                softmax(level, &logits, &mut shares, found as f32, 2.0);
                for (&x, share) in logits.iter().zip(shares) {
                    let wanted = 2.0 * (f64::from(x) - exact).exp();
                    assert!((f64::from(share) - wanted).abs() < 1e-6 * wanted.max(1e-3));
                }
            }
            let huge = log_sum(level, &[1e30, 1e30, -1e30]);
            assert!((huge - 1e30).abs() < 1e24, "{huge}");
        }
    }
}
