//! Element-wise sums, scaling and checks of slices.

use super::lanes::Lanes;
use super::level::dispatch;

dispatch! {
    /// `y += x`, element by element.
    pub(crate) fn add(y: &mut [f32], x: &[f32]) = add_lanes
}

#[inline(always)]
unsafe fn add_lanes<V: Lanes>(y: &mut [f32], x: &[f32]) {
    assert_eq!(y.len(), x.len());
    let n = x.len();
    for i in (0..n).step_by(V::N) {
        // SAFETY: i < n, and both slices have n elements.
        unsafe {
            let at = y.as_mut_ptr().add(i);
            V::load_upto(at, n - i)
                .add(V::load_upto(x.as_ptr().add(i), n - i))
                .store_upto(at, n - i);
        }
    }
}

dispatch! {
    /// `y += x * by`, element by element.
    pub(crate) fn add_scaled(y: &mut [f32], x: &[f32], by: &[f32]) = add_scaled_lanes
}

#[inline(always)]
unsafe fn add_scaled_lanes<V: Lanes>(y: &mut [f32], x: &[f32], by: &[f32]) {
    assert!(y.len() == x.len() && y.len() == by.len());
    let n = x.len();
    for i in (0..n).step_by(V::N) {
        // SAFETY: i < n, and the slices have n elements.
        unsafe {
            let at = y.as_mut_ptr().add(i);
            let left = n - i;
            let x = V::load_upto(x.as_ptr().add(i), left);
            x.fma(
                V::load_upto(by.as_ptr().add(i), left),
                V::load_upto(at, left),
            )
            .store_upto(at, left);
        }
    }
}

dispatch! {
    /// `y *= by`.
    pub(crate) fn scale(y: &mut [f32], by: f32) = scale_lanes
}

#[inline(always)]
unsafe fn scale_lanes<V: Lanes>(y: &mut [f32], by: f32) {
    let n = y.len();
    for i in (0..n).step_by(V::N) {
        // SAFETY: i < n.
        unsafe {
            let at = y.as_mut_ptr().add(i);
            V::load_upto(at, n - i)
                .mul(V::splat(by))
                .store_upto(at, n - i);
        }
    }
}

dispatch! {
    /// Sum of products.
    pub(crate) fn dot(x: &[f32], y: &[f32]) -> f32 = dot_lanes
}

#[inline(always)]
unsafe fn dot_lanes<V: Lanes>(x: &[f32], y: &[f32]) -> f32 {
    assert_eq!(y.len(), x.len());
    let n = x.len();
    // SAFETY: i < n, and both slices have n elements.
    unsafe {
        let mut sum = V::zero();
        for i in (0..n).step_by(V::N) {
            sum = V::load_upto(x.as_ptr().add(i), n - i)
                .fma(V::load_upto(y.as_ptr().add(i), n - i), sum);
        }
        sum.sum()
    }
}

/// Sum of squares in f64, by blocks of f32: close to exact for millions of elements.
pub(crate) fn sum_of_squares(x: &[f32]) -> f64 {
    x.chunks(256)
        .map(|block| f64::from(dot(block, block)))
        .sum()
}

/// Whether no element is NaN or infinite.
pub(crate) fn all_finite(x: &[f32]) -> bool {
    // A finite number times zero is zero; NaN and infinity give NaN, which stays in the sum.
    x.chunks(4096).all(|block| {
        let sum: f32 = block.iter().map(|v| v * 0.0).sum();
        sum == 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::super::level::at_each_level;
    use super::*;

    #[test]
    fn slices_of_any_length_agree_with_plain_loops() {
        for n in [0, 1, 3, 7, 16, 17, 33, 100] {
            let x: Vec<f32> = (0..n).map(|i| i as f32 * 0.5 - 3.0).collect();
            let y: Vec<f32> = (0..n).map(|i| 1.0 / (i as f32 + 1.0)).collect();
            at_each_level(|level| {
                let mut sum = y.clone();
                add(&mut sum, &x);
                scale(&mut sum, 2.0);
                for i in 0..n {
                    assert!((sum[i] - 2.0 * (x[i] + y[i])).abs() < 1e-5, "{level:?}");
                }
                let exact: f64 = x.iter().zip(&y).map(|(a, b)| f64::from(a * b)).sum();
                assert!((f64::from(dot(&x, &y)) - exact).abs() < 1e-4, "{level:?}");
            });
        }
    }

    #[test]
    fn one_bad_element_is_found() {
        let mut x = vec![1.0; 9000];
        assert!(all_finite(&x));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            x[8999] = bad;
            assert!(!all_finite(&x));
        }
    }
}
