//! Malformed and hostile graphs: every run ends with a result or an error.

use serde_json::{Value as Json, json};

use super::*;

const TARGETS: [&str; 102] = [
    "abs",
    "neg",
    "square",
    "relu",
    "sign",
    "floor",
    "round",
    "exp",
    "log",
    "sqrt",
    "tanh",
    "sigmoid",
    "torch.nn.functional.softplus",
    "isnan",
    "logical_not",
    "bitwise_not",
    "nan_to_num",
    "operator.add",
    "operator.sub",
    "operator.mul",
    "operator.truediv",
    "operator.floordiv",
    "operator.mod",
    "operator.pow",
    "operator.lt",
    "operator.and_",
    "operator.invert",
    "operator.neg",
    "operator.getitem",
    "operator.getitem",
    "operator.getitem",
    "operator.matmul",
    "math.sqrt",
    "math.floor",
    "math.pow",
    "add",
    "div",
    "pow",
    "torch.maximum",
    "logaddexp",
    "torch.where",
    "where",
    "masked_fill",
    "clamp",
    "clamp_min",
    "torch.lerp",
    "sum",
    "mean",
    "var",
    "std",
    "norm",
    "max",
    "min",
    "amax",
    "argmax",
    "any",
    "all",
    "count_nonzero",
    "logsumexp",
    "softmax",
    "log_softmax",
    "cumsum",
    "float",
    "long",
    "bool",
    "to",
    "type_as",
    "size",
    "dim",
    "expand_as",
    "view_as",
    "view",
    "expand",
    "detach",
    "numel",
    "reshape",
    "flatten",
    "squeeze",
    "unsqueeze",
    "t",
    "transpose",
    "permute",
    "flip",
    "torch.stack",
    "torch.cat",
    "torch.gather",
    "index_select",
    "masked_select",
    "select",
    "narrow",
    "diff",
    "torch.zeros_like",
    "torch.full_like",
    "torch.zeros",
    "torch.full",
    "torch.arange",
    "torch.tensor",
    "torch.matmul",
    "torch.outer",
    "torch.dot",
    "getattr",
    "clone",
];

fn argument(random: &mut fastrand::Rng, nodes: usize, depth: u8) -> Json {
    match random.u8(..if depth > 1 { 12 } else { 16 }) {
        0..=6 => of(&match random.usize(..nodes + 2) {
            0 => "logprobs".to_owned(),
            1 => "other".to_owned(),
            at => format!("n{at}"),
        }),
        7 => json!(random.i64(-3..4)),
        8 => json!([-2.5, 0.0, 0.5, 1e300][random.usize(..4)]),
        9 => json!([true, false][random.usize(..2)]),
        10 => json!([None, Some("shape"), Some("floor"), Some("T")][random.usize(..4)]),
        11 => [
            json!({"ellipsis": true}),
            json!({"float": "nan"}),
            json!({"dtype": "int64"}),
            json!({"dtype": "bool"}),
            json!(i64::MAX),
            json!(i64::MIN),
            json!({"device": "cpu"}),
        ][random.usize(..7)]
        .clone(),
        12 => json!({"slice": [
            argument(random, nodes, depth + 2),
            argument(random, nodes, depth + 2),
            argument(random, nodes, depth + 2),
        ]}),
        _ => {
            let entries: Vec<Json> = (0..random.usize(..4))
                .map(|_| argument(random, nodes, depth + 1))
                .collect();
            json!({ "tuple": entries })
        }
    }
}

#[test]
fn nothing_panics() {
    let mut random = fastrand::Rng::with_seed(11);
    let (mut parsed, mut ran) = (0, 0);
    let shapes: [&[usize]; 6] = [&[3], &[2, 3], &[0], &[1, 1], &[3, 0], &[2, 2]];
    for _ in 0..20_000 {
        let shape = shapes[random.usize(..6)];
        let cells: usize = shape.iter().product();
        let data = (0..cells).map(|_| random.f64() * 4.0 - 2.0).collect();
        let logprobs = Array::new(shape.to_vec(), data, Kind::Float);
        let other = match random.u8(..4) {
            0 => Array::scalar(1.0, Kind::Int),
            1 => Array::new(vec![3], vec![0.0, 2.0, 1.0], Kind::Int),
            2 => Array::new(vec![2, 2], vec![0.0, 1.0, 1.0, 0.0], Kind::Int),
            _ => vector(&[0.5, -0.5, 2.0]),
        };
        let ranks = [&logprobs, &other].map(|array| array.shape.len() as u8);
        let mut sketch = Sketch::new(&[("logprobs", ranks[0]), ("other", ranks[1])]);
        for node in 0..random.usize(1..9) {
            let target = TARGETS[random.usize(..TARGETS.len())];
            let args: Vec<Json> = (0..random.usize(1..4))
                .map(|_| argument(&mut random, node, 0))
                .collect();
            sketch.call(target, json!(args));
        }
        let last = of(&sketch.nodes[sketch.nodes.len() - 1].name.clone());
        let loss = sketch.call("torch.sum", json!([last]));
        let loss = sketch.call("float", json!([loss]));
        let Ok(program) = sketch.program(&loss, &json!({"custom/x:sum": loss})) else {
            continue;
        };
        parsed += 1;
        if let Ok(outcome) = program.run(&[logprobs, other]) {
            assert_eq!(outcome.gradient.len(), cells);
            ran += 1;
        }
    }
    assert!(parsed > 10_000 && ran > 300, "{parsed} parsed, {ran} ran");
}
