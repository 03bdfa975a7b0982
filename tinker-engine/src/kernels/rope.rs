//! Rotary position embeddings of Llama and Qwen: element `i` pairs with element `i + dim / 2`.

use super::lanes::Lanes;
use super::level::dispatch;

/// Cosines and sines of every position, `[positions, dim / 2]` each.
#[derive(Debug, Clone)]
pub(crate) struct RopeTable {
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
}

impl RopeTable {
    /// The table for heads whose pairs rotate by these angles from one position to the next, in radians. Angles are rounded
    /// to f32, as where these models are trained; at far positions the difference is visible.
    pub(crate) fn new(frequencies: &[f32], positions: usize) -> Self {
        let half = frequencies.len();
        let mut cos = Vec::with_capacity(positions * half);
        let mut sin = Vec::with_capacity(positions * half);
        for position in 0..positions {
            for frequency in frequencies {
                let angle = f64::from(position as f32 * frequency);
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
        Self { cos, sin, half }
    }

    /// Rotates one head, `[head_dim]`, for a position; `inverse` rotates back, which is also the gradient.
    pub(crate) fn apply(&self, head: &mut [f32], position: usize, inverse: bool) {
        let at = position * self.half..(position + 1) * self.half;
        rotate(
            head,
            &self.cos[at.clone()],
            &self.sin[at],
            if inverse { -1.0 } else { 1.0 },
        );
    }
}

dispatch! {
    /// Rotates one head by the given cosines and sines; `sign` is the sign of the angle.
    fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) = rotate_lanes
}

#[inline(always)]
unsafe fn rotate_lanes<V: Lanes>(head: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) {
    let half = cos.len();
    assert!(sin.len() == half && head.len() == 2 * half);
    // SAFETY: i < half, and the slices have half, half and twice half elements.
    unsafe {
        let (low, high) = (head.as_mut_ptr(), head.as_mut_ptr().add(half));
        for i in (0..half).step_by(V::N) {
            let left = half - i;
            let c = V::load_upto(cos.as_ptr().add(i), left);
            let s = V::load_upto(sin.as_ptr().add(i), left).mul(V::splat(sign));
            let (x, y) = (
                V::load_upto(low.add(i), left),
                V::load_upto(high.add(i), left),
            );
            x.mul(c).sub(y.mul(s)).store_upto(low.add(i), left);
            y.mul(c).add(x.mul(s)).store_upto(high.add(i), left);
        }
    }
}
