//! One step of AdamW over a slice.

use super::lanes::Lanes;
use super::level::dispatch;

/// Constants of a step, computed in f64 by the caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamConstants {
    /// Decay of the first moment.
    pub(crate) beta1: f32,
    /// `1 - beta1`, rounded once.
    pub(crate) fresh1: f32,
    /// Decay of the second moment.
    pub(crate) beta2: f32,
    /// `1 - beta2`, rounded once.
    pub(crate) fresh2: f32,
    /// Learning rate over the bias correction of the first moment.
    pub(crate) step_size: f32,
    /// One over the root of the bias correction of the second moment.
    pub(crate) root: f32,
    /// Added to the corrected root of the second moment.
    pub(crate) eps: f32,
    /// Factor of the weights before the update: 1 - learning rate times weight decay.
    pub(crate) keep: f32,
    /// Factor of the gradients: the clipping.
    pub(crate) clip: f32,
}

dispatch! {
    /// `w = keep w - step m / (root sqrt(v) + eps)` with updated moments.
    pub(crate) fn adam(w: &mut [f32], g: &[f32], first: &mut [f32], second: &mut [f32], c: AdamConstants) = adam_lanes
}

#[inline(always)]
unsafe fn adam_lanes<V: Lanes>(
    w: &mut [f32],
    g: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    c: AdamConstants,
) {
    let n = w.len();
    assert!(g.len() == n && first.len() == n && second.len() == n);
    for i in (0..n).step_by(V::N) {
        let left = n - i;
        // SAFETY: i < n, and all four slices have n elements.
        unsafe {
            let (w, m, v) = (
                w.as_mut_ptr().add(i),
                first.as_mut_ptr().add(i),
                second.as_mut_ptr().add(i),
            );
            let g = V::load_upto(g.as_ptr().add(i), left).mul(V::splat(c.clip));
            let m1 = g
                .mul(V::splat(c.fresh1))
                .add(V::load_upto(m, left).mul(V::splat(c.beta1)));
            let v1 = g
                .mul(g)
                .mul(V::splat(c.fresh2))
                .add(V::load_upto(v, left).mul(V::splat(c.beta2)));
            m1.store_upto(m, left);
            v1.store_upto(v, left);
            let below = v1.sqrt().fma(V::splat(c.root), V::splat(c.eps));
            let kept = V::load_upto(w, left).mul(V::splat(c.keep));
            kept.sub(m1.mul(V::splat(c.step_size)).div(below))
                .store_upto(w, left);
        }
    }
}
