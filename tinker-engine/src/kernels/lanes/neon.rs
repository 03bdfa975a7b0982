//! 4 lanes of NEON, which every 64-bit ARM processor has.

use std::arch::aarch64::{
    float32x4_t, vaddq_f32, vaddq_s32, vaddvq_f32, vbslq_f32, vcgtq_f32, vcltq_f32, vcreate_s8,
    vcvt_f32_f16, vcvtq_f32_s32, vcvtq_s32_f32, vdivq_f32, vdupq_n_f32, vdupq_n_s32, vfmaq_f32,
    vget_low_s16, vld1_u16, vld1q_dup_f32, vld1q_f32, vmaxnmvq_f32, vmovl_s8, vmovl_s16, vmulq_f32,
    vreinterpret_f16_u16, vreinterpretq_f32_s32, vreinterpretq_f32_u32, vrndnq_f32, vshll_n_u16,
    vshlq_n_s32, vsqrtq_f32, vst1q_f32, vsubq_f32,
};

use half::{bf16, f16};

use super::Lanes;

/// One 128-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Neon(float32x4_t);

// SAFETY (whole impl): the trait's contract gives NEON and valid pointers; the bodies are intrinsics with
// exactly these needs, and copies into and out of four lanes.
#[expect(unsafe_op_in_unsafe_fn, reason = "each method is one or two instructions")]
#[rustfmt::skip]
impl Lanes for Neon {
    const N: usize = 4;
    // 24 sums, two registers of columns and a splat of the 32 registers.
    const ROWS: usize = 12;

    #[inline(always)] unsafe fn splat(value: f32) -> Self { Self(vdupq_n_f32(value)) }
    #[inline(always)] unsafe fn splat_from(from: *const f32) -> Self { Self(vld1q_dup_f32(from)) }
    #[inline(always)] unsafe fn load(from: *const f32) -> Self { Self(vld1q_f32(from)) }
    #[inline(always)] unsafe fn load_part(from: *const f32, n: usize) -> Self {
        let mut lanes = [0.0; 4];
        std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), n);
        Self::load(lanes.as_ptr())
    }
    #[inline(always)] unsafe fn load_f16(from: *const f16) -> Self {
        Self(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from.cast()))))
    }
    #[inline(always)] unsafe fn load_bf16(from: *const bf16) -> Self {
        Self(vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(from.cast()))))
    }
    #[inline(always)] unsafe fn load_i8(from: *const i8) -> Self {
        // Four bytes in the lower half of a register.
        let bytes = vcreate_s8(u64::from(from.cast::<u32>().read_unaligned()));
        Self(vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes)))))
    }
    #[inline(always)] unsafe fn store(self, to: *mut f32) { vst1q_f32(to, self.0); }
    #[inline(always)] unsafe fn store_part(self, to: *mut f32, n: usize) {
        let mut lanes = [0.0; 4];
        self.store(lanes.as_mut_ptr());
        std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, n);
    }
    #[inline(always)] unsafe fn add(self, other: Self) -> Self { Self(vaddq_f32(self.0, other.0)) }
    #[inline(always)] unsafe fn sub(self, other: Self) -> Self { Self(vsubq_f32(self.0, other.0)) }
    #[inline(always)] unsafe fn mul(self, other: Self) -> Self { Self(vmulq_f32(self.0, other.0)) }
    #[inline(always)] unsafe fn div(self, other: Self) -> Self { Self(vdivq_f32(self.0, other.0)) }
    #[inline(always)] unsafe fn fma(self, by: Self, plus: Self) -> Self { Self(vfmaq_f32(plus.0, self.0, by.0)) }
    // By comparison: the maximum and minimum instructions treat NaN differently.
    #[inline(always)] unsafe fn max(self, other: Self) -> Self { Self(vbslq_f32(vcgtq_f32(self.0, other.0), self.0, other.0)) }
    #[inline(always)] unsafe fn min(self, other: Self) -> Self { Self(vbslq_f32(vcltq_f32(self.0, other.0), self.0, other.0)) }
    #[inline(always)] unsafe fn sqrt(self) -> Self { Self(vsqrtq_f32(self.0)) }
    #[inline(always)] unsafe fn round(self) -> Self { Self(vrndnq_f32(self.0)) }
    #[inline(always)] unsafe fn pow2(self) -> Self {
        let biased = vaddq_s32(vcvtq_s32_f32(self.0), vdupq_n_s32(127));
        Self(vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased)))
    }
    #[inline(always)] unsafe fn sum(self) -> f32 { vaddvq_f32(self.0) }
    #[inline(always)] unsafe fn greatest(self) -> f32 { vmaxnmvq_f32(self.0) }
}
