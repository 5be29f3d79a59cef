//! The exponential of `f32` without a table or a branch, so that loops over it become vector code.
//!
//! e^x = 2^n e^r with n the integer nearest to x / ln 2 and |r| at most ln 2 / 2, where the first
//! terms of the Taylor series of e^r suffice (Cody and Waite, "Software manual for the elementary
//! functions", 1980, ch. 6).

/// Adding 1.5 * 2^23 leaves the nearest integer in the low bits of a float's mantissa.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts; the first has few bits, so that its multiples are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Under this the result is no normal number.
const SMALLEST: f32 = -87.336_54;
/// Over this the result would be infinite.
const LARGEST: f32 = 88.0;

/// e^`x`: within 3e-7 of the result, 0 under -87.3, that of 88 over 88; NaN stays NaN.
#[inline(always)]
pub fn exponential(x: f32) -> f32 {
    let low = if x < SMALLEST { SMALLEST } else { x };
    let inside = if low > LARGEST { LARGEST } else { low };
    let shifted = inside * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = inside - whole * LN_2_HIGH - whole * LN_2_LOW;
    let mut sum = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = sum * rest + coefficient;
    }
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    let result = sum * f32::from_bits(exponent);
    if x < SMALLEST { 0.0 } else { result }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential_within_three_tenths_of_a_millionth() {
        for step in -87_000..88_000 {
            let x = step as f32 * 1e-3;
            let wanted = f64::from(x).exp();
            let error = (f64::from(exponential(x)) - wanted).abs() / wanted;
            assert!(error < 3e-7, "{x}: {error}");
        }
        assert_eq!(exponential(0.0), 1.0);
    }

    #[test]
    fn far_values_are_zero_or_large_and_nan_stays() {
        assert_eq!(exponential(f32::NEG_INFINITY), 0.0);
        assert_eq!(exponential(-100.0), 0.0);
        assert_eq!(exponential(f32::INFINITY), exponential(88.0));
        assert!(exponential(f32::NAN).is_nan());
    }
}
