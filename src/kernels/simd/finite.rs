//! Whether numbers are finite.

use super::lanes::Lanes;
use super::{Level, dispatch};

/// Numbers that are looked at together.
const CHUNK: usize = 64;

/// Whether no value is NaN or infinite.
pub fn all_finite(level: Level, values: &[f32]) -> bool {
    let mut answer = true;
    let finite = &mut answer;
    dispatch!(level, kernel(values: &[f32], finite: &mut bool));
    answer
}

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn kernel<L: Lanes>(values: &[f32], finite: &mut bool) {
    // Zero times a finite number is 0, and NaN otherwise; sums of either stay what they are.
    let mut sums = [0.0f32; CHUNK];
    let (chunks, rest) = values.as_chunks::<CHUNK>();
    for chunk in chunks {
        for lane in 0..CHUNK {
            sums[lane] += chunk[lane] * 0.0;
        }
    }
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum += value * 0.0;
    }
    *finite = sums.iter().fold(true, |all, sum| all & (*sum == 0.0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_number_anywhere_is_found() {
        for level in Level::available() {
            for length in [0, 1, 63, 64, 200] {
                let mut values: Vec<f32> = (0..length).map(|i| i as f32 * 1e30 - 1e31).collect();
                assert!(all_finite(level, &values), "{level:?} {length}");
                for place in 0..length {
                    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                        let even = std::mem::replace(&mut values[place], odd);
                        assert!(!all_finite(level, &values), "{level:?} {length} {place} {odd}");
                        values[place] = even;
                    }
                }
            }
        }
    }
}
