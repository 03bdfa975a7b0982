use serde_json::{Value, json};

use super::*;
use crate::custom_loss::value::CustomLoss;

fn neg_ll() -> LossGraph {
    let weights = Expr::input("weights");
    let loss = -(Expr::logprobs() * &weights).sum();
    LossGraph::new("neg_ll", loss.clone())
        .with_metric("custom/neg_ll:sum", loss)
        .with_metric("custom/mean_w:mean", weights.mean())
}

#[test]
fn the_graph_is_the_official_clients() {
    // As in the recording `training/custom_handle_server_side`, apart from the order of the metrics,
    // which form a map.
    let expected: Value = json!([
        {"op": "placeholder", "name": "logprobs", "target": "logprobs", "args": [], "kwargs": {}},
        {"op": "placeholder", "name": "weights", "target": "weights", "args": [], "kwargs": {}},
        {"op": "call_function", "name": "mul", "target": "operator.mul", "args": [{"ref": "logprobs"}, {"ref": "weights"}], "kwargs": {}},
        {"op": "call_method", "name": "sum_1", "target": "sum", "args": [{"ref": "mul"}], "kwargs": {}},
        {"op": "call_function", "name": "neg", "target": "operator.neg", "args": [{"ref": "sum_1"}], "kwargs": {}},
        {"op": "call_method", "name": "mean", "target": "mean", "args": [{"ref": "weights"}], "kwargs": {}},
        {"op": "output", "name": "output", "target": "output", "args": [{"tuple": [{"ref": "neg"}, {"dict": {"custom/mean_w:mean": {"ref": "mean"}, "custom/neg_ll:sum": {"ref": "neg"}}}]}], "kwargs": {}},
    ]);
    let graph = neg_ll().graph().unwrap();
    assert_eq!(json!(graph.nodes), expected);
    let inputs = json!(neg_ll().inputs().unwrap());
    assert_eq!(
        inputs,
        json!([{"name": "logprobs", "rank": 1}, {"name": "weights", "rank": 1}])
    );
}

#[test]
fn losses_and_metrics_are_added_up_over_the_data() {
    let data = [
        Datum::supervised(&[1], &[2]),
        Datum::supervised(&[1], &[2]).with_input("weights", vec![3.0]),
    ];
    let computed = neg_ll().compute(&data, &[vec![-0.5], vec![-2.0]]).unwrap();
    let expected = CustomLoss::new(6.5, vec![vec![-1.0], vec![-3.0]])
        .with_metric("custom/neg_ll:sum", 6.5)
        .with_metric("custom/mean_w:mean", 2.0);
    assert_eq!(computed, expected);
}

#[test]
fn a_loss_that_the_protocol_does_not_take_is_refused() {
    let lp = Expr::logprobs().sum();
    let refused = |loss: LossGraph| loss.graph().unwrap_err().to_string();
    let odd = LossGraph::new("x", lp.clone()).with_metric("mine", lp.clone());
    assert!(refused(odd).contains("custom/<name>"));
    let blind = LossGraph::new("x", Expr::input("weights").sum());
    assert!(refused(blind).contains("logprobs"));
    let many = (0..16).map(|n| Expr::input(format!("a{n}")).sum());
    let many = many.fold(lp, |sum, input| sum + input);
    assert!(refused(LossGraph::new("x", many)).contains("at most 16"));
}

#[test]
fn data_lack_nothing() {
    let message = |datum: Datum| neg_ll().check_data(&[datum]).unwrap_err().to_string();
    let good = Datum::supervised(&[1], &[2]);
    assert!(neg_ll().check_data(std::slice::from_ref(&good)).is_ok());
    let mut bare = good.clone();
    bare.loss_fn_inputs.remove("weights");
    assert_eq!(
        message(bare),
        "data[0].loss_fn_inputs.weights: is missing; loss neg_ll needs it"
    );
    let square = TensorData::from(vec![1.0_f32]).with_shape([1, 1]).unwrap();
    assert!(message(good.with_input("weights", square)).contains("has 2 dimensions"));
}
