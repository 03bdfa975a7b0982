//! SwiGLU: `silu(gate) * up`, with gate and up side by side in one row.

use super::exp::sigmoid;
use super::lanes::Lanes;
use super::level::dispatch;

dispatch! {
    /// One row: `gate_up` is `[2 n]`, `out` is `[n]`.
    pub(crate) fn swiglu(gate_up: &[f32], out: &mut [f32]) = forward
}

#[inline(always)]
unsafe fn forward<V: Lanes>(gate_up: &[f32], out: &mut [f32]) {
    let n = out.len();
    assert_eq!(gate_up.len(), 2 * n);
    // SAFETY: i < n, and the slices have 2 n and n elements.
    unsafe {
        for i in (0..n).step_by(V::N) {
            let left = n - i;
            let g = V::load_upto(gate_up.as_ptr().add(i), left);
            let u = V::load_upto(gate_up.as_ptr().add(n + i), left);
            g.mul(sigmoid::<V>(g))
                .mul(u)
                .store_upto(out.as_mut_ptr().add(i), left);
        }
    }
}

dispatch! {
    /// Gradient of one row; replaces gate and up by their gradients.
    pub(crate) fn swiglu_backward(gate_up: &mut [f32], dy: &[f32]) = backward
}

#[inline(always)]
unsafe fn backward<V: Lanes>(gate_up: &mut [f32], dy: &[f32]) {
    let n = dy.len();
    assert_eq!(gate_up.len(), 2 * n);
    // SAFETY: i < n, and the slices have 2 n and n elements.
    unsafe {
        let (gate, up) = (gate_up.as_mut_ptr(), gate_up.as_mut_ptr().add(n));
        let one = V::splat(1.0);
        for i in (0..n).step_by(V::N) {
            let left = n - i;
            let (g, u) = (
                V::load_upto(gate.add(i), left),
                V::load_upto(up.add(i), left),
            );
            let d = V::load_upto(dy.as_ptr().add(i), left);
            let s = sigmoid::<V>(g);
            let silu = g.mul(s);
            // (silu)' = s + g s (1 - s)
            let slope = silu.fma(one.sub(s), s);
            d.mul(u).mul(slope).store_upto(gate.add(i), left);
            d.mul(silu).store_upto(up.add(i), left);
        }
    }
}
