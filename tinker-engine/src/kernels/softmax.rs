//! Softmax over the keys of one query, and over the vocabulary.

use super::exp::exp;
use super::lanes::Lanes;
use super::level::dispatch;

dispatch! {
    /// Replaces the first `keys` scores by `softmax(scale * score)` and the others by 0. Returns the logarithm of the
    /// normaliser, from which the backward pass recomputes the probabilities.
    pub(crate) fn causal_softmax(scores: &mut [f32], keys: usize, scale: f32) -> f32 = causal
}

#[inline(always)]
unsafe fn causal<V: Lanes>(scores: &mut [f32], keys: usize, scale: f32) -> f32 {
    let (row, rest) = scores.split_at_mut(keys);
    // SAFETY: the caller has checked the processor.
    let (most, sum) = unsafe { softmax::<V>(row, scale) };
    rest.fill(0.0);
    most + sum.ln()
}

/// Replaces scores by `softmax(scale * score)`. Returns the greatest scaled score, and the sum of the exponentials of
/// the scaled scores minus the greatest.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn softmax<V: Lanes>(scores: &mut [f32], scale: f32) -> (f32, f32) {
    assert!(!scores.is_empty());
    let keys = scores.len();
    // SAFETY: i < keys, the length.
    unsafe {
        let at = scores.as_mut_ptr();
        let most = greatest::<V>(scores) * scale;
        let sum = exponentials::<V>(at, keys, scale, most);
        let inverse = V::splat(1.0 / sum);
        for i in (0..keys).step_by(V::N) {
            V::load_upto(at.add(i), keys - i)
                .mul(inverse)
                .store_upto(at.add(i), keys - i);
        }
        (most, sum)
    }
}

dispatch! {
    /// Backward pass of one row: from the raw scores of the first `keys` keys, the logarithm of the normaliser and the
    /// gradient of the probabilities, leaves the probabilities in `scores` and the gradient of the raw scores in `d`.
    /// `inner` is `sum(p d)`.
    pub(crate) fn causal_softmax_backward(scores: &mut [f32], d: &mut [f32], keys: usize, scale: f32, norm: f32, inner: f32) = causal_backward
}

#[inline(always)]
unsafe fn causal_backward<V: Lanes>(
    scores: &mut [f32],
    d: &mut [f32],
    keys: usize,
    scale: f32,
    norm: f32,
    inner: f32,
) {
    assert!(keys <= scores.len() && d.len() == scores.len());
    // SAFETY: i < keys <= length of both.
    unsafe {
        let (s, g) = (scores.as_mut_ptr(), d.as_mut_ptr());
        let (factor, shift, inner) = (V::splat(scale), V::splat(-norm), V::splat(inner));
        for i in (0..keys).step_by(V::N) {
            let left = keys - i;
            let p = exp::<V>(V::load_upto(s.add(i), left).fma(factor, shift));
            p.store_upto(s.add(i), left);
            V::load_upto(g.add(i), left)
                .sub(inner)
                .mul(p)
                .mul(factor)
                .store_upto(g.add(i), left);
        }
    }
    scores[keys..].fill(0.0);
    d[keys..].fill(0.0);
}

dispatch! {
    /// `ln(sum(exp(x)))`.
    pub(crate) fn log_sum_exp(x: &[f32]) -> f32 = log_sum
}

#[inline(always)]
unsafe fn log_sum<V: Lanes>(x: &[f32]) -> f32 {
    // SAFETY: i < n.
    unsafe {
        let most = greatest::<V>(x);
        let shift = V::splat(most);
        let mut sum = V::zero();
        for i in (0..x.len()).step_by(V::N) {
            let left = x.len() - i;
            let e = exp::<V>(V::load_upto(x.as_ptr().add(i), left).sub(shift));
            sum = sum.add(keep(e, left));
        }
        most + sum.sum().ln()
    }
}

dispatch! {
    /// `x = factor * exp(x - norm)`: scaled probabilities in place of logits.
    pub(crate) fn probabilities(x: &mut [f32], norm: f32, factor: f32) = probabilities_lanes
}

