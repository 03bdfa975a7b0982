//! Results of PyTorch's definitions, including the corner cases.

use serde_json::{Value as Json, json};

use super::*;

/// Cells of a result: each is the loss of a separate graph.
fn cells(logprobs: &Array, count: usize, make: impl Fn(&mut Sketch) -> Json) -> Vec<f64> {
    let cell = |at: usize| {
        summed(logprobs, |sketch| {
            let result = make(sketch);
            let flat = sketch.call("reshape", json!([result, -1]));
            sketch.call("operator.getitem", json!([flat, at]))
        })
        .loss
    };
    (0..count).map(cell).collect()
}

fn gradient(logprobs: &[f64], make: impl Fn(&mut Sketch) -> Json) -> Vec<f64> {
    summed(&vector(logprobs), make).gradient
}

#[test]
fn corners_follow_pytorch() {
    let x = || of("logprobs");
    // Equal maxima share the gradient; `argmax` returns the first of them.
    assert_eq!(
        gradient(&[1.0, 2.0, 2.0], |s| s.call("max", json!([x()]))),
        [0.0, 0.5, 0.5]
    );
    assert_eq!(
        gradient(&[1.0, 2.0, 2.0], |s| {
            let pair = s.call("max", json!([x(), 0]));
            s.call("operator.getitem", json!([pair, 0]))
        }),
        [0.0, 1.0, 0.0]
    );
    assert_eq!(
        gradient(&[2.0], |s| s.call("torch.maximum", json!([x(), 2.0]))),
        [0.5]
    );
    // A clamp passes the gradient at its bounds.
    let clamp = |s: &mut Sketch| s.call("clamp", json!([x(), 0.0, 1.0]));
    assert_eq!(
        gradient(&[-0.1, 0.0, 1.0, 1.1], clamp),
        [0.0, 1.0, 1.0, 0.0]
    );
    assert_eq!(gradient(&[0.0], |s| s.call("abs", json!([x()]))), [0.0]);
    assert_eq!(gradient(&[0.0], |s| s.call("relu", json!([x()]))), [0.0]);
    // The branch that is not chosen contributes nothing, even if it is infinite.
    let safe = |s: &mut Sketch| {
        let mask = s.call("operator.gt", json!([x(), 0]));
        s.call("torch.where", json!([mask, x(), 0.0]))
    };
    assert_eq!(gradient(&[f64::NEG_INFINITY, 2.0], safe), [0.0, 1.0]);
    assert_eq!(
        gradient(&[0.0], |s| s.call("operator.pow", json!([x(), 0]))),
        [0.0]
    );
    assert_eq!(
        gradient(&[0.0], |s| s.call("operator.pow", json!([x(), 2]))),
        [0.0]
    );
}

#[test]
fn stable_functions_stay_finite() {
    let wide = vector(&[-1000.0, 0.0, 1000.0]);
    let one = |name: &str| cells(&wide, 3, |s| s.call(name, json!([of("logprobs")])));
    assert_eq!(
        one("torch.nn.functional.logsigmoid"),
        [-1000.0, -std::f64::consts::LN_2, 0.0]
    );
    assert_eq!(one("torch.nn.functional.softplus")[2], 1000.0);
    assert_eq!(one("sigmoid"), [0.0, 0.5, 1.0]);
    let along = |name: &str| cells(&wide, 3, |s| s.call(name, json!([of("logprobs"), 0])));
    assert_eq!(along("softmax"), [0.0, 0.0, 1.0]);
    assert_eq!(along("log_softmax"), [-2000.0, -1000.0, 0.0]);
    let nothing = vector(&[f64::NEG_INFINITY; 2]);
    let sum = summed(&nothing, |s| {
        s.call("logsumexp", json!([of("logprobs"), 0]))
    });
    assert_eq!(sum.loss, f64::NEG_INFINITY);
}

#[test]
fn whole_numbers_and_truth_values_count() {
    let x = vector(&[-1.0, 0.5, 2.0]);
    let count = summed(&x, |s| {
        let mask = s.call("operator.gt", json!([of("logprobs"), 0]));
        let both = s.call("operator.and_", json!([mask, mask]));
        s.call("sum", json!([both]))
    });
    assert_eq!(count.loss, 2.0);
    let shape = summed(&x, |s| {
        let shape = s.call("getattr", json!([of("logprobs"), "shape"]));
        let length = s.call("operator.getitem", json!([shape, 0]));
        let half = s.call("operator.truediv", json!([length, 2]));
        let whole = s.call("operator.floordiv", json!([length, 2]));
        let root = s.call("math.sqrt", json!([16]));
        let sum = s.call("operator.add", json!([half, whole]));
        let sum = s.call("operator.add", json!([sum, root]));
        s.call("torch.full", json!([[2], sum]))
    });
    assert_eq!(shape.loss, 2.0 * (1.5 + 1.0 + 4.0));
    let built = summed(&x, |s| {
        let ones = s.call_with(
            "torch.ones",
            json!([2, 3]),
            json!({"dtype": {"dtype": "float32"}}),
        );
        let zeros = s.call("torch.zeros_like", json!([of("logprobs")]));
        let rows = s.call("torch.arange", json!([0, 10, 4]));
        let rows = s.call("float", json!([rows]));
        let sum = s.call("operator.add", json!([ones, zeros]));
        s.call("operator.add", json!([sum, rows]))
    });
    assert_eq!(built.loss, 6.0 + 2.0 * (4.0 + 8.0));
}

#[test]
fn sums_run_along_their_dimension() {
    let x = matrix([2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let along = |dim: i64| cells(&x, 4, |s| s.call("cumsum", json!([of("logprobs"), dim])));
    assert_eq!(along(0), [1.0, 2.0, 4.0, 6.0]);
    assert_eq!(along(1), [1.0, 3.0, 3.0, 7.0]);
    let product = cells(&x, 4, |s| {
        s.call("torch.matmul", json!([of("logprobs"), of("logprobs")]))
    });
    assert_eq!(product, [7.0, 10.0, 15.0, 22.0]);
}

#[test]
fn metrics_are_single_numbers_under_their_names() {
    let mut sketch = Sketch::new(&[("logprobs", 1)]);
    let loss = sketch.call("sum", json!([of("logprobs")]));
    let mean = sketch.call("mean", json!([of("logprobs")]));
    let metrics = json!({"custom/b:mean": mean, "custom/a/x.y-z_0:sum": loss});
    let program = sketch.program(&loss, &metrics).unwrap();
    let names: Vec<&str> = program.metrics.keys().map(String::as_str).collect();
    assert_eq!(names, ["custom/a/x.y-z_0:sum", "custom/b:mean"]);
    let outcome = program.run(&[vector(&[1.0, 3.0])]).unwrap();
    assert_eq!((outcome.loss, outcome.metrics), (4.0, vec![4.0, 2.0]));
}
