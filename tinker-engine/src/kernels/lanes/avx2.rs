//! 8 lanes of AVX2 with FMA and F16C.

use std::arch::x86_64::{
    __m256, __m256i, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _MM_HINT_T0, _mm_load_ss,
    _mm_loadl_epi64, _mm_loadu_si128, _mm_prefetch, _mm256_add_epi32, _mm256_add_ps,
    _mm256_broadcastss_ps, _mm256_castsi256_ps, _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps,
    _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_cvtps_epi32, _mm256_div_ps, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_loadu_si256, _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_max_ps,
    _mm256_min_ps, _mm256_mul_ps, _mm256_round_ps, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_slli_epi32, _mm256_sqrt_ps, _mm256_storeu_ps, _mm256_sub_ps,
};

use half::{bf16, f16};

use super::Lanes;

/// One 256-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256);

/// Eight lanes that are set, then eight that are clear: every mask is a window into it.
static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

#[inline(always)]
unsafe fn first(n: usize) -> __m256i {
    // SAFETY: AVX2 by the caller's contract; the window starts at 8 - n and ends at 16 - n.
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - n).cast()) }
}

// SAFETY (whole impl): the trait's contract gives AVX2, FMA and valid pointers; the bodies are
// intrinsics with exactly these needs.
#[expect(unsafe_op_in_unsafe_fn, reason = "each method is one or two instructions")]
#[rustfmt::skip]
impl Lanes for Avx2 {
    const N: usize = 8;
    const ROWS: usize = 6;

    #[inline(always)] unsafe fn splat(value: f32) -> Self { Self(_mm256_set1_ps(value)) }
    // Not `*from`, as for AVX-512.
    #[inline(always)] unsafe fn splat_from(from: *const f32) -> Self { Self(_mm256_broadcastss_ps(_mm_load_ss(from))) }
    #[inline(always)] unsafe fn load(from: *const f32) -> Self { Self(_mm256_loadu_ps(from)) }
    #[inline(always)] unsafe fn load_part(from: *const f32, n: usize) -> Self { Self(_mm256_maskload_ps(from, first(n))) }
    #[inline(always)] unsafe fn load_f16(from: *const f16) -> Self { Self(_mm256_cvtph_ps(_mm_loadu_si128(from.cast()))) }
    #[inline(always)] unsafe fn load_bf16(from: *const bf16) -> Self {
        let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
        Self(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide)))
    }
    #[inline(always)] unsafe fn load_i8(from: *const i8) -> Self { Self(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())))) }
    #[inline(always)] unsafe fn prefetch<T>(from: *const T) { _mm_prefetch::<_MM_HINT_T0>(from.cast()); }
    #[inline(always)] unsafe fn store(self, to: *mut f32) { _mm256_storeu_ps(to, self.0); }
    #[inline(always)] unsafe fn store_part(self, to: *mut f32, n: usize) { _mm256_maskstore_ps(to, first(n), self.0); }
    #[inline(always)] unsafe fn add(self, other: Self) -> Self { Self(_mm256_add_ps(self.0, other.0)) }
    #[inline(always)] unsafe fn sub(self, other: Self) -> Self { Self(_mm256_sub_ps(self.0, other.0)) }
    #[inline(always)] unsafe fn mul(self, other: Self) -> Self { Self(_mm256_mul_ps(self.0, other.0)) }
    #[inline(always)] unsafe fn div(self, other: Self) -> Self { Self(_mm256_div_ps(self.0, other.0)) }
    #[inline(always)] unsafe fn fma(self, by: Self, plus: Self) -> Self { Self(_mm256_fmadd_ps(self.0, by.0, plus.0)) }
    #[inline(always)] unsafe fn max(self, other: Self) -> Self { Self(_mm256_max_ps(self.0, other.0)) }
    #[inline(always)] unsafe fn min(self, other: Self) -> Self { Self(_mm256_min_ps(self.0, other.0)) }
    #[inline(always)] unsafe fn sqrt(self) -> Self { Self(_mm256_sqrt_ps(self.0)) }
    #[inline(always)] unsafe fn round(self) -> Self {
        Self(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0))
    }
    #[inline(always)] unsafe fn pow2(self) -> Self {
        let biased = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
        Self(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased)))
    }
    #[inline(always)] unsafe fn sum(self) -> f32 {
        let mut lanes = [0.0; 8];
        self.store(lanes.as_mut_ptr());
        ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
    }
    #[inline(always)] unsafe fn greatest(self) -> f32 {
        let mut lanes = [0.0; 8];
        self.store(lanes.as_mut_ptr());
        lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}
