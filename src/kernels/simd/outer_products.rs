//! Sums of outer products: what the gradient of weights is made of.
//!
//! The gradient of a weight is a sum over pixels, so the inner dimension is long and both
//! operands are read pixel by pixel. They are packed for it: six values of the left and up to 64
//! of the right for each pixel, one after the other. A tile of 6 by 64 sums stays in registers
//! over all pixels of a block, as in [`super::panels`].

use super::lanes::Lanes;
use super::{Level, dispatch};

/// Values of the left operand that are packed together.
pub const LEFT_WIDTH: usize = 6;
/// Most values of the right operand that are packed together.
pub const RIGHT_WIDTH: usize = 64;
/// Right operands are packed in multiples of this.
pub const RIGHT_ALIGNMENT: usize = 16;

/// The operands of one tile: pixel `p` is `left[p * LEFT_WIDTH..][..rows]` and
/// `right[p * columns..][..columns]`.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a> {
    pub left: &'a [f32],
    /// 1 to [`LEFT_WIDTH`].
    pub rows: usize,
    pub right: &'a [f32],
    /// A multiple of [`RIGHT_ALIGNMENT`], up to [`RIGHT_WIDTH`].
    pub columns: usize,
}

/// Adds the sum over `pixels` of `left[r] * right[c]` to `sums[r * stride + c]`, or writes it
/// where `overwrite`.
///
/// # Panics
/// When a slice is too short or a width is not as described.
pub fn add_outer_products(
    level: Level,
    operands: Operands<'_>,
    pixels: usize,
    overwrite: bool,
    (sums, stride): (&mut [f32], usize),
) {
    let Operands { left, rows, right, columns } = operands;
    assert!((1..=LEFT_WIDTH).contains(&rows) && (1..=RIGHT_WIDTH).contains(&columns));
    assert!(columns.is_multiple_of(RIGHT_ALIGNMENT) && stride >= columns);
    assert!(left.len() >= pixels * LEFT_WIDTH && right.len() >= pixels * columns);
    assert!(sums.len() >= (rows - 1) * stride + columns);
    let job = &Job { operands, pixels, overwrite, sums: sums.as_mut_ptr(), stride };
    dispatch!(level, kernel(job: &Job<'_>));
}

/// Sums whose operands have been checked.
struct Job<'a> {
    operands: Operands<'a>,
    pixels: usize,
    overwrite: bool,
    sums: *mut f32,
    stride: usize,
}

/// # Safety
/// The level's instructions are enabled; [`add_outer_products`] checked the rest.
#[inline(always)]
unsafe fn kernel<L: Lanes>(job: &Job<'_>) {
    // Four vectors of AVX-512's 32 registers, two of AVX2's 16 or of NEON's 16 pairs.
    let step = if L::WIDTH == RIGHT_ALIGNMENT { RIGHT_WIDTH } else { RIGHT_ALIGNMENT };
    for first in (0..job.operands.columns).step_by(step) {
        let vectors = step.min(job.operands.columns - first) / L::WIDTH;
        // SAFETY: columns `first..first + vectors * WIDTH` exist.
        unsafe {
            match vectors {
                1 => tiles::<L, 1>(job, first),
                2 => tiles::<L, 2>(job, first),
                3 => tiles::<L, 3>(job, first),
                _ => tiles::<L, 4>(job, first),
            }
        }
    }
}

/// # Safety
/// As [`kernel`]; `VECTORS` vectors from `first` on exist.
#[inline(always)]
unsafe fn tiles<L: Lanes, const VECTORS: usize>(job: &Job<'_>, first: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match job.operands.rows {
            1 => tile::<L, 1, VECTORS>(job, first),
            2 => tile::<L, 2, VECTORS>(job, first),
            3 => tile::<L, 3, VECTORS>(job, first),
            4 => tile::<L, 4, VECTORS>(job, first),
            5 => tile::<L, 5, VECTORS>(job, first),
            _ => tile::<L, LEFT_WIDTH, VECTORS>(job, first),
        }
    }
}

/// # Safety
/// As [`tiles`].
#[inline(always)]
unsafe fn tile<L: Lanes, const ROWS: usize, const VECTORS: usize>(job: &Job<'_>, first: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut left = job.operands.left.as_ptr();
        let mut right = job.operands.right.as_ptr().add(first);
        let mut sums = [[L::splat(0.0); VECTORS]; ROWS];
        // The sums take long enough for what they are added to to arrive.
        for line in 0..ROWS {
            for vector in 0..VECTORS {
                let to = job.sums.add(line * job.stride + first + vector * L::WIDTH);
                L::prefetch_to_write(to);
            }
        }
        for _ in 0..job.pixels {
            let factors: [L::Vector; VECTORS] =
                std::array::from_fn(|vector| L::load(right.add(vector * L::WIDTH)));
            for (line, sums) in sums.iter_mut().enumerate() {
                let value = L::splat(*left.add(line));
                for (sum, factor) in sums.iter_mut().zip(factors) {
                    *sum = L::multiply_add(value, factor, *sum);
                }
            }
            left = left.add(LEFT_WIDTH);
            right = right.add(job.operands.columns);
        }
        for (line, sums) in sums.into_iter().enumerate() {
            for (vector, sum) in sums.into_iter().enumerate() {
                let to = job.sums.add(line * job.stride + first + vector * L::WIDTH);
                let sum = if job.overwrite { sum } else { L::add(sum, L::load(to)) };
                L::store(to, sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random, StreamKey};

    fn draw(count: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::new(StreamKey::new(seed, Purpose::Sampling));
        (0..count).map(|_| random.uniform() as f32 - 0.5).collect()
    }

    #[test]
    fn every_level_agrees_with_three_loops_and_leaves_gaps_alone() {
        let pixels = 13;
        let left = draw(pixels * LEFT_WIDTH, 1);
        for columns in [16, 32, 48, 64] {
            let right = draw(pixels * columns, 2);
            let stride = columns + 3;
            for (rows, overwrite) in (1..=LEFT_WIDTH).flat_map(|rows| [(rows, false), (rows, true)])
            {
                for level in Level::available() {
                    let mut sums = vec![1.0; LEFT_WIDTH * stride];
                    let operands = Operands { left: &left, rows, right: &right, columns };
                    add_outer_products(level, operands, pixels, overwrite, (&mut sums, stride));
                    for (place, found) in sums.iter().enumerate() {
                        let (row, column) = (place / stride, place % stride);
                        let inside = row < rows && column < columns;
                        let product = |pixel: usize| {
                            left[pixel * LEFT_WIDTH + row] * right[pixel * columns + column]
                        };
                        let start = if inside && overwrite { 0.0 } else { 1.0 };
                        let sum = if inside { (0..pixels).map(product).sum::<f32>() } else { 0.0 };
                        assert!((found - start - sum).abs() < 1e-5, "{level:?} {rows} {columns}");
                    }
                }
            }
        }
    }
}
