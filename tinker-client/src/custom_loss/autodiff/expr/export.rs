//! Export of expressions as a graph of the protocol.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};
use tinker_types::{Graph, GraphInput, GraphNode, InvalidValue};

use super::{Binary, Expr, LOGPROBS, Term, Unary};

/// Python builtins that the official client does not use as node names. Nodes are named as by that client, so that
/// equal losses give equal graphs.
const BUILTINS: [&str; 5] = ["abs", "max", "min", "sum", "sqrt"];

/// The inputs of expressions without duplicates, log probabilities first.
pub(crate) fn inputs_of(exprs: &[&Expr]) -> Result<Vec<GraphInput>, InvalidValue> {
    let mut inputs = vec![GraphInput {
        name: LOGPROBS.to_owned(),
        rank: 0,
    }];
    let mut seen = BTreeSet::new();
    for expr in exprs {
        gather(expr, &mut seen, &mut inputs)?;
    }
    Ok(inputs)
}

fn gather(
    expr: &Expr,
    seen: &mut BTreeSet<*const ()>,
    inputs: &mut Vec<GraphInput>,
) -> Result<(), InvalidValue> {
    if !seen.insert(expr.key()) {
        return Ok(());
    }
    match &expr.0.term {
        Term::Constant(_) => Ok(()),
        Term::Unary(_, of) => gather(of, seen, inputs),
        Term::Binary(_, left, right) => {
            gather(left, seen, inputs)?;
            gather(right, seen, inputs)
        }
        Term::Input(name) => {
            let rank = expr.0.rank;
            let known = inputs.iter_mut().find(|input| input.name == **name);
            match known {
                None => inputs.push(GraphInput {
                    name: name.to_string(),
                    rank,
                }),
                // The first entry is reserved for the log probabilities before their rank is known.
                Some(input) if input.name == LOGPROBS && input.rank == 0 => input.rank = rank,
                Some(input) if input.rank != rank => {
                    let why = format!("is used with {} dimensions and with {rank}", input.rank);
                    return Err(InvalidValue::new(&**name, why));
                }
                Some(_) => {}
            }
            Ok(())
        }
    }
}

/// Writes nodes in the order of their computation.
#[derive(Debug, Default)]
pub(crate) struct Export {
    nodes: Vec<GraphNode>,
    names: BTreeSet<String>,
    known: HashMap<*const (), String>,
}

impl Export {
    pub(crate) fn new(inputs: &[GraphInput]) -> Self {
        let mut export = Self::default();
        for input in inputs {
            export.names.insert(input.name.clone());
            export.push("placeholder", &input.name, &input.name, Vec::new());
        }
        export
    }

    /// Adds the output node, a pair of the loss and its metrics.
    pub(crate) fn finish(mut self, loss: &Expr, metrics: &BTreeMap<String, Expr>) -> Graph {
        let loss = self.write(loss);
        let of = |(name, expr): (&String, &Expr)| (name.clone(), self.write(expr));
        let metrics: serde_json::Map<String, Value> = metrics.iter().map(of).collect();
        let pair = json!({"tuple": [loss, {"dict": metrics}]});
        self.push("output", "output", "output", vec![pair]);
        Graph {
            format: 1,
            nodes: self.nodes,
        }
    }

    /// The expression as an argument of another one.
    fn write(&mut self, expr: &Expr) -> Value {
        if let Some(name) = self.known.get(&expr.key()) {
            return json!({"ref": name});
        }
        let name = match &expr.0.term {
            Term::Constant(value) => return number(*value),
            Term::Input(name) => return json!({"ref": &**name}),
            Term::Unary(op, of) => {
                let of = self.write(of);
                self.unary(*op, of)
            }
            Term::Binary(op, left, right) => {
                let args = [self.write(left), self.write(right)];
                self.binary(*op, args)
            }
        };
        self.known.insert(expr.key(), name.clone());
        json!({"ref": name})
    }

    fn unary(&mut self, op: Unary, of: Value) -> String {
        let (kind, target) = match op {
            Unary::Neg => ("call_function", "operator.neg"),
            Unary::Exp => ("call_function", "torch.exp"),
            Unary::Log => ("call_function", "torch.log"),
            Unary::Abs => ("call_function", "torch.abs"),
            Unary::Sqrt => ("call_function", "torch.sqrt"),
            Unary::Sigmoid => ("call_function", "torch.sigmoid"),
            Unary::LogSigmoid => ("call_function", "torch.nn.functional.logsigmoid"),
            Unary::Sum => ("call_method", "sum"),
            Unary::Mean => ("call_method", "mean"),
            Unary::Detach => ("call_method", "detach"),
            Unary::Clamp(low, high) => {
                let args = vec![of, number(low), number(high)];
                return self.call("call_function", "torch.clamp", args);
            }
        };
        self.call(kind, target, vec![of])
    }

    fn binary(&mut self, op: Binary, [left, right]: [Value; 2]) -> String {
        let is_constant = |side: &Value| side.get("ref").is_none();
        let target = match op {
            Binary::Add => "operator.add",
            Binary::Sub => "operator.sub",
            Binary::Mul => "operator.mul",
            Binary::Div => "operator.truediv",
            // `minimum` and `maximum` take two tensors; with a number use `clamp`.
            Binary::Min | Binary::Max if is_constant(&left) || is_constant(&right) => {
                let (bound, of) = if is_constant(&left) {
                    (left, right)
                } else {
                    (right, left)
                };
                let args = match op {
                    Binary::Max => vec![of, bound],
                    _ => vec![of, Value::Null, bound],
                };
                return self.call("call_function", "torch.clamp", args);
            }
            Binary::Min => "torch.minimum",
            Binary::Max => "torch.maximum",
        };
        self.call("call_function", target, vec![left, right])
    }

    fn call(&mut self, op: &str, target: &str, args: Vec<Value>) -> String {
        let name = self.name_after(target.rsplit('.').next().unwrap_or(target));
        self.push(op, &name, target, args);
        name
    }

    /// An unused name: that of the operation, with a number if needed.
    fn name_after(&mut self, operation: &str) -> String {
        let mut name = operation.to_owned();
        let mut number = 0;
        while self.names.contains(&name) || BUILTINS.contains(&name.as_str()) {
            number += 1;
            name = format!("{operation}_{number}");
        }
        self.names.insert(name.clone());
        name
    }

    fn push(&mut self, op: &str, name: &str, target: &str, args: Vec<Value>) {
        self.nodes.push(GraphNode {
            op: op.to_owned(),
            name: name.to_owned(),
            target: target.to_owned(),
            args,
            kwargs: BTreeMap::new(),
        });
    }
}

/// A number. Numbers that are not finite have a form of their own, because JSON has none.
fn number(value: f64) -> Value {
    if value.is_finite() {
        return json!(value);
    }
    let name = match value {
        f64::INFINITY => "inf",
        f64::NEG_INFINITY => "-inf",
        _ => "nan",
    };
    json!({"float": name})
}
