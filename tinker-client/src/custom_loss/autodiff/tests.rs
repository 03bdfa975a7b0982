use proptest::prelude::*;

use super::Var;

/// Gradients by central differences.
fn differences(function: &dyn Fn(&[Var]) -> Var, points: &[Vec<f64>]) -> Vec<Vec<f64>> {
    const STEP: f64 = 1e-5;
    let at = |points: &[Vec<f64>]| {
        let vars: Vec<Var> = points.iter().map(|p| Var::new(p.iter().copied())).collect();
        function(&vars).values()[0]
    };
    let mut gradients = points.to_vec();
    for which in 0..points.len() {
        for i in 0..points[which].len() {
            let moved = |by: f64| {
                let mut points = points.to_vec();
                points[which][i] += by;
                at(&points)
            };
            gradients[which][i] = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        }
    }
    gradients
}

fn check(function: &dyn Fn(&[Var]) -> Var, points: &[Vec<f64>]) {
    let vars: Vec<Var> = points.iter().map(|p| Var::new(p.iter().copied())).collect();
    let ours = function(&vars).gradients(&vars).unwrap();
    let expected = differences(function, points);
    for (ours, expected) in ours.iter().flatten().zip(expected.iter().flatten()) {
        let scale = 1.0 + expected.abs();
        assert!((ours - expected).abs() < 1e-6 * scale, "{ours} {expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn gradients_are_those_of_central_differences(
        a in proptest::collection::vec(0.2_f64..2.0, 4),
        b in proptest::collection::vec(0.2_f64..2.0, 4),
        c in 0.2_f64..2.0,
    ) {
        // Central differences are invalid near a kink.
        let is_smooth = |x: f64, y: f64| (x - y).abs() > 1e-3;
        prop_assume!(a.iter().zip(&b).all(|(&x, &y)| is_smooth(x, y)));
        prop_assume!(a.iter().all(|&x| is_smooth(x, 0.6) && is_smooth(x, 1.4)));
        let points = [a, b, vec![c]];
        check(&|v| (&v[0] + &v[1] * 2.0 - &v[2]).sum(), &points);
        check(&|v| (&v[0] * &v[1] / &v[2]).mean(), &points);
        check(&|v| (1.0 / &v[0] - 3.0 * -&v[1]).exp().log().sum(), &points);
        check(&|v| (v[0].log() * v[2].exp()).sum(), &points);
        check(&|v| (v[0].min(&v[1]) * v[0].max(&v[1]) + v[0].max(&v[2].detach().clamp(9.0, 9.0))).sum(), &points);
        check(&|v| (v[0].clamp(0.6, 1.4) * &v[1]).sum() * &v[2], &points);
        for exponent in [-1.5, 0.0, 0.5, 1.0, 3.0] {
            check(&|v| (v[0].powf(exponent) * &v[1]).sum(), &points);
        }
        // A value that is used twice, and a sum of several arrays.
        check(&|v| { let r = (&v[0] - &v[1]).exp(); (&r * &r + r).mean() }, &points);
        check(&|v| v.iter().map(|v| (v * v).sum()).sum::<Var>(), &points);
    }
}

#[test]
fn what_is_detached_or_unused_has_no_gradient() {
    let (a, b) = (Var::new([1.0, 2.0]), Var::new([3.0, 4.0]));
    let loss = (a.detach() * &a).sum();
    let gradients = loss.gradients(&[a, b]).unwrap();
    assert_eq!(gradients, [vec![1.0, 2.0], vec![0.0, 0.0]]);
}

#[test]
fn lengths_that_do_not_fit_are_named() {
    let (a, b) = (Var::new([1.0, 2.0]), Var::new([3.0, 4.0, 5.0]));
    let refused = (&a * &b).exp().sum().gradients(std::slice::from_ref(&a));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "loss: `*` of 2 numbers and 3: the lengths differ"
    );
    assert!(a.gradients(&[b]).is_err());
}

#[test]
fn a_long_chain_needs_no_stack() {
    let a = Var::constant(1.0);
    let mut sum = Var::constant(0.0);
    for _ in 0..200_000 {
        sum = sum + &a;
    }
    assert_eq!(sum.gradients(&[a]).unwrap(), [[200_000.0]]);
}
