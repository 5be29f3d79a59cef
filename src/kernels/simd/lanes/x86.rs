//! AVX2 and AVX-512: one instruction for each operation.

use super::Lanes;
use std::arch::x86_64::*;

/// The sum of the lanes of each vector.
///
/// # Safety
/// AVX is enabled.
#[inline(always)]
unsafe fn sums_of_eight([a, b, c, d]: [__m256; 4]) -> [f32; 4] {
    // SAFETY: the caller's promise; the array is as long as a vector of four.
    unsafe {
        let quarters = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
        let low = _mm256_castps256_ps128(quarters);
        let mut sums = [0.0; 4];
        let high = _mm256_extractf128_ps::<1>(quarters);
        _mm_storeu_ps(sums.as_mut_ptr(), _mm_add_ps(low, high));
        sums
    }
}

/// The vector as it is.
///
/// # Safety
/// AVX is enabled.
#[inline(always)]
unsafe fn whole(vector: __m256) -> __m256 {
    vector
}

/// The sum of both halves.
///
/// # Safety
/// AVX-512F is enabled.
#[inline(always)]
unsafe fn halves_added(vector: __m512) -> __m256 {
    // SAFETY: the caller's promise.
    unsafe {
        let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(vector));
        _mm256_add_ps(_mm512_castps512_ps256(vector), _mm256_castpd_ps(high))
    }
}

/// Writes the operations of one level as single instructions.
macro_rules! lanes {
    ($name:ident, $doc:literal, $width:literal, $vector:ty, $splat:ident, $load:ident,
     $store:ident, $multiply_add:ident, $add:ident, $subtract:ident, $maximum:ident,
     $halves:ident) => {
        #[doc = $doc]
        #[derive(Clone, Copy)]
        pub struct $name;

        // SAFETY (each call below): the trait's promise that the instructions are enabled
        // and the pointers good.
        impl Lanes for $name {
            const WIDTH: usize = $width;
            type Vector = $vector;
            type Least = Avx2;

            #[inline(always)]
            unsafe fn splat(value: f32) -> $vector {
                unsafe { $splat(value) }
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> $vector {
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn store(to: *mut f32, vector: $vector) {
                unsafe { $store(to, vector) }
            }

            #[inline(always)]
            unsafe fn multiply_add(a: $vector, b: $vector, c: $vector) -> $vector {
                unsafe { $multiply_add(a, b, c) }
            }

            #[inline(always)]
            unsafe fn add(a: $vector, b: $vector) -> $vector {
                unsafe { $add(a, b) }
            }

            #[inline(always)]
            unsafe fn subtract(a: $vector, b: $vector) -> $vector {
                unsafe { $subtract(a, b) }
            }

            #[inline(always)]
            unsafe fn maximum(a: $vector, b: $vector) -> $vector {
                unsafe { $maximum(a, b) }
            }

            #[inline(always)]
            unsafe fn sums(vectors: [$vector; 4]) -> [f32; 4] {
                // No closure: it would be compiled without the level's instructions.
                let [a, b, c, d] = vectors;
                unsafe { sums_of_eight([$halves(a), $halves(b), $halves(c), $halves(d)]) }
            }

            #[inline(always)]
            unsafe fn prefetch_to_read(address: *const f32) {
                unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
            }

            #[inline(always)]
            unsafe fn prefetch_to_write(address: *const f32) {
                unsafe { _mm_prefetch::<_MM_HINT_ET0>(address.cast()) }
            }
        }
    };
}

lanes!(
    Avx2,
    "AVX2 and FMA.",
    8,
    __m256,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_max_ps,
    whole
);
lanes!(
    Avx512,
    "AVX-512F.",
    16,
    __m512,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_max_ps,
    halves_added
);
