//! Gradients of every operation, compared with central differences.

use serde_json::{Value as Json, json};

use super::*;

const STEP: f64 = 1e-6;

/// Irregular weights, so that no symmetry of an operation cancels an error.
fn weighted(sketch: &mut Sketch, result: &Json) -> Json {
    let flat = sketch.call("reshape", json!([result, -1]));
    let count = sketch.call("numel", json!([flat]));
    let places = sketch.call("torch.arange", json!([count]));
    let odd = sketch.call("operator.add", json!([places, 1.5]));
    let weights = sketch.call("torch.cos", json!([odd]));
    let products = sketch.call("operator.mul", json!([flat, weights]));
    sketch.call("sum", json!([products]))
}

fn check(name: &str, logprobs: &Array, other: &Array, make: impl Fn(&mut Sketch) -> Json) {
    let ranks = [logprobs, other].map(|array| array.shape.len() as u8);
    let mut sketch = Sketch::new(&[("logprobs", ranks[0]), ("other", ranks[1])]);
    let result = make(&mut sketch);
    let loss = weighted(&mut sketch, &result);
    let program = sketch
        .program(&loss, &json!({}))
        .unwrap_or_else(|e| panic!("{name}: {e}"));
    let run = |data: Vec<f64>| {
        let logprobs = Array::new(logprobs.shape.clone(), data, logprobs.kind);
        program
            .run(&[logprobs, other.clone()])
            .unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let outcome = run(logprobs.data.to_vec());
    assert!(outcome.loss.is_finite(), "{name}: {}", outcome.loss);
    for at in 0..logprobs.data.len() {
        let moved = |by: f64| {
            let mut data = logprobs.data.to_vec();
            data[at] += by;
            run(data).loss
        };
        let difference = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        let slope = outcome.gradient[at];
        assert!(
            (slope - difference).abs() < 1e-6 * (1.0 + slope.abs()),
            "{name} at {at}: {slope} {difference}"
        );
    }
}

/// Checks an operation that is written as the arguments of one call, where `x` and `y` are the inputs.
fn check_call(x: &Array, y: &Array, target: &str, args: &Json, kwargs: &Json) {
    check(&format!("{target} {args} {kwargs}"), x, y, |sketch| {
        let text = args.to_string();
        let text = text.replace("\"x\"", r#"{"ref":"logprobs"}"#);
        let text = text.replace("\"y\"", r#"{"ref":"other"}"#);
        sketch.call_with(target, serde_json::from_str(&text).unwrap(), kwargs.clone())
    });
}

#[test]
fn functions_of_each_cell() {
    let mixed = vector(&[-2.3, -0.4, 0.7, 1.6, 25.0]);
    let positive = vector(&[0.2, 0.9, 1.7, 3.1, 4.2]);
    for name in [
        "abs", "neg", "square", "relu", "sign", "floor", "ceil", "round", "exp2", "expm1", "sin",
        "cos", "tanh", "sigmoid", "silu", "positive",
    ] {
        let small = Array::new(vec![4], mixed.data[..4].to_vec(), mixed.kind);
        check_call(&small, &positive, name, &json!(["x"]), &json!({}));
    }
    for name in [
        "torch.log",
        "torch.log2",
        "torch.log10",
        "torch.log1p",
        "torch.sqrt",
        "torch.rsqrt",
        "torch.reciprocal",
        "torch.exp",
        "nan_to_num",
    ] {
        check_call(&positive, &mixed, name, &json!(["x"]), &json!({}));
    }
    let functional = |name: &str| format!("torch.nn.functional.{name}");
    check_call(
        &mixed,
        &positive,
        &functional("logsigmoid"),
        &json!(["x"]),
        &json!({}),
    );
    check_call(
        &mixed,
        &positive,
        &functional("softplus"),
        &json!(["x"]),
        &json!({}),
    );
    check_call(
        &mixed,
        &positive,
        &functional("softplus"),
        &json!(["x"]),
        &json!({"beta": 2.0}),
    );
    check_call(
        &mixed,
        &positive,
        "clamp",
        &json!(["x", -1.0, 1.0]),
        &json!({}),
    );
    check_call(
        &mixed,
        &positive,
        "clamp",
        &json!(["x"]),
        &json!({"max": 1}),
    );
    check_call(
        &mixed,
        &positive,
        "torch.clamp",
        &json!(["x", "y"]),
        &json!({}),
    );
}

#[test]
fn functions_of_two_arrays() {
    let (x, y) = (vector(&[0.4, 1.3, 2.2]), vector(&[1.7, 0.6, 2.9]));
    let column = matrix([2, 1], &[0.8, 2.1]);
    for name in ["add", "sub", "mul", "truediv", "pow", "mod"] {
        let target = format!("operator.{name}");
        check_call(&x, &y, &target, &json!(["x", "y"]), &json!({}));
        check_call(&x, &y, &target, &json!(["y", "x"]), &json!({}));
        check_call(&x, &column, &target, &json!(["x", "y"]), &json!({}));
        check_call(&x, &y, &target, &json!(["x", 2]), &json!({}));
        check_call(&x, &y, &target, &json!([2.5, "x"]), &json!({}));
    }
    for name in ["maximum", "minimum", "logaddexp", "max", "min"] {
        let target = format!("torch.{name}");
        check_call(&x, &y, &target, &json!(["x", "y"]), &json!({}));
    }
    check_call(&x, &y, "add", &json!(["x", "y"]), &json!({"alpha": 3}));
    check_call(&x, &y, "torch.lerp", &json!(["y", 2.0, "x"]), &json!({}));
    check("where", &x, &y, |sketch| {
        let mask = sketch.call("operator.gt", json!([of("logprobs"), of("other")]));
        let doubled = sketch.call("operator.mul", json!([of("logprobs"), 2]));
        let chosen = sketch.call("torch.where", json!([mask, doubled, of("other")]));
        let filled = sketch.call("masked_fill", json!([chosen, mask, -1.0]));
        let inverse = sketch.call("operator.invert", json!([mask]));
        let kept = sketch.call("where", json!([of("logprobs"), inverse, 0]));
        sketch.call("operator.add", json!([filled, kept]))
    });
}

#[test]
fn reductions() {
    let x = matrix([2, 3], &[0.3, -1.2, 2.1, 0.9, 1.4, -0.6]);
    let y = vector(&[1.0]);
    for name in [
        "sum", "mean", "var", "std", "norm", "max", "min", "amax", "amin",
    ] {
        check_call(&x, &y, name, &json!(["x"]), &json!({}));
    }
    for name in ["sum", "mean", "var", "std", "amax", "amin", "logsumexp"] {
        for dim in [json!(0), json!(-1), json!([0, 1])] {
            check_call(&x, &y, name, &json!(["x", dim]), &json!({"keepdim": true}));
        }
    }
    check_call(&x, &y, "norm", &json!(["x"]), &json!({"p": 1}));
    check_call(&x, &y, "var", &json!(["x"]), &json!({"unbiased": false}));
    for name in ["softmax", "log_softmax", "cumsum"] {
        check_call(&x, &y, name, &json!(["x", 0]), &json!({}));
        check_call(&x, &y, name, &json!(["x"]), &json!({"dim": 1}));
    }
    check("max over a dimension", &x, &y, |sketch| {
        let pair = sketch.call("max", json!([of("logprobs"), 1]));
        sketch.call("operator.getitem", json!([pair, 0]))
    });
}

#[test]
fn arrangements() {
    let x = matrix([2, 3], &[0.3, -1.2, 2.1, 0.9, 1.4, -0.6]);
    let y = matrix([3, 1], &[0.5, -0.25, 2.0]);
    for (name, rest) in [
        ("view", json!([3, 2])),
        ("reshape", json!([[6]])),
        ("reshape", json!([-1, 2])),
        ("flatten", json!([])),
        ("unsqueeze", json!([1])),
        ("squeeze", json!([0])),
        ("t", json!([])),
        ("transpose", json!([0, 1])),
        ("permute", json!([1, 0])),
        ("flip", json!([1])),
        ("expand", json!([4, -1, 3])),
        ("select", json!([1, -1])),
        ("narrow", json!([1, 1, 2])),
        ("diff", json!([])),
        ("float", json!([])),
        ("clone", json!([])),
    ] {
        let mut args = vec![json!("x")];
        args.extend(rest.as_array().unwrap().clone());
        check_call(&x, &y, name, &json!(args), &json!({}));
    }
    let item = "operator.getitem";
    let all = json!({"slice": [null, null, null]});
    for index in [
        json!(1),
        json!(-1),
        json!({"slice": [1, null, null]}),
        json!({"tuple": [all, {"slice": [0, null, 2]}]}),
        json!({"tuple": [0, 2]}),
        json!({"tuple": [{"ellipsis": true}, 1]}),
        json!({"tuple": [null, {"ellipsis": true}, null]}),
        json!({"tuple": [all, [2, 0, 2]]}),
    ] {
        check_call(&x, &y, item, &json!(["x", index]), &json!({}));
    }
    check_call(
        &x,
        &y,
        "torch.stack",
        &json!([["x", "x"]]),
        &json!({"dim": 1}),
    );
    check_call(&x, &x, "torch.cat", &json!([["x", "y"], -1]), &json!({}));
    check_call(&x, &x, "torch.cat", &json!([["y", "x", "x"]]), &json!({}));
    check_call(&x, &y, "operator.matmul", &json!(["x", "y"]), &json!({}));
}

#[test]
fn parts_named_by_tensors() {
    let x = matrix([2, 3], &[0.3, -1.2, 2.1, 0.9, 1.4, -0.6]);
    let y = vector(&[1.0, 0.0]);
    check("gather", &x, &y, |sketch| {
        let place = sketch.call("argmax", json!([of("logprobs"), 1]));
        let place = sketch.call("unsqueeze", json!([place, 1]));
        sketch.call("torch.gather", json!([of("logprobs"), 1, place]))
    });
    check("mask", &x, &y, |sketch| {
        let mask = sketch.call("operator.gt", json!([of("logprobs"), 0.0]));
        sketch.call("operator.getitem", json!([of("logprobs"), mask]))
    });
    check("mask of rows", &x, &y, |sketch| {
        let mask = sketch.call("bool", json!([of("other")]));
        sketch.call("operator.getitem", json!([of("logprobs"), mask]))
    });
    check("indices", &x, &y, |sketch| {
        let rows = sketch.call("long", json!([of("other")]));
        sketch.call("operator.getitem", json!([of("logprobs"), rows]))
    });
    check("index_select", &x, &y, |sketch| {
        let columns = sketch.call("long", json!([of("other")]));
        sketch.call("torch.index_select", json!([of("logprobs"), 1, columns]))
    });
    let (a, b) = (vector(&[0.5, 2.0, -1.0]), vector(&[3.0, 0.25, 1.5]));
    check_call(&a, &b, "torch.dot", &json!(["x", "y"]), &json!({}));
    check_call(&a, &b, "torch.outer", &json!(["y", "x"]), &json!({}));
}

#[test]
fn a_detached_value_holds_still() {
    let x = vector(&[0.5, -1.0]);
    let outcome = summed(&x, |sketch| {
        let still = sketch.call("detach", json!([of("logprobs")]));
        sketch.call("operator.mul", json!([of("logprobs"), still]))
    });
    assert_eq!(outcome.gradient, [0.5, -1.0], "not twice as much");
    let constant = summed(&x, |sketch| sketch.call("detach", json!([of("logprobs")])));
    assert!(!constant.depends && constant.gradient == [0.0, 0.0]);
}

#[test]
fn a_value_used_twice_gathers_both_gradients() {
    let outcome = summed(&vector(&[3.0]), |sketch| {
        let square = sketch.call("operator.mul", json!([of("logprobs"), of("logprobs")]));
        sketch.call("operator.mul", json!([square, square]))
    });
    assert_eq!(outcome.gradient, [4.0 * 27.0]);
}
