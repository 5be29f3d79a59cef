//! The crate's one module of vector instructions: levels, and the kernels that pay for them.
//!
//! Each kernel is written once over [`lanes::Lanes`] and compiled for every level; the level is
//! found when the program runs. Callers see safe functions over slices. The order of the sums in
//! a kernel does not depend on how the work was cut, so results differ between levels (fused
//! multiply-add, or not) but never between thread counts.

pub mod assignment;
pub mod bilinear;
pub mod class_loss;
pub mod elementary;
pub mod finite;
pub mod gram;
mod lanes;
pub mod max_pool;
pub mod outer_products;
pub mod panels;
pub mod plain;
pub mod rows;
pub mod score_int8;
pub mod winograd;

use std::sync::OnceLock;

/// Chooses a level for the whole process, to compare levels or to reproduce another machine's bits.
pub const LEVEL_VARIABLE: &str = "SIMDETR_SIMD";

/// The instruction sets that kernels are compiled for, from the plainest to the widest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Plain Rust, on any processor.
    Portable,
    /// NEON with fused multiply-add, on every 64-bit ARM processor: eight lanes, in pairs of four.
    Neon,
    /// AVX2 with fused multiply-add: eight lanes.
    Avx2,
    /// AVX-512F: sixteen lanes, 32 registers.
    Avx512,
}

impl Level {
    /// The widest level of this processor, or the one that the environment variable `SIMDETR_SIMD`
    /// names, where the processor has it.
    pub fn best() -> Level {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| {
            let (available, widest) = (Level::available(), Level::widest());
            let Ok(asked) = std::env::var(LEVEL_VARIABLE) else { return widest };
            let found = available.iter().find(|level| level.name() == asked);
            found.copied().unwrap_or_else(|| {
                let names: Vec<_> = available.iter().map(|level| level.name()).collect();
                log::warn!("{LEVEL_VARIABLE}: `{asked}` is none of {names:?}; using {widest:?}");
                widest
            })
        })
    }

    fn widest() -> Level {
        static WIDEST: OnceLock<Level> = OnceLock::new();
        *WIDEST.get_or_init(|| *Level::available().last().unwrap_or(&Level::Portable))
    }

    /// Every level that this processor can run, plainest first.
    pub fn available() -> Vec<Level> {
        let levels = [Level::Portable, Level::Neon, Level::Avx2, Level::Avx512];
        levels.into_iter().filter(|level| level.is_available()).collect()
    }

    fn is_available(self) -> bool {
        match self {
            Level::Portable => true,
            Level::Neon => cfg!(target_arch = "aarch64"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Level::Avx2.is_available() && is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 | Level::Avx512 => false,
        }
    }

    /// The name that `run.toml` records.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Neon => "neon",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }

    /// Floats in one vector.
    pub fn width(self) -> usize {
        match self {
            Level::Portable | Level::Neon | Level::Avx2 => 8,
            Level::Avx512 => 16,
        }
    }

    /// Refuses a level that this processor lacks: the kernels would be undefined there.
    fn check(self) {
        assert!(self.is_available(), "this processor lacks {}", self.name());
    }
}

/// Calls `kernel::<Lanes>(variables)` compiled for a level; the variables are named with their
/// types.
///
/// The kernel must be `#[inline(always)]`: only inside a function that enables the instructions
/// do its vector operations become single instructions.
macro_rules! dispatch {
    ($level:expr, $kernel:ident($($name:ident : $type:ty),* $(,)?)) => {{
        let level: $crate::kernels::simd::Level = $level;
        level.check();
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f")]
            unsafe fn wide($($name: $type),*) {
                // SAFETY: the instructions are enabled; the rest is the caller's promise.
                unsafe { $kernel::<$crate::kernels::simd::lanes::Avx512>($($name),*) }
            }
            #[target_feature(enable = "avx2,fma")]
            unsafe fn middle($($name: $type),*) {
                // SAFETY: as above.
                unsafe { $kernel::<$crate::kernels::simd::lanes::Avx2>($($name),*) }
            }
            // SAFETY: `check` proved that this processor has the instructions; the rest is the
            // caller's promise.
            unsafe {
                match level {
                    $crate::kernels::simd::Level::Avx512 => wide($($name),*),
                    $crate::kernels::simd::Level::Avx2 => middle($($name),*),
                    _ => $kernel::<$crate::kernels::simd::lanes::Portable>($($name),*),
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the caller's promise; the target's baseline has the instructions.
        unsafe {
            match level {
                $crate::kernels::simd::Level::Neon => {
                    $kernel::<$crate::kernels::simd::lanes::Neon>($($name),*)
                }
                _ => $kernel::<$crate::kernels::simd::lanes::Portable>($($name),*),
            }
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        // SAFETY: the caller's promise; this level needs no instructions.
        unsafe {
            $kernel::<$crate::kernels::simd::lanes::Portable>($($name),*)
        }
    }};
}
pub(crate) use dispatch;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_level_is_available_and_portable_always_is() {
        let levels = Level::available();
        assert_eq!(levels[0], Level::Portable);
        assert_eq!(levels.last(), Some(&Level::widest()));
        assert!(levels.contains(&Level::best()));
    }
}
