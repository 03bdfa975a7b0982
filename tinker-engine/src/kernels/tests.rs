//! The row kernels against plain f64 loops, at every level, for lengths that fill no register.

use super::level::at_each_level;
use super::*;
use crate::random::Random;

const LENGTHS: [usize; 7] = [1, 2, 5, 16, 31, 64, 100];

fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed, 0);
    (0..n).map(|_| random.normal(1.5)).collect()
}

fn assert_close(got: &[f32], want: impl IntoIterator<Item = f64>, what: &str) {
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!(
            (f64::from(*g) - w).abs() < 3e-6 * w.abs().max(1.0),
            "{what}[{i}]: {g} {w}"
        );
    }
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

#[test]
fn norms_both_ways() {
    at_each_level(|level| {
        for n in LENGTHS {
            let (x, w, dy, start) = (numbers(n, 1), numbers(n, 2), numbers(n, 3), numbers(n, 4));
            let mut y = vec![0.0; n];
            let factor = rms_norm(&x, &w, 1e-5, &mut y);
            let (x64, w64, dy64) = (wide(&x), wide(&w), wide(&dy));
            let exact = 1.0 / (x64.iter().map(|x| x * x).sum::<f64>() / n as f64 + 1e-5).sqrt();
            assert_close(
                &y,
                (0..n).map(|i| x64[i] * exact * w64[i]),
                &format!("{level:?} norm"),
            );
            let inner: f64 = (0..n).map(|i| dy64[i] * w64[i] * x64[i]).sum();
            let dx =
                |i: usize| dy64[i] * w64[i] * exact - x64[i] * exact.powi(3) * inner / n as f64;
            let mut got = start.clone();
            rms_norm_backward(&x, &w, factor, &dy, &mut got, true);
            // With one element the two terms cancel, and the rest is small compared with them.
            let scale = exact.max(1.0).powi(3);
            for i in 0..n {
                let off = f64::from(got[i]) - f64::from(start[i]) - dx(i);
                assert!(off.abs() < 1e-5 * scale, "{level:?} norm back: {off}");
            }
        }
    });
}

#[test]
fn swiglu_both_ways() {
    at_each_level(|level| {
        for n in LENGTHS {
            let (gate_up, dy) = (numbers(2 * n, 1), numbers(n, 2));
            let (g, u, d) = (wide(&gate_up[..n]), wide(&gate_up[n..]), wide(&dy));
            let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
            let mut y = vec![0.0; n];
            swiglu(&gate_up, &mut y);
            assert_close(
                &y,
                (0..n).map(|i| g[i] * sigmoid(g[i]) * u[i]),
                &format!("{level:?} swiglu"),
            );
            let mut back = gate_up.clone();
            swiglu_backward(&mut back, &dy);
            let slope = |x: f64| sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x)));
            assert_close(
                &back[..n],
                (0..n).map(|i| d[i] * u[i] * slope(g[i])),
                "gate",
            );
            assert_close(
                &back[n..],
                (0..n).map(|i| d[i] * g[i] * sigmoid(g[i])),
                "up",
            );
        }
    });
}

#[test]
fn rope_is_a_rotation_with_an_inverse() {
    at_each_level(|_| {
        for dim in [2, 6, 32, 80] {
            let frequency = |i: usize| 1e4_f64.powf(-2.0 * i as f64 / dim as f64) as f32;
            let frequencies: Vec<f32> = (0..dim / 2).map(frequency).collect();
            let table = RopeTable::new(&frequencies, 50);
            let start = numbers(dim, 1);
            let mut head = start.clone();
            table.apply(&mut head, 37, false);
            let angle = |i: usize| f64::from(37.0 * frequencies[i]);
            let half = dim / 2;
            let x = wide(&start);
            assert_close(
                &head,
                (0..half).map(|i| x[i] * angle(i).cos() - x[i + half] * angle(i).sin()),
                "low",
            );
            assert_close(
                &head[half..],
                (0..half).map(|i| x[i + half] * angle(i).cos() + x[i] * angle(i).sin()),
                "high",
            );
            table.apply(&mut head, 37, true);
            assert_close(&head, x, "back");
        }
    });
}

#[test]
fn softmax_both_ways() {
    at_each_level(|level| {
        for n in LENGTHS {
            for keys in [1, n / 2 + 1, n] {
                let (scores, d) = (numbers(n, 1), numbers(n, 2));
                let (s, g) = (wide(&scores), wide(&d));
                let total: f64 = s[..keys].iter().map(|s| (0.7 * s).exp()).sum();
                let p = |i: usize| {
                    if i < keys {
                        (0.7 * s[i]).exp() / total
                    } else {
                        0.0
                    }
                };
                let mut probabilities = scores.clone();
                let norm = causal_softmax(&mut probabilities, keys, 0.7);
                assert_close(&probabilities, (0..n).map(p), &format!("{level:?} softmax"));
                assert_close(&[norm], [total.ln()], "norm");
                let inner: f64 = (0..keys).map(|i| p(i) * g[i]).sum();
                let (mut again, mut back) = (scores.clone(), d.clone());
                causal_softmax_backward(&mut again, &mut back, keys, 0.7, norm, inner as f32);
                assert_close(&again, (0..n).map(p), "softmax again");
                assert_close(
                    &back,
                    (0..n).map(|i| p(i) * (g[i] - inner) * 0.7),
                    "softmax back",
                );
            }
        }
    });
}

#[test]
fn a_padded_row_of_scores_gives_the_same_bits() {
    at_each_level(|level| {
        for keys in LENGTHS {
            let mut long = numbers(120, 5);
            let mut short = long[..keys].to_vec();
            let norms = [
                causal_softmax(&mut short, keys, 0.2),
                causal_softmax(&mut long, keys, 0.2),
            ];
            assert_eq!(norms[0].to_bits(), norms[1].to_bits(), "{level:?}");
            assert_eq!(short, long[..keys]);
        }
    });
}

#[test]
fn normaliser_and_probabilities_of_logits() {
    at_each_level(|_| {
        for n in LENGTHS {
            let mut x = numbers(n, 9);
            let exact: f64 = x.iter().map(|x| f64::from(*x).exp()).sum();
            let norm = log_sum_exp(&x);
            assert_close(&[norm], [exact.ln()], "log sum");
            let want: Vec<f64> = x
                .iter()
                .map(|x| -2.0 * f64::from(*x).exp() / exact)
                .collect();
            probabilities(&mut x, norm, -2.0);
            assert_close(&x, want, "probabilities");
        }
        // No overflow, and NaN is not hidden.
        assert!((log_sum_exp(&[1000.0, 1000.0]) - 1000.6931).abs() < 1e-3);
        assert!(log_sum_exp(&[0.0, f32::NAN, 1.0]).is_nan());
    });
}
