//! Sums and maxima along rows in a fixed order that vector instructions can follow.

use crate::nn::cpu::Real;

/// Partial results of one row: a whole vector register of `f32` on every level.
pub(super) const LANES: usize = 16;

/// Sum of `term` over the places of rows of equal length.
#[inline(always)]
pub(super) fn sum_of<T: Real, const N: usize>(rows: [&[T]; N], term: impl Fn([T; N]) -> T) -> T {
    let mut sums = [T::ZERO; LANES];
    let chunks = rows.map(|row| row.as_chunks::<LANES>().0);
    let rests = rows.map(|row| row.as_chunks::<LANES>().1);
    for place in 0..chunks[0].len() {
        let parts = chunks.map(|chunk| &chunk[place]);
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += term(parts.map(|part| part[lane]));
        }
    }
    for (lane, sum) in sums[..rests[0].len()].iter_mut().enumerate() {
        *sum += term(rests.map(|rest| rest[lane]));
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
    }
    sums[0]
}

/// `change` of every number of a row, whole registers at a time however short the row.
#[inline(always)]
pub(super) fn change_all<T: Real>(row: &mut [T], change: impl Fn(T) -> T) {
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for value in chunk {
            *value = change(*value);
        }
    }
    for value in rest {
        *value = change(*value);
    }
}

/// The largest number of a row, minus infinity of none; a NaN is never the largest.
#[inline(always)]
pub(super) fn largest<T: Real>(row: &[T]) -> T {
    let mut most = [T::neg_infinity(); LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (most, value) in most.iter_mut().zip(chunk) {
            *most = larger(*value, *most);
        }
    }
    for (most, value) in most.iter_mut().zip(rest) {
        *most = larger(*value, *most);
    }
    // Four chains of comparisons instead of one long one.
    let (quarters, _) = most.as_chunks::<4>();
    let mut most = quarters[0];
    for quarter in &quarters[1..] {
        for (most, value) in most.iter_mut().zip(quarter) {
            *most = larger(*value, *most);
        }
    }
    larger(larger(most[0], most[1]), larger(most[2], most[3]))
}

#[inline(always)]
fn larger<T: Real>(left: T, right: T) -> T {
    if left > right { left } else { right }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_every_length_are_reduced_whole() {
        for length in [0usize, 1, 15, 16, 17, 50] {
            let row: Vec<f64> = (0..length).map(|place| (place * 7 % 11) as f64).collect();
            assert_eq!(
                sum_of([&row, &row], |[a, b]| a * b),
                row.iter().map(|x| x * x).sum::<f64>()
            );
            assert_eq!(largest(&row), row.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        }
    }
}
