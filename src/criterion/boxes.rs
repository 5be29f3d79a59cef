//! L1 and GIoU of one matched pair of boxes, with their gradients, in f64.
//!
//! Source: Rezatofighi et al., "Generalized intersection over union" (CVPR 2019). Where a side of
//! both boxes coincides the gradient is the mean of both directions, as torch has it.

/// The losses of a pair and their derivatives by the predicted cxcywh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PairLoss {
    pub l1: f64,
    pub l1_gradient: [f64; 4],
    /// 1 - GIoU, in [0, 2].
    pub giou: f64,
    pub giou_gradient: [f64; 4],
}

/// One side of two boxes: where they overlap and what encloses both.
#[derive(Debug, Clone, Copy)]
struct Side {
    size: f64,
    target_size: f64,
    shared: f64,
    around: f64,
    /// By the predicted low and high end.
    shared_gradient: [f64; 2],
    around_gradient: [f64; 2],
}

/// How much of `max(a, b)` follows `a`.
fn share_of_larger(a: f64, b: f64) -> f64 {
    match a.partial_cmp(&b) {
        Some(std::cmp::Ordering::Greater) => 1.0,
        Some(std::cmp::Ordering::Equal) => 0.5,
        _ => 0.0,
    }
}

impl Side {
    fn new((center, size): (f64, f64), (target_center, target_size): (f64, f64)) -> Side {
        let (low, high) = (center - size / 2.0, center + size / 2.0);
        let target_low = target_center - target_size / 2.0;
        let target_high = target_center + target_size / 2.0;
        let shared = high.min(target_high) - low.max(target_low);
        let overlap = if shared >= 0.0 { 1.0 } else { 0.0 };
        Side {
            size,
            target_size,
            shared: shared.max(0.0),
            around: high.max(target_high) - low.min(target_low),
            shared_gradient: [
                -overlap * share_of_larger(low, target_low),
                overlap * share_of_larger(target_high, high),
            ],
            around_gradient: [
                -share_of_larger(target_low, low),
                share_of_larger(high, target_high),
            ],
        }
    }
}

/// How the sides of a predicted box and of its target lie.
fn sides_of(predicted: &[f64; 4], target: &[f64; 4]) -> [Side; 2] {
    [0, 1].map(|axis| {
        Side::new((predicted[axis], predicted[axis + 2]), (target[axis], target[axis + 2]))
    })
}

/// The area that both boxes share, and that of both together.
fn areas([across, down]: &[Side; 2]) -> (f64, f64) {
    let shared = across.shared * down.shared;
    (shared, across.size * down.size + across.target_size * down.target_size - shared)
}

/// The IoU of a predicted box with its target; both cxcywh, the target of positive size.
pub(super) fn overlap(predicted: &[f32; 4], target: &[f32; 4]) -> f64 {
    let (shared, union) = areas(&sides_of(&predicted.map(f64::from), &target.map(f64::from)));
    shared / union
}

/// The losses of a predicted box against its target; both cxcywh, the target of positive size.
pub(super) fn pair_loss(predicted: &[f32; 4], target: &[f32; 4]) -> PairLoss {
    let (predicted, target) = (predicted.map(f64::from), target.map(f64::from));
    let differences: [f64; 4] = std::array::from_fn(|i| predicted[i] - target[i]);
    let sides = sides_of(&predicted, &target);
    let (shared, union) = areas(&sides);
    let around = sides[0].around * sides[1].around;
    let mut giou_gradient = [0.0; 4];
    for axis in 0..2 {
        let (side, other) = (sides[axis], sides[1 - axis]);
        // By the low and the high end; the area grows with the high end and shrinks with the low.
        let ends = [0, 1].map(|end| {
            let shared_slope = side.shared_gradient[end] * other.shared;
            let area_slope = if end == 0 { -other.size } else { other.size };
            let union_slope = area_slope - shared_slope;
            let around_slope = side.around_gradient[end] * other.around;
            let overlap_slope = (shared_slope * union - shared * union_slope) / (union * union);
            let fill_slope = (union_slope * around - union * around_slope) / (around * around);
            -overlap_slope - fill_slope
        });
        giou_gradient[axis] = ends[0] + ends[1];
        giou_gradient[axis + 2] = (ends[1] - ends[0]) / 2.0;
    }
    PairLoss {
        l1: differences.iter().map(|difference| difference.abs()).sum(),
        l1_gradient: differences.map(|d| if d == 0.0 { 0.0 } else { d.signum() }),
        giou: 2.0 - shared / union - union / around,
        giou_gradient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: [f32; 4] = [0.5, 0.4, 0.25, 0.5];

    #[test]
    fn known_pairs() {
        let same = pair_loss(&TARGET, &TARGET);
        assert_eq!((same.l1, same.giou), (0.0, 0.0));
        assert_eq!(same.l1_gradient, [0.0; 4]);
        // Two unit squares side by side, one apart: nothing shared, two thirds filled.
        let apart = pair_loss(&[0.5, 0.5, 1.0, 1.0], &[2.5, 0.5, 1.0, 1.0]);
        assert!((apart.giou - (2.0 - 2.0 / 3.0)).abs() < 1e-12 && apart.l1 == 2.0);
        let inside = pair_loss(&[0.5, 0.5, 0.5, 0.5], &[0.5, 0.5, 1.0, 1.0]);
        assert!((inside.giou - 0.75).abs() < 1e-12);
        assert_eq!(overlap(&TARGET, &TARGET), 1.0);
        assert_eq!(overlap(&[0.5, 0.5, 1.0, 1.0], &[2.5, 0.5, 1.0, 1.0]), 0.0);
        assert_eq!(overlap(&[0.5, 0.5, 0.5, 0.5], &[0.5, 0.5, 1.0, 1.0]), 0.25);
        assert_eq!(overlap(&[0.5, 0.4, 0.0, 0.0], &TARGET), 0.0);
    }

    #[test]
    fn gradients_are_finite_differences() {
        let boxes = [
            [0.45, 0.5, 0.375, 0.25],
            [0.55, 0.35, 0.125, 0.25],
            [0.1, 0.1, 0.0625, 0.125],
            [0.5, 0.5, 0.9375, 0.875],
            [0.9, 0.4375, 0.125, 0.0],
        ];
        // A power of two, so that the steps are exact in f32.
        let step = 0.5f32.powi(14);
        for bounds in boxes {
            let found = pair_loss(&bounds, &TARGET);
            for axis in 0..4 {
                let at = |sign: f32| {
                    let mut moved = bounds;
                    moved[axis] += sign * step;
                    let width = f64::from(moved[axis]);
                    (pair_loss(&moved, &TARGET), width)
                };
                let ((high, high_at), (low, low_at)) = (at(1.0), at(-1.0));
                let slope =
                    |loss: fn(&PairLoss) -> f64| (loss(&high) - loss(&low)) / (high_at - low_at);
                let giou = slope(|loss| loss.giou);
                let error = (giou - found.giou_gradient[axis]).abs();
                assert!(error < 1e-5 * giou.abs().max(1.0), "{bounds:?} {axis}: {giou} {found:?}");
                let l1 = slope(|loss| loss.l1);
                assert!((l1 - found.l1_gradient[axis]).abs() < 1e-9, "{bounds:?} {axis}");
            }
        }
    }
}
