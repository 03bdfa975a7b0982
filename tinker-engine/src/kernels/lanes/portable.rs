//! 4 lanes of plain Rust, which compilers vectorise for the target.

use half::{bf16, f16};

use super::Lanes;

/// Four values side by side.
#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; 4]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

// SAFETY (whole impl): needs nothing of the processor; the pointers are valid by the contract.
#[expect(unsafe_op_in_unsafe_fn, reason = "the trait's methods are unsafe")]
#[rustfmt::skip]
impl Lanes for Portable {
    const N: usize = 4;
    const ROWS: usize = 4;

    #[inline(always)] unsafe fn splat(value: f32) -> Self { Self([value; 4]) }
    #[inline(always)] unsafe fn splat_from(from: *const f32) -> Self { Self([*from; 4]) }
    #[inline(always)] unsafe fn load(from: *const f32) -> Self { Self(from.cast::<[f32; 4]>().read_unaligned()) }
    #[inline(always)] unsafe fn load_part(from: *const f32, n: usize) -> Self {
        let mut lanes = [0.0; 4];
        std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), n);
        Self(lanes)
    }
    #[inline(always)] unsafe fn load_f16(from: *const f16) -> Self { Self(std::array::from_fn(|i| (*from.add(i)).to_f32())) }
    #[inline(always)] unsafe fn load_bf16(from: *const bf16) -> Self {
        Self(std::array::from_fn(|i| f32::from_bits(u32::from((*from.add(i)).to_bits()) << 16)))
    }
    #[inline(always)] unsafe fn load_i8(from: *const i8) -> Self { Self(std::array::from_fn(|i| f32::from(*from.add(i)))) }
    #[inline(always)] unsafe fn store(self, to: *mut f32) { to.cast::<[f32; 4]>().write_unaligned(self.0); }
    #[inline(always)] unsafe fn store_part(self, to: *mut f32, n: usize) { std::ptr::copy_nonoverlapping(self.0.as_ptr(), to, n); }
    #[inline(always)] unsafe fn add(self, other: Self) -> Self { self.zip(other, |a, b| a + b) }
    #[inline(always)] unsafe fn sub(self, other: Self) -> Self { self.zip(other, |a, b| a - b) }
    #[inline(always)] unsafe fn mul(self, other: Self) -> Self { self.zip(other, |a, b| a * b) }
    #[inline(always)] unsafe fn div(self, other: Self) -> Self { self.zip(other, |a, b| a / b) }
    // Not mul_add: without the instruction it is a library call for every lane.
    #[inline(always)] unsafe fn fma(self, by: Self, plus: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * by.0[i] + plus.0[i]))
    }
    #[inline(always)] unsafe fn max(self, other: Self) -> Self { self.zip(other, |a, b| if a > b { a } else { b }) }
    #[inline(always)] unsafe fn min(self, other: Self) -> Self { self.zip(other, |a, b| if a < b { a } else { b }) }
    #[inline(always)] unsafe fn sqrt(self) -> Self { Self(self.0.map(f32::sqrt)) }
    // Adding and subtracting 1.5 * 2^23 rounds to even; `round_ties_even` may be a library call.
    #[inline(always)] unsafe fn round(self) -> Self { Self(self.0.map(|x| (x + 12_582_912.0) - 12_582_912.0)) }
    #[inline(always)] unsafe fn pow2(self) -> Self { Self(self.0.map(|x| f32::from_bits(((x as i32 + 127) as u32) << 23))) }
    #[inline(always)] unsafe fn sum(self) -> f32 { (self.0[0] + self.0[2]) + (self.0[1] + self.0[3]) }
    #[inline(always)] unsafe fn greatest(self) -> f32 { self.0.into_iter().fold(f32::NEG_INFINITY, f32::max) }
}
