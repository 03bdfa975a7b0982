//! 16 lanes of AVX-512.

use std::arch::x86_64::{
    __m512, __mmask16, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _MM_HINT_T0, _mm_load_ss,
    _mm_loadu_si128, _mm_prefetch, _mm256_loadu_si256, _mm512_add_ps, _mm512_broadcastss_ps,
    _mm512_castsi512_ps, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps, _mm512_cvtepu16_epi32,
    _mm512_cvtph_ps, _mm512_div_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_reduce_add_ps,
    _mm512_reduce_max_ps, _mm512_roundscale_ps, _mm512_scalef_ps, _mm512_set1_ps,
    _mm512_slli_epi32, _mm512_sqrt_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use half::{bf16, f16};

use super::Lanes;

/// One 512-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

#[inline(always)]
fn first(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

// SAFETY (whole impl): the trait's contract gives AVX-512F and valid pointers; each body is one
// intrinsic with exactly these needs.
#[expect(unsafe_op_in_unsafe_fn, reason = "each method is one instruction")]
#[rustfmt::skip]
impl Lanes for Avx512 {
    const N: usize = 16;
    const ROWS: usize = 12;

    #[inline(always)] unsafe fn splat(value: f32) -> Self { Self(_mm512_set1_ps(value)) }
    // Not `*from`: an unoptimised build would check that for null and alignment, in the innermost loop.
    #[inline(always)] unsafe fn splat_from(from: *const f32) -> Self { Self(_mm512_broadcastss_ps(_mm_load_ss(from))) }
    #[inline(always)] unsafe fn load(from: *const f32) -> Self { Self(_mm512_loadu_ps(from)) }
    #[inline(always)] unsafe fn load_part(from: *const f32, n: usize) -> Self { Self(_mm512_maskz_loadu_ps(first(n), from)) }
    #[inline(always)] unsafe fn load_f16(from: *const f16) -> Self { Self(_mm512_cvtph_ps(_mm256_loadu_si256(from.cast()))) }
    #[inline(always)] unsafe fn load_bf16(from: *const bf16) -> Self {
        let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
        Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)))
    }
    #[inline(always)] unsafe fn load_i8(from: *const i8) -> Self { Self(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())))) }
    #[inline(always)] unsafe fn prefetch<T>(from: *const T) { _mm_prefetch::<_MM_HINT_T0>(from.cast()); }
    #[inline(always)] unsafe fn store(self, to: *mut f32) { _mm512_storeu_ps(to, self.0); }
    #[inline(always)] unsafe fn store_part(self, to: *mut f32, n: usize) { _mm512_mask_storeu_ps(to, first(n), self.0); }
    #[inline(always)] unsafe fn add(self, other: Self) -> Self { Self(_mm512_add_ps(self.0, other.0)) }
    #[inline(always)] unsafe fn sub(self, other: Self) -> Self { Self(_mm512_sub_ps(self.0, other.0)) }
    #[inline(always)] unsafe fn mul(self, other: Self) -> Self { Self(_mm512_mul_ps(self.0, other.0)) }
    #[inline(always)] unsafe fn div(self, other: Self) -> Self { Self(_mm512_div_ps(self.0, other.0)) }
    #[inline(always)] unsafe fn fma(self, by: Self, plus: Self) -> Self { Self(_mm512_fmadd_ps(self.0, by.0, plus.0)) }
    #[inline(always)] unsafe fn max(self, other: Self) -> Self { Self(_mm512_max_ps(self.0, other.0)) }
    #[inline(always)] unsafe fn min(self, other: Self) -> Self { Self(_mm512_min_ps(self.0, other.0)) }
    #[inline(always)] unsafe fn sqrt(self) -> Self { Self(_mm512_sqrt_ps(self.0)) }
    #[inline(always)] unsafe fn round(self) -> Self {
        Self(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0))
    }
    #[inline(always)] unsafe fn pow2(self) -> Self { Self(_mm512_scalef_ps(_mm512_set1_ps(1.0), self.0)) }
    #[inline(always)] unsafe fn sum(self) -> f32 { _mm512_reduce_add_ps(self.0) }
    #[inline(always)] unsafe fn greatest(self) -> f32 { _mm512_reduce_max_ps(self.0) }
}
