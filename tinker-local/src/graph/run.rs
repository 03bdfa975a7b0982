//! Execution of a program.

use super::array::{Array, Kind};
use super::call::Call;
use super::parse::{Does, Program};
use super::tape::{Tape, Var};
use super::value::Value;

/// Results of a program for one datum.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) loss: f64,
    /// By the order of their names.
    pub(super) metrics: Vec<f64>,
    /// Derivative of the loss by each log probability.
    pub(super) gradient: Vec<f64>,
    /// Whether the loss depends on them.
    pub(super) depends: bool,
}

impl Program {
    /// Runs the program on its inputs. The gradient is with respect to the first.
    pub(super) fn run(&self, inputs: &[Array]) -> Result<Outcome, String> {
        let mut tape = Tape::new();
        let mut values: Vec<Value> = Vec::with_capacity(self.nodes.len());
        let mut leaf = None;
        for node in &self.nodes {
            let value = match &node.does {
                Does::Input(0) => {
                    let var = tape.leaf(inputs[0].clone())?;
                    leaf = Some(var);
                    Ok(Value::Tensor(var))
                }
                Does::Input(at) => tape.constant(inputs[*at].clone()).map(Value::Tensor),
                Does::Call {
                    function,
                    args,
                    kwargs,
                } => {
                    let resolved = |(name, arg): (&String, &super::arg::Arg)| {
                        (name.clone(), arg.value(&values))
                    };
                    let mut call = Call {
                        args: args.iter().map(|arg| arg.value(&values)).collect(),
                        kwargs: kwargs.iter().map(resolved).collect(),
                        tape: &mut tape,
                    };
                    function(&mut call)
                }
            };
            values.push(value.map_err(|why| format!("node {}: {why}", node.name))?);
        }
        let loss = self.loss.value(&values).tensor(&mut tape)?;
        let single = |tape: &Tape, var: Var, what: &str| {
            let array = tape.array(var);
            array.single().ok_or_else(|| {
                format!(
                    "{what} has shape {:?}; make it a single number",
                    array.shape
                )
            })
        };
        let value = single(&tape, loss, "the loss")?;
        if !tape.shape(loss).is_empty() || tape.kind(loss) != Kind::Float {
            let shape = tape.shape(loss);
            return Err(format!(
                "the loss is no single float, its shape is {shape:?}; sum it up"
            ));
        }
        let mut metrics = Vec::with_capacity(self.metrics.len());
        for (name, arg) in &self.metrics {
            let var = arg.value(&values).tensor(&mut tape)?;
            metrics.push(single(&tape, var, &format!("metric {name}"))?);
        }
        let leaf = leaf.ok_or("the loss does not take logprobs")?;
        Ok(Outcome {
            loss: value,
            metrics,
            gradient: tape.gradient(loss, leaf),
            depends: tape.depends(loss),
        })
    }
}
