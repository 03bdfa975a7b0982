use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::export::{Export, inputs_of};
use super::local::Local;
use super::*;
use crate::custom_loss::autodiff::var::Var;

fn graph_of(loss: &Expr) -> Value {
    let inputs = inputs_of(&[loss]).unwrap();
    json!(Export::new(&inputs).finish(loss, &BTreeMap::new()))
}

fn value(expr: &Expr, inputs: &[(&'static str, &[f64])]) -> Vec<f64> {
    let inputs = inputs
        .iter()
        .map(|&(name, values)| (name, Var::new(values.iter().copied())));
    let mut local = Local::new(inputs.collect::<HashMap<_, _>>());
    local.run(expr).unwrap().values().to_vec()
}

#[test]
fn numbers_are_those_of_var() {
    let (a, b) = (Expr::input("a"), Expr::input("b"));
    let inputs: [(&str, &[f64]); 2] = [("a", &[0.5, 2.0]), ("b", &[1.0, -3.0])];
    for (expr, expected) in [
        (&a + &b, vec![1.5, -1.0]),
        (&a - 1.0, vec![-0.5, 1.0]),
        (2.0 * &a, vec![1.0, 4.0]),
        (&a / &b, vec![0.5, -2.0 / 3.0]),
        (-&a, vec![-0.5, -2.0]),
        (a.min(&b), vec![0.5, -3.0]),
        (a.max(&b), vec![1.0, 2.0]),
        (a.clamp(1.0, 1.5), vec![1.0, 1.5]),
        (b.abs(), vec![1.0, 3.0]),
        (a.exp().log(), vec![0.5, 2.0]),
        (a.detach().sqrt() * a.sqrt(), vec![0.5, 2.0]),
        (b.sum(), vec![-2.0]),
        (b.mean(), vec![-1.0]),
        ((a.sigmoid().log() - a.log_sigmoid()).abs().sum(), vec![0.0]),
        (Expr::constant(2.0) * 3.0, vec![6.0]),
    ] {
        let found = value(&expr, &inputs);
        let same = |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-12;
        assert!(
            found.len() == expected.len() && found.iter().zip(&expected).all(same),
            "{expr:?}: {found:?}"
        );
    }
}

#[test]
fn what_is_shared_is_written_once() {
    let ratio = (Expr::logprobs() - Expr::input("old")).exp();
    let graph = graph_of(&(&ratio * &ratio).sum());
    let names: Vec<&str> = graph["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["logprobs", "old", "sub", "exp", "mul", "sum_1", "output"]
    );
}

#[test]
fn numbers_stand_for_themselves_and_bound_what_meets_them() {
    let lp = Expr::logprobs();
    let bounded = lp.max(&Expr::constant(-5.0)).clamp(f64::NEG_INFINITY, 0.0);
    let graph = graph_of(&(2.0 * bounded).sum());
    let nodes = graph["nodes"].as_array().unwrap();
    assert_eq!(nodes[1]["args"], json!([{"ref": "logprobs"}, -5.0]));
    assert_eq!(
        nodes[2]["args"],
        json!([{"ref": "clamp"}, {"float": "-inf"}, 0.0])
    );
    assert_eq!(nodes[3]["args"], json!([2.0, {"ref": "clamp_1"}]));
}

#[test]
fn what_is_no_loss_says_why() {
    let lp = Expr::logprobs();
    let message = |expr: &Expr| expr.check_number("loss").unwrap_err().to_string();
    assert!(message(&lp).contains("reduce it"));
    assert!(message(&Expr::constant(1.0)).contains("no input"));
    let mixed = (&lp * Expr::input_of_rank("w", 2)).sum();
    assert!(message(&mixed).contains("Mul of 1 dimensions and 2"));
    let twice = Expr::input("w").sum() + Expr::input_of_rank("w", 2).sum();
    assert!(inputs_of(&[&twice]).is_err());
}
