//! Differences between numbers and expected numbers.

use super::fixture::Tensors;

/// Largest difference. Infinite for NaN or another count.
pub(super) fn absolute(got: &[f32], want: &[f32]) -> f64 {
    if got.len() != want.len() {
        return f64::INFINITY;
    }
    let apart = |(got, want): (&f32, &f32)| {
        let apart = (f64::from(*got) - f64::from(*want)).abs();
        if apart.is_nan() { f64::INFINITY } else { apart }
    };
    got.iter().zip(want).map(apart).fold(0.0, f64::max)
}

/// Difference relative to the larger of the expected number and 1.
pub(super) fn number(got: f64, want: f64) -> f64 {
    let apart = (got - want).abs() / want.abs().max(1.0);
    if apart.is_nan() { f64::INFINITY } else { apart }
}

/// Largest norm of the difference of two tensors with the same name, relative to the norm of the tensor.
pub(super) fn relative(got: &Tensors, want: &Tensors) -> f64 {
    over(got, want, |got, want| {
        if got.len() != want.len() {
            return f64::INFINITY;
        }
        let length = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
        let difference = |(got, want): (&f32, &f32)| f64::from(*got) - f64::from(*want);
        let apart = length(&mut got.iter().zip(want).map(difference));
        apart / length(&mut want.iter().map(|x| f64::from(*x))).max(f64::MIN_POSITIVE)
    })
}

/// Largest difference of two numbers in tensors with the same name.
pub(super) fn largest(got: &Tensors, want: &Tensors) -> f64 {
    over(got, want, absolute)
}

fn over(got: &Tensors, want: &Tensors, apart: impl Fn(&[f32], &[f32]) -> f64) -> f64 {
    if !got.keys().eq(want.keys()) {
        return f64::INFINITY;
    }
    let of_tensor = |(name, want): (&String, &Vec<f32>)| {
        let apart = apart(&got[name], want);
        if apart.is_nan() { f64::INFINITY } else { apart }
    };
    want.iter().map(of_tensor).fold(0.0, f64::max)
}

#[test]
fn whatever_is_off_is_noticed() {
    let (one, nan) = ([1.0, 2.0], [1.0, f32::NAN]);
    assert!(absolute(&one, &one) == 0.0 && (absolute(&[1.0, 2.25], &one) - 0.25).abs() < 1e-9);
    assert!(absolute(&nan, &one).is_infinite() && absolute(&one[..1], &one).is_infinite());
    assert!(number(f64::NAN, 1.0).is_infinite() && (number(30.0, 10.0) - 2.0).abs() < 1e-9);
    let tensors = |name: &str, values: &[f32]| Tensors::from([(name.to_owned(), values.to_vec())]);
    let want = tensors("a", &[3.0, 4.0]);
    assert!((relative(&tensors("a", &[3.0, 4.5]), &want) - 0.1).abs() < 1e-9);
    assert!((largest(&tensors("a", &[3.0, 4.5]), &want) - 0.5).abs() < 1e-9);
    for off in [
        tensors("b", &[3.0, 4.0]),
        tensors("a", &[3.0]),
        tensors("a", &nan),
    ] {
        assert!(relative(&off, &want).is_infinite() && largest(&off, &want).is_infinite());
    }
}
