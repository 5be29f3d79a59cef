//! Row kernels of the global clustering: inner products of one row with many, exact sums, and
//! rounding to 8 bits.

use super::lanes::Lanes;
use super::{Level, dispatch};

/// `scores[i]` becomes the inner product of `row` with row `picks[i]` of `matrix`, whose rows
/// have the length of `row`. The order of the sum depends on the length and the level alone.
///
/// # Panics
/// When a pick lies outside `matrix` or `scores` has another length than `picks`.
pub fn products(level: Level, row: &[f32], matrix: &[f32], picks: &[u32], scores: &mut [f32]) {
    assert_eq!(picks.len(), scores.len());
    let count = matrix.len() / row.len().max(1);
    assert!(picks.iter().all(|pick| (*pick as usize) < count), "a pick is outside {count} rows");
    dispatch!(
        level,
        products_kernel(row: &[f32], matrix: &[f32], picks: &[u32], scores: &mut [f32])
    );
}

/// Independent partial sums, enough to keep the adders busy.
const CHAINS: usize = 4;

/// # Safety
/// The level's instructions are enabled; every pick is a row of the matrix.
#[inline(always)]
unsafe fn products_kernel<L: Lanes>(
    row: &[f32],
    matrix: &[f32],
    picks: &[u32],
    scores: &mut [f32],
) {
    let length = row.len();
    let whole = length - length % (CHAINS * L::WIDTH);
    for (pick, score) in picks.iter().zip(scores) {
        let other = &matrix[*pick as usize * length..][..length];
        // SAFETY: `CHAINS` vectors from `at` on lie below `whole` in both rows; `lanes` is as
        // long as the widest vector.
        let mut sum = unsafe {
            let mut chains = [L::splat(0.0); CHAINS];
            for at in (0..whole).step_by(CHAINS * L::WIDTH) {
                for (chain, sum) in chains.iter_mut().enumerate() {
                    let at = at + chain * L::WIDTH;
                    let (a, b) = (L::load(row.as_ptr().add(at)), L::load(other.as_ptr().add(at)));
                    *sum = L::multiply_add(a, b, *sum);
                }
            }
            let pairs = (L::add(chains[0], chains[1]), L::add(chains[2], chains[3]));
            let mut lanes = [0.0f32; 16];
            L::store(lanes.as_mut_ptr(), L::add(pairs.0, pairs.1));
            for half in [8, 4, 2, 1] {
                for lane in 0..half {
                    lanes[lane] += lanes[lane + half];
                }
            }
            lanes[0]
        };
        for (a, b) in row[whole..].iter().zip(&other[whole..]) {
            sum += a * b;
        }
        *score = sum;
    }
}

/// Adds `row`, times `scale` and rounded to the nearest integers, to `sums`. Exact while
/// `row * scale` stays under 2^51.
///
/// # Panics
/// When the lengths differ.
pub fn add_fixed_point(level: Level, sums: &mut [i64], row: &[f32], scale: f64) {
    assert_eq!(sums.len(), row.len());
    dispatch!(level, add_kernel(sums: &mut [i64], row: &[f32], scale: f64));
}

/// Adding 1.5 * 2^52 leaves the nearest integer in the low bits of a double's mantissa.
const ROUND_F64: f64 = 6_755_399_441_055_744.0;

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn add_kernel<L: Lanes>(sums: &mut [i64], row: &[f32], scale: f64) {
    for (sum, value) in sums.iter_mut().zip(row) {
        let rounded = (f64::from(*value) * scale + ROUND_F64).to_bits();
        *sum = sum.wrapping_add(rounded.wrapping_sub(ROUND_F64.to_bits()) as i64);
    }
}

/// A row that was rounded to 8 bits: what it stands for is `scale` times its integers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rounded {
    pub scale: f32,
    /// Sum of the integers.
    pub sum: i32,
    /// Length of what the integers stand for.
    pub length: f32,
    /// Length of the difference to the row itself.
    pub error: f32,
}

/// Rounds `row - center` to integers in [-127, 127] with the finest scale that holds them.
/// `integers` may be longer than `row`; its end becomes 0. `centered` gets `row - center`.
///
/// # Panics
/// When `center` or `centered` are not as long as `row`, or `integers` is shorter.
pub fn round_to_i8(
    level: Level,
    row: &[f32],
    center: &[f32],
    centered: &mut [f32],
    integers: &mut [i8],
) -> Rounded {
    assert!(row.len() == center.len() && row.len() == centered.len());
    let (front, end) = integers.split_at_mut(row.len());
    end.fill(0);
    let mut rounded = Rounded::default();
    let answer = &mut rounded;
    dispatch!(
        level,
        round_kernel(
            row: &[f32],
            center: &[f32],
            centered: &mut [f32],
            front: &mut [i8],
            answer: &mut Rounded,
        )
    );
    rounded
}

/// Adding 1.5 * 2^23 leaves the nearest integer in the low bits of a float's mantissa.
const ROUND_F32: f32 = 12_582_912.0;
/// Stands in for the largest number of a row of zeros, so that its inverse is finite.
const LARGEST_MIN: f32 = 1e-30;
/// Partial sums that a compiler can keep in one vector register.
const WIDE: usize = 16;

