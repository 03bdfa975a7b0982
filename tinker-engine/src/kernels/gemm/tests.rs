use super::super::level::at_each_level;
use super::super::packed::Packed;
use super::*;
use crate::threads::ThreadPool;

fn numbers(n: usize, seed: usize) -> Vec<f32> {
    // Multiples of 1/64 below 4: exact in f16 and bf16, with rounding in the sums.
    (0..n)
        .map(|i| ((i * 7919 + seed * 104_729) % 509) as f32 / 64.0 - 4.0)
        .map(|x| (x * 4.0).round() / 4.0 / 3.0)
        .collect()
}

fn halves(n: usize, seed: usize) -> Vec<f32> {
    numbers(n, seed)
        .into_iter()
        .map(|x| bf16::from_f32(x).to_f32())
        .collect()
}

fn product(a: Rows<'_>, b: &Packed, m: usize, c: &mut [f32], accumulate: bool) {
    let (n, k) = (b.columns(), b.depth());
    gemm([m, n, k], a, b.operand(), Out::new(c, n, accumulate));
}

#[test]
fn products_of_all_shapes_agree_with_plain_loops() {
    at_each_level(|level| {
        for (m, n, k) in [
            (1, 1, 1),
            (1, 300, 7),
            (2, 65, 40),
            (3, 130, 5),
            (4, 16, 3),
            (5, 17, 300),
            (13, 33, 9),
            (29, 70, 520),
            (3, 8, 0),
        ] {
            let (a, w) = (numbers(m * k, 1), numbers(n * k, 2));
            let start = numbers(m * n, 3);
            // The same matrix packed from its rows and from its columns, and the left side across.
            let b: Vec<f32> = (0..k * n).map(|i| w[i % n * k + i / n]).collect();
            let across: Vec<f32> = (0..k * m).map(|i| a[i % m * k + i / m]).collect();
            let mut outputs = Vec::new();
            for packed in [
                Packed::from_columns(&w, k, n),
                Packed::from_rows(&b, k, n, n),
            ] {
                for rows in [Rows::new(&a, k), Rows::transposed(&across, m)] {
                    let mut c = start.clone();
                    product(rows, &packed, m, &mut c, true);
                    outputs.push(c);
                }
            }
            for i in 0..m * n {
                let exact: f64 = (0..k)
                    .map(|p| f64::from(a[i / n * k + p]) * f64::from(w[i % n * k + p]))
                    .sum();
                let off = (f64::from(outputs[0][i]) - exact - f64::from(start[i])).abs();
                assert!(
                    off < 1e-6 * (k as f64 + 1.0) * 2.0,
                    "{level:?} {m} {n} {k}: off by {off}"
                );
            }
            assert!(outputs.iter().all(|c| *c == outputs[0]));
        }
    });
}

#[test]
fn a_row_does_not_depend_on_the_others() {
    let (n, k, most) = (150, 530, 40);
    let (a, w) = (numbers(most * k, 4), numbers(n * k, 5));
    let packed = Packed::from_columns(&w, k, n);
    at_each_level(|level| {
        let mut all = vec![0.0; most * n];
        product(Rows::new(&a, k), &packed, most, &mut all, false);
        for m in 1..most {
            let first = most - m;
            let mut some = vec![f32::NAN; m * n];
            product(Rows::new(&a[first * k..], k), &packed, m, &mut some, false);
            assert!(some == all[first * n..], "{level:?}: {m} rows");
        }
    });
}

#[test]
fn half_precision_weights_change_nothing() {
    let (n, k, m) = (70, 90, 14);
    let a = numbers(m * k, 6);
    let quarters: Vec<f32> = (0..n * k).map(|i| (i % 129) as f32 / 4.0 - 16.0).collect();
    // Too small for f16, but not for bf16.
    let tiny: Vec<f32> = halves(n * k, 7)
        .iter()
        .map(|x| x * 2.0_f32.powi(-60))
        .collect();
    at_each_level(|level| {
        for (w, name) in [
            (&quarters, "F16"),
            (&tiny, "Bf16"),
            (&numbers(n * k, 8), "F32"),
        ] {
            let wide = Packed::from_columns(w, k, n);
            let mut narrow = wide.clone();
            narrow.narrow();
            if level != super::super::level::Level::Portable {
                assert!(
                    format!("{narrow:?}").contains(&format!("{name}(")),
                    "{level:?} {name}"
                );
            }
            for m in [1, 2, m] {
                let mut outputs = [vec![0.0; m * n], vec![0.0; m * n]];
                product(Rows::new(&a, k), &wide, m, &mut outputs[0], false);
                product(Rows::new(&a, k), &narrow, m, &mut outputs[1], false);
                assert!(outputs[0] == outputs[1], "{level:?} {name} {m}");
            }
        }
    });
}

#[test]
#[should_panic(expected = "left side of a product is too short")]
fn short_operands_are_found() {
    let packed = Packed::from_rows(&[1.0; 12], 4, 3, 3);
    product(Rows::new(&[0.0; 7], 4), &packed, 2, &mut [0.0; 6], false);
}

#[test]
fn parts_of_a_product_are_the_whole_to_the_bit() {
    // At this processor's level only: a lower one can be chosen for one thread, not for a pool.
    let pool = ThreadPool::new(3);
    let shapes = [
        (1, 300, 70),
        (5, 129, 300),
        (48, 31, 40),
        (100, 70, 270),
        (200, 1, 9),
    ];
    for (m, n, k) in shapes {
        let (a, w) = (numbers(m * k, 1), numbers(n * k, 2));
        let across: Vec<f32> = (0..k * m).map(|i| a[i % m * k + i / m]).collect();
        let packed = Packed::from_columns(&w, k, n);
        for rows in [Rows::new(&a, k), Rows::transposed(&across, m)] {
            // Rows further apart than their length: the gaps between them are unchanged.
            let start = numbers(m * (n + 3), 3);
            let [mut one, mut all] = [start.clone(), start];
            let (shape, stride) = ([m, n, k], n + 3);
            gemm(shape, rows, packed.operand(), Out::add(&mut one, stride));
            let out = Out::add(&mut all, stride);
            gemm_by(PoolHandle::Pool(&pool), shape, rows, packed.operand(), out);
            assert!(one == all, "{m} {n} {k}");
        }
    }
}
