//! A vector of floats and the few operations that the kernels need, for each level.

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

/// Floats of the narrowest vector that levels have.
pub const LEAST_WIDTH: usize = 8;

/// Floats that are worked on together.
///
/// # Safety
/// Every function may only be called where the level's instructions are enabled; pointers must be
/// good for `WIDTH` floats.
pub trait Lanes: Copy {
    /// Floats in a vector.
    const WIDTH: usize;
    type Vector: Copy;
    /// Vectors of [`LEAST_WIDTH`] floats, with instructions that this level has too.
    type Least: Lanes;

    unsafe fn splat(value: f32) -> Self::Vector;
    unsafe fn load(from: *const f32) -> Self::Vector;
    unsafe fn store(to: *mut f32, vector: Self::Vector);
    /// `a * b + c`, fused where the level can.
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn subtract(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The sum of the lanes of each of four vectors.
    unsafe fn sums(vectors: [Self::Vector; 4]) -> [f32; 4];
    /// The larger; a NaN in `a` gives `b`, a NaN in `b` gives NaN.
    unsafe fn maximum(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Asks for the cache line of `address`, which will be read. Any address will do.
    unsafe fn prefetch_to_read(address: *const f32);
    /// Asks for the cache line of `address`, which will be written. Any address will do.
    unsafe fn prefetch_to_write(address: *const f32);
}

/// Arrays of eight, which compilers turn into what the target has.
#[derive(Clone, Copy)]
pub struct Portable;

impl Lanes for Portable {
    const WIDTH: usize = 8;
    type Vector = [f32; 8];
    type Least = Portable;

    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; 8] {
        [value; 8]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; 8] {
        // SAFETY: the caller's promise; arrays of floats may lie at any float.
        unsafe { from.cast::<[f32; 8]>().read() }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, vector: [f32; 8]) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; 8]>().write(vector) }
    }

    #[inline(always)]
    unsafe fn multiply_add(a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|lane| a[lane] * b[lane] + c[lane])
    }

    #[inline(always)]
    unsafe fn add(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    unsafe fn subtract(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    unsafe fn maximum(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|lane| if a[lane] > b[lane] { a[lane] } else { b[lane] })
    }

    #[inline(always)]
    unsafe fn sums(vectors: [[f32; 8]; 4]) -> [f32; 4] {
        vectors.map(|lanes| {
            let [a, b, c, d] = std::array::from_fn(|lane| lanes[lane] + lanes[lane + 4]);
            (a + b) + (c + d)
        })
    }

    #[inline(always)]
    unsafe fn prefetch_to_read(_address: *const f32) {}

    #[inline(always)]
    unsafe fn prefetch_to_write(_address: *const f32) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::{Level, dispatch};

    /// Numbers in the widest vector.
    const WIDEST: usize = 16;

    type Numbers = [f32; WIDEST];

    /// What each operation answers for the same vectors, lane by lane.
    #[derive(Default)]
    struct Answers {
        width: usize,
        fused: Numbers,
        sum: Numbers,
        difference: Numbers,
        maximum: Numbers,
        sums: [f32; 4],
    }

    /// # Safety
    /// The level's instructions are enabled.
    #[inline(always)]
    unsafe fn kernel<L: Lanes>(a: &Numbers, b: &Numbers, answers: &mut Answers) {
        answers.width = L::WIDTH;
        // SAFETY: no vector is longer than the numbers.
        unsafe {
            let (left, right) = (L::load(a.as_ptr()), L::load(b.as_ptr()));
            let third = L::multiply_add(left, right, L::splat(1.0));
            L::store(answers.fused.as_mut_ptr(), third);
            L::store(answers.sum.as_mut_ptr(), L::add(left, right));
            L::store(answers.difference.as_mut_ptr(), L::subtract(left, right));
            L::store(answers.maximum.as_mut_ptr(), L::maximum(left, right));
            L::prefetch_to_read(a.as_ptr());
            L::prefetch_to_write(answers.fused.as_ptr());
            answers.sums = L::sums([left, right, L::splat(0.5), L::subtract(left, left)]);
        }
    }

    fn answers(level: Level, a: &Numbers, b: &Numbers) -> Answers {
        let mut found = Answers::default();
        let answers = &mut found;
        dispatch!(level, kernel(a: &Numbers, b: &Numbers, answers: &mut Answers));
        found
    }

    #[test]
    fn every_level_computes_what_its_lanes_say() {
        let a: Numbers = std::array::from_fn(|lane| lane as f32 - 4.0);
        let b: Numbers = std::array::from_fn(|lane| (lane * 7 % 5) as f32);
        for level in Level::available() {
            let found = answers(level, &a, &b);
            assert_eq!(found.width, level.width());
            for lane in 0..found.width {
                let (a, b) = (a[lane], b[lane]);
                let wanted = (a * b + 1.0, a + b, a - b, a.max(b));
                let found = (
                    found.fused[lane],
                    found.sum[lane],
                    found.difference[lane],
                    found.maximum[lane],
                );
                assert_eq!(found, wanted, "{level:?} {lane}");
            }
            let total = |numbers: &Numbers| numbers[..found.width].iter().sum::<f32>();
            let wanted = [total(&a), total(&b), 0.5 * found.width as f32, 0.0];
            assert_eq!(found.sums, wanted, "{level:?}");
        }
    }

    #[test]
    fn the_second_of_a_maximum_wins_unless_the_first_is_larger() {
        let pairs = [(f32::NAN, 1.0), (1.0, f32::NAN), (0.0, -0.0), (-0.0, 0.0)];
        let (mut a, mut b) = ([2.0; WIDEST], [1.0; WIDEST]);
        for (lane, (left, right)) in pairs.into_iter().enumerate() {
            // Once in either half of a vector of eight.
            (a[lane], b[lane], a[lane + 4], b[lane + 4]) = (left, right, left, right);
        }
        for level in Level::available() {
            let found = answers(level, &a, &b).maximum;
            for lane in 0..LEAST_WIDTH {
                assert_eq!(found[lane].to_bits(), b[lane].to_bits(), "{level:?} {lane}");
            }
        }
    }

    #[test]
    fn fused_levels_round_once() {
        let (a, b) = ([1.0 + f32::EPSILON; WIDEST], [1.0 - f32::EPSILON; WIDEST]);
        for level in Level::available() {
            let found = answers(level, &a, &b.map(|b| -b));
            // 1 - (1 + e)(1 - e) is e squared, which only a product that is not rounded holds.
            let wanted = if level == Level::Portable { 0.0 } else { f32::EPSILON * f32::EPSILON };
            assert!(found.fused[..found.width].iter().all(|x| *x == wanted), "{level:?}");
        }
    }
}