/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn round_kernel<L: Lanes>(
    row: &[f32],
    center: &[f32],
    centered: &mut [f32],
    integers: &mut [i8],
    answer: &mut Rounded,
) {
    let mut largest = [0.0f32; WIDE];
    let (rows, row_end) = row.as_chunks::<WIDE>();
    let (centers, center_end) = center.as_chunks::<WIDE>();
    let (outputs, output_end) = centered.as_chunks_mut::<WIDE>();
    for ((output, row), center) in outputs.iter_mut().zip(rows).zip(centers) {
        subtract(output, row, center, &mut largest);
    }
    subtract(output_end, row_end, center_end, &mut largest);
    let largest = largest.into_iter().fold(LARGEST_MIN, f32::max);
    let (scale, inverse) = (largest / 127.0, 127.0 / largest);
    let mut sums = RoundingSums::default();
    let (integers, integer_end) = integers.as_chunks_mut::<WIDE>();
    for (centered, integers) in outputs.iter().zip(integers) {
        sums.round(centered, integers, scale, inverse);
    }
    sums.round(output_end, integer_end, scale, inverse);
    let squares: i64 = sums.squares.into_iter().map(i64::from).sum();
    *answer = Rounded {
        scale,
        sum: sums.integers.into_iter().sum(),
        length: scale * (squares as f32).sqrt(),
        error: sums.errors.into_iter().sum::<f32>().sqrt(),
    };
}

/// `output = row - center`, and the largest absolute value of each lane; up to [`WIDE`] numbers.
#[inline(always)]
fn subtract(output: &mut [f32], row: &[f32], center: &[f32], largest: &mut [f32; WIDE]) {
    for (((output, row), center), largest) in output.iter_mut().zip(row).zip(center).zip(largest) {
        *output = row - center;
        // Not `f32::max`, whose rules for NaN cost a second instruction.
        *largest = if output.abs() > *largest { output.abs() } else { *largest };
    }
}

/// What rounding adds up, lane by lane.
#[derive(Default)]
struct RoundingSums {
    integers: [i32; WIDE],
    squares: [i32; WIDE],
    errors: [f32; WIDE],
}

impl RoundingSums {
    /// Rounds up to [`WIDE`] numbers.
    #[inline(always)]
    fn round(&mut self, centered: &[f32], integers: &mut [i8], scale: f32, inverse: f32) {
        for (lane, (value, integer)) in centered.iter().zip(integers).enumerate() {
            let shifted = value * inverse + ROUND_F32;
            let rounded = shifted.to_bits().wrapping_sub(ROUND_F32.to_bits()) as i32;
            let error = value - (shifted - ROUND_F32) * scale;
            *integer = rounded as i8;
            self.integers[lane] += rounded;
            self.squares[lane] += rounded * rounded;
            self.errors[lane] += error * error;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random, StreamKey};

    fn draw(count: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::new(StreamKey::new(seed, Purpose::Sampling));
        (0..count).map(|_| random.normal() as f32).collect()
    }

    #[test]
    fn products_are_those_of_f64_at_every_level_and_length() {
        for level in Level::available() {
            for length in [1, 3, 8, 31, 64, 100, 257] {
                let (row, matrix) = (draw(length, 1), draw(length * 5, 2));
                let mut scores = [0.0; 4];
                products(level, &row, &matrix, &[4, 0, 2, 4], &mut scores);
                for (pick, score) in [4, 0, 2, 4].into_iter().zip(scores) {
                    let other = &matrix[pick * length..][..length];
                    let exact: f64 =
                        row.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    assert!((f64::from(score) - exact).abs() < 1e-4, "{level:?} {length}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "outside 2 rows")]
    fn a_pick_outside_the_matrix_is_refused() {
        products(Level::Portable, &[1.0, 2.0], &[0.0; 4], &[2], &mut [0.0]);
    }

    #[test]
    fn fixed_point_sums_round_to_nearest() {
        for level in Level::available() {
            let mut sums = vec![1i64; 19];
            let row: Vec<f32> = (0..19).map(|index| index as f32 * 0.3 - 3.0).collect();
            add_fixed_point(level, &mut sums, &row, 4.0);
            for (sum, value) in sums.iter().zip(&row) {
                assert_eq!(*sum, 1 + (f64::from(*value) * 4.0).round_ties_even() as i64);
            }
        }
    }

    #[test]
    fn rounding_says_how_much_it_lost() {
        for level in Level::available() {
            for length in [1, 15, 16, 50] {
                let (row, center) = (draw(length, 3), draw(length, 4));
                let mut centered = vec![0.0; length];
                let mut integers = vec![7i8; length + 3];
                let rounded = round_to_i8(level, &row, &center, &mut centered, &mut integers);
                assert_eq!(integers[length..], [0; 3]);
                let (mut error, mut square, mut sum) = (0.0, 0.0, 0);
                for index in 0..length {
                    let exact = f64::from(row[index] - center[index]);
                    let stands_for = f64::from(integers[index]) * f64::from(rounded.scale);
                    assert!((exact - stands_for).abs() <= f64::from(rounded.scale) * 0.5001);
                    error += (exact - stands_for).powi(2);
                    square += stands_for.powi(2);
                    sum += i32::from(integers[index]);
                }
                assert_eq!(rounded.sum, sum);
                assert!((f64::from(rounded.error) - error.sqrt()).abs() < 1e-5);
                assert!((f64::from(rounded.length) - square.sqrt()).abs() < 1e-4);
            }
            let zero = round_to_i8(level, &[2.0], &[2.0], &mut [9.0], &mut [9]);
            assert_eq!((zero.sum, zero.length, zero.error), (0, 0.0, 0.0));
        }
    }
}
