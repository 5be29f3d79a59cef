//! Logarithms and sigmoids without branches, for loops that the compiler turns into vectors.
//!
//! Plain functions of one number: inside a kernel that is compiled for a level, a loop over an
//! array of them becomes that level's instructions.

pub use crate::kernels::exponential::exponential;

/// `ln(1 + x) / x` on [0, 1], least squares in the Chebyshev points, highest power first.
const LN_1P: [f32; 9] = [
    0.0051058256,
    -0.028991956,
    0.07738074,
    -0.135906,
    0.1907131,
    -0.24833946,
    0.33317935,
    -0.49999437,
    0.99999994,
];

/// `ln(1 + x)` for `x` in [0, 1], within 3e-7 of the true value however small.
#[inline(always)]
pub fn logarithm_of_one_plus(x: f32) -> f32 {
    let mut series = LN_1P[0];
    for coefficient in &LN_1P[1..] {
        series = series * x + coefficient;
    }
    series * x
}

/// `ln(x)` for positive normal `x`, within 3e-7 of it or of 1.
#[inline(always)]
pub fn logarithm(x: f32) -> f32 {
    const MANTISSA: u32 = 0x007F_FFFF;
    let bits = x.to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let mantissa = f32::from_bits((bits & MANTISSA) | 1.0f32.to_bits());
    exponent as f32 * std::f32::consts::LN_2 + logarithm_of_one_plus(mantissa - 1.0)
}

/// What one logit says under a sigmoid.
#[derive(Debug, Clone, Copy)]
pub struct Sigmoid {
    /// The probability.
    pub yes: f32,
    /// One minus the probability, to its own last bits.
    pub no: f32,
    /// -ln(yes).
    pub yes_loss: f32,
    /// -ln(no).
    pub no_loss: f32,
}

/// Probability and losses of a logit, finite and without cancellation for every finite `x`.
#[inline(always)]
pub fn sigmoid(x: f32) -> Sigmoid {
    let positive = x > 0.0;
    let size = if positive { x } else { -x };
    let small = exponential(-size);
    let near = 1.0 / (1.0 + small);
    let far = small * near;
    let low = logarithm_of_one_plus(small);
    let high = size + low;
    Sigmoid {
        yes: if positive { near } else { far },
        no: if positive { far } else { near },
        yes_loss: if positive { low } else { high },
        no_loss: if positive { high } else { low },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_close_wherever_they_are_used() {
        for step in -8700..800 {
            let x = step as f32 * 0.01;
            let number = exponential(x);
            let wanted = f64::from(number).ln();
            let error = (f64::from(logarithm(number)) - wanted).abs() / wanted.abs().max(1.0);
            assert!(error < 3e-7, "ln({number}): error {error}");
            let share = exponential(x.min(0.0));
            let wanted = f64::from(share).ln_1p();
            let error = (f64::from(logarithm_of_one_plus(share)) - wanted).abs() / wanted;
            assert!(error < 3e-7, "ln(1 + {share}): relative error {error}");
        }
    }

    #[test]
    fn sigmoids_have_no_cancellation_on_either_side() {
        for step in -800..=800 {
            let x = step as f32 * 0.1;
            let found = sigmoid(x);
            let exact = f64::from(x);
            let pairs = [
                (found.yes, 1.0 / (1.0 + (-exact).exp())),
                (found.no, 1.0 / (1.0 + exact.exp())),
                (found.yes_loss, (-exact).exp().ln_1p()),
                (found.no_loss, exact.exp().ln_1p()),
            ];
            for (found, wanted) in pairs {
                assert!((f64::from(found) - wanted).abs() < 1e-6 * wanted, "{x}: {found} {wanted}");
            }
        }
        let far = sigmoid(-1e30);
        assert!(far.yes < 1e-37 && far.no == 1.0 && far.yes_loss == 1e30);
    }
}
