//! Plain loops, compiled once for each level and chosen when the program runs.
//!
//! A [`Kernel`] is safe Rust over slices and arrays, generic in its number type; what makes it
//! fast is that its loops are compiled where the level's instructions are enabled, so that the
//! compiler may use them. Sums keep the order in which they are written.

use super::Level;
use num_traits::Float;

/// How a level multiplies and adds.
pub trait Arithmetic {
    /// `a * b + c`, rounded once where the level has an instruction for it.
    fn multiply_add<T: Float>(a: T, b: T, c: T) -> T;
}

/// Levels with fused multiply-add.
#[derive(Debug, Clone, Copy)]
pub struct Fused;

impl Arithmetic for Fused {
    #[inline(always)]
    fn multiply_add<T: Float>(a: T, b: T, c: T) -> T {
        a.mul_add(b, c)
    }
}

/// Levels without, where a fused operation would be a call of a function.
#[derive(Debug, Clone, Copy)]
pub struct Separate;

impl Arithmetic for Separate {
    #[inline(always)]
    fn multiply_add<T: Float>(a: T, b: T, c: T) -> T {
        a * b + c
    }
}

/// Work that is compiled for every level.
pub trait Kernel {
    /// Does the work. It and what it calls must be `#[inline(always)]`: only inside a function
    /// that enables the instructions does the compiler use them.
    fn run<A: Arithmetic>(self);
}

/// Runs `kernel` as compiled for `level`.
///
/// # Panics
/// When this processor lacks the level.
pub fn run<K: Kernel>(level: Level, kernel: K) {
    level.check();
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f")]
        fn wide<K: Kernel>(kernel: K) {
            kernel.run::<Fused>();
        }
        #[target_feature(enable = "avx2,fma")]
        fn middle<K: Kernel>(kernel: K) {
            kernel.run::<Fused>();
        }
        match level {
            // SAFETY: `check` proved that this processor has the instructions.
            Level::Avx512 => unsafe { wide(kernel) },
            // SAFETY: as above.
            Level::Avx2 => unsafe { middle(kernel) },
            _ => kernel.run::<Separate>(),
        }
    }
    // NEON is in the target's baseline, so that there the portable level differs in rounding alone.
    #[cfg(not(target_arch = "x86_64"))]
    match level {
        Level::Neon => kernel.run::<Fused>(),
        _ => kernel.run::<Separate>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scale<'a> {
        from: &'a [f32],
        to: &'a mut [f32],
    }

    impl Kernel for Scale<'_> {
        #[inline(always)]
        fn run<A: Arithmetic>(self) {
            for (to, from) in self.to.iter_mut().zip(self.from) {
                *to = A::multiply_add(*from, 2.0, *to);
            }
        }
    }

    #[test]
    fn every_level_does_the_work() {
        let from: Vec<f32> = (0..37).map(|index| index as f32).collect();
        for level in Level::available() {
            let mut to = vec![1.0; 37];
            run(level, Scale { from: &from, to: &mut to });
            assert!(to.iter().zip(&from).all(|(to, from)| *to == 2.0 * from + 1.0), "{level:?}");
        }
    }
}
