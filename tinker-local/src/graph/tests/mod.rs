//! Tests of graphs in the form in which clients upload them.

#![expect(
    clippy::float_cmp,
    reason = "small whole numbers and powers of two are exact"
)]

mod gradient;
mod hostile;
mod recorded;
mod refusal;
mod value;

use serde_json::{Value as Json, json};
use tinker_types::{Graph, GraphInput, GraphNode, InvalidValue};

use super::array::{Array, Kind};
use super::parse::Program;
use super::run::Outcome;

/// Builder of a graph.
pub(super) struct Sketch {
    inputs: Vec<GraphInput>,
    nodes: Vec<GraphNode>,
}

/// A reference to a node.
pub(super) fn of(name: &str) -> Json {
    json!({ "ref": name })
}

impl Sketch {
    /// Starts a graph with these inputs and their ranks.
    pub(super) fn new(inputs: &[(&str, u8)]) -> Self {
        let node = |(name, _): &(&str, u8)| GraphNode {
            op: "placeholder".into(),
            name: (*name).into(),
            target: (*name).into(),
            args: vec![],
            kwargs: std::collections::BTreeMap::new(),
        };
        let input = |(name, rank): &(&str, u8)| GraphInput {
            name: (*name).into(),
            rank: *rank,
        };
        Self {
            inputs: inputs.iter().map(input).collect(),
            nodes: inputs.iter().map(node).collect(),
        }
    }

    /// Calls a function, or a method if the target has no dot, and returns a reference to the result.
    pub(super) fn call(&mut self, target: &str, args: Json) -> Json {
        self.call_with(target, args, json!({}))
    }

    pub(super) fn call_with(&mut self, target: &str, args: Json, kwargs: Json) -> Json {
        let is_method = !target.contains('.') && target != "getattr";
        let name = format!("n{}", self.nodes.len());
        self.nodes.push(GraphNode {
            op: if is_method {
                "call_method"
            } else {
                "call_function"
            }
            .into(),
            name: name.clone(),
            target: target.into(),
            args: serde_json::from_value(args).unwrap(),
            kwargs: serde_json::from_value(kwargs).unwrap(),
        });
        of(&name)
    }

    /// Finishes the graph with its loss and metrics.
    pub(super) fn program(mut self, loss: &Json, metrics: &Json) -> Result<Program, InvalidValue> {
        let pair = json!({"tuple": [loss, {"dict": metrics}]});
        self.nodes.push(GraphNode {
            op: "output".into(),
            name: "output".into(),
            target: "output".into(),
            args: vec![pair],
            kwargs: std::collections::BTreeMap::new(),
        });
        let graph = Graph {
            format: 1,
            nodes: self.nodes,
        };
        Program::parse(&self.inputs, &graph)
    }
}

pub(super) fn vector(values: &[f64]) -> Array {
    Array::new(vec![values.len()], values.to_vec(), Kind::Float)
}

pub(super) fn matrix(shape: [usize; 2], values: &[f64]) -> Array {
    Array::new(shape.to_vec(), values.to_vec(), Kind::Float)
}

/// Runs a graph with the only input `logprobs`; its loss is the sum of the result of `make`.
pub(super) fn summed(logprobs: &Array, make: impl FnOnce(&mut Sketch) -> Json) -> Outcome {
    let rank = logprobs.shape.len() as u8;
    let mut sketch = Sketch::new(&[("logprobs", rank)]);
    let result = make(&mut sketch);
    let sum = sketch.call("sum", json!([result]));
    let loss = sketch.call("float", json!([sum]));
    let program = sketch.program(&loss, &json!({})).unwrap();
    program.run(std::slice::from_ref(logprobs)).unwrap()
}
