//! RMSNorm: `y = x / sqrt(mean(x^2) + eps) * w`.

use super::lanes::Lanes;
use super::level::dispatch;

dispatch! {
    /// Normalises one row and returns the factor `1 / sqrt(mean(x^2) + eps)`, which the backward pass needs.
    pub(crate) fn rms_norm(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) -> f32 = forward
}

#[inline(always)]
unsafe fn forward<V: Lanes>(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) -> f32 {
    let n = x.len();
    assert!(w.len() == n && y.len() == n);
    // SAFETY: i < n, and all three slices have n elements.
    unsafe {
        let mut squares = V::zero();
        for i in (0..n).step_by(V::N) {
            let x = V::load_upto(x.as_ptr().add(i), n - i);
            squares = x.fma(x, squares);
        }
        let factor = 1.0 / (squares.sum() / n as f32 + eps).sqrt();
        for i in (0..n).step_by(V::N) {
            let left = n - i;
            let scaled = V::load_upto(x.as_ptr().add(i), left).mul(V::splat(factor));
            scaled
                .mul(V::load_upto(w.as_ptr().add(i), left))
                .store_upto(y.as_mut_ptr().add(i), left);
        }
        factor
    }
}

dispatch! {
    /// Gradient of one row: adds to `dx` if `accumulate`, replaces it otherwise.
    pub(crate) fn rms_norm_backward(x: &[f32], w: &[f32], factor: f32, dy: &[f32], dx: &mut [f32], accumulate: bool) = backward
}

#[inline(always)]
unsafe fn backward<V: Lanes>(
    x: &[f32],
    w: &[f32],
    factor: f32,
    dy: &[f32],
    dx: &mut [f32],
    accumulate: bool,
) {
    let n = x.len();
    assert!(w.len() == n && dy.len() == n && dx.len() == n);
    // SAFETY: i < n, and all four slices have n elements.
    unsafe {
        let mut inner = V::zero();
        for i in (0..n).step_by(V::N) {
            let left = n - i;
            let g =
                V::load_upto(dy.as_ptr().add(i), left).mul(V::load_upto(w.as_ptr().add(i), left));
            inner = g.fma(V::load_upto(x.as_ptr().add(i), left), inner);
        }
        let along = V::splat(-inner.sum() * factor * factor * factor / n as f32);
        for i in (0..n).step_by(V::N) {
            let left = n - i;
            let g =
                V::load_upto(dy.as_ptr().add(i), left).mul(V::load_upto(w.as_ptr().add(i), left));
            let at = dx.as_mut_ptr().add(i);
            let before = if accumulate {
                V::load_upto(at, left)
            } else {
                V::zero()
            };
            let straight = g.fma(V::splat(factor), before);
            V::load_upto(x.as_ptr().add(i), left)
                .fma(along, straight)
                .store_upto(at, left);
        }
    }
}
