//! The exponential of a register.

use super::lanes::Lanes;

/// `e^x` within 2 units in the last place from -87.3 to 88, and flat outside. NaN stays NaN.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
#[expect(
    clippy::excessive_precision,
    reason = "the constants are the published ones"
)]
pub(super) unsafe fn exp<V: Lanes>(x: V) -> V {
    // x = n ln 2 + r with |r| <= ln 2 / 2, then a polynomial in r (Cephes). ln 2 is split in two so
    // that n times its first part is exact.
    // SAFETY: arithmetic only; the caller has checked the processor.
    unsafe {
        let x = V::splat(-87.336_54).max(x);
        let x = V::splat(88.0).min(x);
        let n = x.mul(V::splat(std::f32::consts::LOG2_E)).round();
        let r = n.fma(V::splat(-0.693_359_375), x);
        let r = n.fma(V::splat(2.121_944_4e-4), r);
        let mut p = V::splat(1.987_569_15e-4);
        for c in [
            1.398_199_95e-3,
            8.333_451_9e-3,
            4.166_579_6e-2,
            1.666_666_55e-1,
            5.000_000_1e-1,
        ] {
            p = p.fma(r, V::splat(c));
        }
        p.fma(r.mul(r), r).add(V::splat(1.0)).mul(n.pow2())
    }
}

/// `1 / (1 + e^-x)`.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn sigmoid<V: Lanes>(x: V) -> V {
    // SAFETY: arithmetic only; the caller has checked the processor.
    unsafe {
        let one = V::splat(1.0);
        one.div(one.add(exp::<V>(V::zero().sub(x))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::{at_each_level, dispatch};
    use super::*;

    dispatch! {
        fn exp_of(x: &mut [f32]) = exp_slice
    }

    #[inline(always)]
    unsafe fn exp_slice<V: Lanes>(x: &mut [f32]) {
        for i in (0..x.len()).step_by(V::N) {
            // SAFETY: within the slice.
            unsafe {
                exp::<V>(V::load_upto(x.as_ptr().add(i), x.len() - i))
                    .store_upto(x.as_mut_ptr().add(i), x.len() - i);
            }
        }
    }

    #[test]
    fn exp_agrees_with_the_exact_one() {
        let x: Vec<f32> = (0..40_001).map(|i| -87.0 + i as f32 * 0.004_37).collect();
        at_each_level(|level| {
            let mut y = x.clone();
            exp_of(&mut y);
            for (x, y) in x.iter().zip(&y) {
                let exact = f64::from(*x).exp();
                let relative = (f64::from(*y) - exact).abs() / exact;
                assert!(
                    relative < 2.5e-7,
                    "{level:?}: exp({x}) = {y}, off by {relative:e}"
                );
            }
        });
    }

    #[test]
    fn exp_keeps_nan_and_does_not_overflow_below() {
        at_each_level(|level| {
            let mut y = [f32::NAN, -1.0e30, f32::NEG_INFINITY, 0.0];
            exp_of(&mut y);
            assert!(y[0].is_nan(), "{level:?}");
            assert!(y[1] < 1.3e-38 && y[2] < 1.3e-38, "{level:?}: {y:?}");
            assert!((y[3] - 1.0).abs() < f32::EPSILON, "{level:?}");
        });
    }
}