#[inline(always)]
unsafe fn probabilities_lanes<V: Lanes>(x: &mut [f32], norm: f32, factor: f32) {
    let n = x.len();
    for i in (0..n).step_by(V::N) {
        // SAFETY: i < n.
        unsafe {
            let at = x.as_mut_ptr().add(i);
            let e = exp::<V>(V::load_upto(at, n - i).sub(V::splat(norm)));
            e.mul(V::splat(factor)).store_upto(at, n - i);
        }
    }
}

/// Number of weights in a block of [`softmax_weights`].
pub(crate) const WEIGHT_BLOCK: usize = 64;

dispatch! {
    /// `weights = exp(by * (x - most))`, `[n]`, and the sum of each block of [`WEIGHT_BLOCK`] weights.
    pub(crate) fn softmax_weights(x: &[f32], most: f32, by: f32, weights: &mut [f32], sums: &mut [f32]) = softmax_weights_lanes
}

#[inline(always)]
unsafe fn softmax_weights_lanes<V: Lanes>(
    x: &[f32],
    most: f32,
    by: f32,
    weights: &mut [f32],
    sums: &mut [f32],
) {
    assert!(weights.len() == x.len() && sums.len() == x.len().div_ceil(WEIGHT_BLOCK));
    let blocks = x.chunks(WEIGHT_BLOCK).zip(weights.chunks_mut(WEIGHT_BLOCK));
    for ((x, weights), total) in blocks.zip(sums) {
        // SAFETY: i < length of both.
        unsafe {
            let mut sum = V::zero();
            for i in (0..x.len()).step_by(V::N) {
                let left = x.len() - i;
                let below = V::load_upto(x.as_ptr().add(i), left).sub(V::splat(most));
                let e = keep(exp::<V>(below.mul(V::splat(by))), left);
                e.store_upto(weights.as_mut_ptr().add(i), left);
                sum = sum.add(e);
            }
            *total = sum.sum();
        }
    }
}

dispatch! {
    /// Index of the greatest number, the first of equals.
    pub(crate) fn first_greatest(x: &[f32]) -> usize = first_greatest_lanes
}

#[inline(always)]
unsafe fn first_greatest_lanes<V: Lanes>(x: &[f32]) -> usize {
    // SAFETY: the caller has checked the processor.
    let most = unsafe { greatest::<V>(x) };
    for (i, some) in x.chunks(WEIGHT_BLOCK).enumerate() {
        let mut found = false;
        // No early exit, so that the loop is vectorised.
        for x in some {
            found |= *x >= most;
        }
        if found {
            let within = some.iter().position(|x| *x >= most);
            return i * WEIGHT_BLOCK + within.unwrap_or(0);
        }
    }
    0
}

/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
unsafe fn greatest<V: Lanes>(x: &[f32]) -> f32 {
    let whole = x.len() - x.len() % V::N;
    let mut most = f32::NEG_INFINITY;
    // SAFETY: i + N <= whole <= length.
    unsafe {
        if whole > 0 {
            let mut lanes = V::load(x.as_ptr());
            for i in (V::N..whole).step_by(V::N) {
                lanes = lanes.max(V::load(x.as_ptr().add(i)));
            }
            most = lanes.greatest();
        }
    }
    x[whole..].iter().copied().fold(most, f32::max)
}

/// Replaces `x` by `exp(scale * x - most)` and returns the sum.
///
/// # Safety
/// The processor has the instructions of `V`, and `n` elements are valid.
#[inline(always)]
unsafe fn exponentials<V: Lanes>(x: *mut f32, n: usize, scale: f32, most: f32) -> f32 {
    // SAFETY: i < n.
    unsafe {
        let (factor, shift) = (V::splat(scale), V::splat(-most));
        let mut sum = V::zero();
        for i in (0..n).step_by(V::N) {
            let left = n - i;
            let e = keep(
                exp::<V>(V::load_upto(x.add(i), left).fma(factor, shift)),
                left,
            );
            e.store_upto(x.add(i), left);
            sum = sum.add(e);
        }
        sum.sum()
    }
}

/// Zeroes the lanes from `left` on, so that a padded register adds nothing to a sum.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
unsafe fn keep<V: Lanes>(x: V, left: usize) -> V {
    if left >= V::N {
        return x;
    }
    let mut lanes = [0.0_f32; 16];
    // SAFETY: no type has more than 16 lanes.
    unsafe {
        x.store_part(lanes.as_mut_ptr(), left);
        V::load(lanes.as_ptr())
    }
}
