//! SIMD vectors of f32, one type for each instruction set.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub(super) use neon::Neon;
pub(super) use portable::Portable;

use half::{bf16, f16};

/// A register of `N` f32 values.
///
/// Every method is unsafe for one reason: the processor must have the instructions of the
/// implementing type. Those with a pointer also need it valid for the lanes they touch.
pub(super) trait Lanes: Copy {
    /// Lanes of one register.
    const N: usize;
    /// Rows of a product tile, two registers wide, that fit the register file.
    const ROWS: usize;

    unsafe fn splat(value: f32) -> Self;
    /// Loads one number into all lanes.
    unsafe fn splat_from(from: *const f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// The first `n < N` lanes; the others are zero and their memory is not touched.
    unsafe fn load_part(from: *const f32, n: usize) -> Self;
    /// Widens `N` numbers.
    unsafe fn load_f16(from: *const f16) -> Self;
    /// Widens `N` numbers.
    unsafe fn load_bf16(from: *const bf16) -> Self;
    /// Widens `N` whole numbers.
    unsafe fn load_i8(from: *const i8) -> Self;
    /// Prefetches memory that will be read soon. Any address is valid.
    #[inline(always)]
    unsafe fn prefetch<T>(_from: *const T) {}
    unsafe fn store(self, to: *mut f32);
    /// Stores the first `n < N` lanes.
    unsafe fn store_part(self, to: *mut f32, n: usize);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// `self * by + plus`.
    unsafe fn fma(self, by: Self, plus: Self) -> Self;
    /// The greater of the two; `other` if either is NaN.
    unsafe fn max(self, other: Self) -> Self;
    /// The lesser of the two; `other` if either is NaN.
    unsafe fn min(self, other: Self) -> Self;
    unsafe fn sqrt(self) -> Self;
    unsafe fn round(self) -> Self;
    /// 2 to the power of each lane, which holds a whole number from -126 to 127.
    unsafe fn pow2(self) -> Self;
    /// Sum of the lanes, always in the same order.
    unsafe fn sum(self) -> f32;
    /// Greatest lane.
    unsafe fn greatest(self) -> f32;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller keeps the contract of the trait.
        unsafe { Self::splat(0.0) }
    }

    /// `left` lanes from `from`, at most `N`.
    #[inline(always)]
    unsafe fn load_upto(from: *const f32, left: usize) -> Self {
        // SAFETY: the caller keeps the contract of the trait, with `left` valid lanes.
        unsafe {
            if left >= Self::N {
                Self::load(from)
            } else {
                Self::load_part(from, left)
            }
        }
    }

    /// Stores `left` lanes, at most `N`.
    #[inline(always)]
    unsafe fn store_upto(self, to: *mut f32, left: usize) {
        // SAFETY: the caller keeps the contract of the trait, with `left` valid lanes.
        unsafe {
            if left >= Self::N {
                self.store(to);
            } else {
                self.store_part(to, left);
            }
        }
    }
}
