//! NEON: pairs of vectors of four, so that packed matrices are those of eight lanes.
//!
//! A pair costs nothing: the processor has 32 registers, and two vectors in flight where others
//! have one hide as much of an addition's time.

use super::Lanes;
use std::arch::aarch64::*;
use std::arch::asm;

/// Floats in one vector.
const HALF: usize = 4;

/// NEON, which every 64-bit ARM processor has.
#[derive(Clone, Copy)]
pub struct Neon;

// SAFETY (each call below): NEON is in the target's baseline, and pointers are good by the trait's
// promise.
impl Lanes for Neon {
    const WIDTH: usize = 2 * HALF;
    type Vector = [float32x4_t; 2];
    type Least = Neon;

    #[inline(always)]
    unsafe fn splat(value: f32) -> [float32x4_t; 2] {
        unsafe { [vdupq_n_f32(value); 2] }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [float32x4_t; 2] {
        unsafe { [vld1q_f32(from), vld1q_f32(from.add(HALF))] }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, [low, high]: [float32x4_t; 2]) {
        unsafe {
            vst1q_f32(to, low);
            vst1q_f32(to.add(HALF), high);
        }
    }

    #[inline(always)]
    unsafe fn multiply_add(
        a: [float32x4_t; 2],
        b: [float32x4_t; 2],
        c: [float32x4_t; 2],
    ) -> [float32x4_t; 2] {
        unsafe { [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn add(a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
        unsafe { [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn subtract(a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
        unsafe { [vsubq_f32(a[0], b[0]), vsubq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [[float32x4_t; 2]; 4]) -> [f32; 4] {
        unsafe {
            let [a, b, c, d] = [halves(a), halves(b), halves(c), halves(d)];
            let mut sums = [0.0; 4];
            vst1q_f32(sums.as_mut_ptr(), vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
            sums
        }
    }

    #[inline(always)]
    unsafe fn maximum(a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
        unsafe { [larger(a[0], b[0]), larger(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn prefetch_to_read(address: *const f32) {
        unsafe { asm!("prfm pldl1keep, [{0}]", in(reg) address.addr(), options(nomem, nostack)) }
    }

    #[inline(always)]
    unsafe fn prefetch_to_write(address: *const f32) {
        unsafe { asm!("prfm pstl1keep, [{0}]", in(reg) address.addr(), options(nomem, nostack)) }
    }
}

/// The sum of both vectors of a pair.
///
/// # Safety
/// NEON is enabled.
#[inline(always)]
unsafe fn halves([low, high]: [float32x4_t; 2]) -> float32x4_t {
    // SAFETY: the caller's promise.
    unsafe { vaddq_f32(low, high) }
}

/// The larger by a comparison: NEON's own maximum answers NaN for a NaN on either side.
///
/// # Safety
/// NEON is enabled.
#[inline(always)]
unsafe fn larger(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    // SAFETY: the caller's promise.
    unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) }
}
