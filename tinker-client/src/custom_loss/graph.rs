//! `LossGraph`: a custom loss that the server can run.

use std::collections::{BTreeMap, HashMap};

use tinker_types::{Datum, Elements, Graph, GraphInput, InvalidValue, TensorData};

use super::name::{check_input_name, check_metric_name};
use super::value::CustomLoss;
use crate::custom_loss::autodiff::expr::export::{Export, inputs_of};
use crate::custom_loss::autodiff::objective::{Objective, differentiate};
use crate::custom_loss::{
    autodiff::expr::Expr, autodiff::expr::LOGPROBS, autodiff::expr::local::Local,
    autodiff::var::Var,
};

const TARGETS: &str = "target_tokens";
/// Largest number of inputs, including the log probabilities.
const MOST_INPUTS: usize = 16;

/// A custom loss that the server can run: the loss of one datum, as an [`Expr`].
///
/// The losses of the data are summed. Metrics are summed as well; a metric whose name ends in `:mean` is divided by the
/// number of data. Register it with [`create_custom_loss`](crate::ServiceClient::create_custom_loss) to get a
/// [`LossHandle`](crate::LossHandle).
///
/// ```
/// use tinker_client::LossGraph;
/// use tinker_client::autodiff::Expr;
///
/// let weighted = (Expr::logprobs() * Expr::input("weights")).sum();
/// let loss = LossGraph::new("neg_ll", -&weighted)
///     .with_metric("custom/likelihood:sum", weighted);
/// assert_eq!(loss.inputs()?[1].name, "weights");
/// # Ok::<(), tinker_client::InvalidValue>(())
/// ```
#[derive(Debug, Clone)]
pub struct LossGraph {
    name: String,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Written {
        loss: Expr,
        metrics: BTreeMap<String, Expr>,
    },
    Given {
        inputs: Vec<GraphInput>,
        graph: Graph,
    },
}

impl LossGraph {
    /// A named loss without metrics.
    pub fn new(name: impl Into<String>, loss: Expr) -> Self {
        let metrics = BTreeMap::new();
        Self {
            name: name.into(),
            body: Body::Written { loss, metrics },
        }
    }

    /// A loss from a graph in the form of the protocol. Only a server can run it.
    pub fn from_graph(name: impl Into<String>, inputs: Vec<GraphInput>, graph: Graph) -> Self {
        Self {
            name: name.into(),
            body: Body::Given { inputs, graph },
        }
    }

    /// Adds a metric, one number per datum, named `custom/<name>:sum` or `custom/<name>:mean`. Has no effect on a loss
    /// made by [`from_graph`](Self::from_graph).
    #[must_use]
    pub fn with_metric(mut self, name: impl Into<String>, value: Expr) -> Self {
        if let Body::Written { metrics, .. } = &mut self.body {
            metrics.insert(name.into(), value);
        }
        self
    }

    /// Name of the loss.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The inputs, log probabilities first.
    ///
    /// # Errors
    /// An input that is used with different numbers of dimensions.
    pub fn inputs(&self) -> Result<Vec<GraphInput>, InvalidValue> {
        match &self.body {
            Body::Given { inputs, .. } => Ok(inputs.clone()),
            Body::Written { loss, metrics } => {
                let exprs: Vec<&Expr> = std::iter::once(loss).chain(metrics.values()).collect();
                inputs_of(&exprs)
            }
        }
    }

    /// The graph in the form of the protocol.
    ///
    /// # Errors
    /// A loss or metric that is not one number per datum; a name that the protocol does not accept.
    pub fn graph(&self) -> Result<Graph, InvalidValue> {
        let inputs = self.inputs()?;
        check_inputs(&inputs)?;
        match &self.body {
            Body::Given { graph, .. } => Ok(graph.clone()),
            Body::Written { loss, metrics } => {
                loss.check_number("loss")?;
                for (name, metric) in metrics {
                    check_metric_name(name)?;
                    metric.check_number(name)?;
                }
                Ok(Export::new(&inputs).finish(loss, metrics))
            }
        }
    }

    /// Whether the client can run it.
    pub(crate) fn is_written(&self) -> bool {
        matches!(self.body, Body::Written { .. })
    }

    /// Checks that each datum has the inputs.
    pub(crate) fn check_data(&self, data: &[Datum]) -> Result<(), InvalidValue> {
        let inputs = self.inputs()?;
        for (index, datum) in data.iter().enumerate() {
            for input in &inputs {
                let of = if input.name == LOGPROBS {
                    TARGETS
                } else {
                    input.name.as_str()
                };
                check_input(datum, of, input, &self.name)
                    .map_err(|error| error.within(format!("data[{index}].loss_fn_inputs.{of}")))?;
            }
        }
        Ok(())
    }

    /// Computes the loss over all data, its gradients and metrics.
    pub(crate) fn compute(
        &self,
        data: &[Datum],
        logprobs: &[Vec<f32>],
    ) -> Result<CustomLoss, tinker_transport::BoxError> {
        let Body::Written { loss, metrics } = &self.body else {
            return Err("a graph can only run on a server".into());
        };
        let whole = |data: &[Datum], logprobs: &[Var]| -> Result<Objective, InvalidValue> {
            let mut losses = Vec::with_capacity(data.len());
            let mut sums: BTreeMap<String, f64> = BTreeMap::new();
            for (datum, logprobs) in data.iter().zip(logprobs) {
                let tensors = datum.loss_fn_inputs.iter();
                let mut inputs: HashMap<&str, Var> = tensors
                    .map(|(name, tensor)| (name.as_str(), array(tensor)))
                    .collect();
                inputs.insert(LOGPROBS, logprobs.clone());
                let mut local = Local::new(inputs);
                losses.push(local.run(loss)?);
                for (name, metric) in metrics {
                    let value = local.run(metric)?.number()?;
                    *sums.entry(name.clone()).or_default() += value;
                }
            }
            let mut objective = Objective::new(losses.into_iter().sum());
            for (name, sum) in sums {
                let is_mean = name.ends_with(":mean");
                let value = if is_mean {
                    sum / data.len() as f64
                } else {
                    sum
                };
                objective = objective.with_metric(name, value);
            }
            Ok(objective)
        };
        differentiate(whole)(data, logprobs)
    }
}

fn check_inputs(inputs: &[GraphInput]) -> Result<(), InvalidValue> {
    let refuse = |why: String| Err(InvalidValue::new("inputs", why));
    match inputs.first() {
        Some(first) if first.name == LOGPROBS && (1..=2).contains(&first.rank) => {}
        _ => {
            return refuse(
                "do not start with logprobs, [T] or [T, K]; a loss must use them".to_owned(),
            );
        }
    }
    if inputs.len() > MOST_INPUTS {
        return refuse(format!(
            "are {}; at most {MOST_INPUTS} are allowed",
            inputs.len()
        ));
    }
    for input in inputs {
        check_input_name(&input.name)?;
        if input.rank > 2 {
            let why = format!("has {} dimensions; at most 2 are allowed", input.rank);
            return Err(InvalidValue::new(input.name.as_str(), why));
        }
    }
    Ok(())
}

fn check_input(
    datum: &Datum,
    name: &str,
    input: &GraphInput,
    loss: &str,
) -> Result<(), InvalidValue> {
    let Some(tensor) = datum.loss_fn_inputs.get(name) else {
        return Err(InvalidValue::new(
            "",
            format!("is missing; loss {loss} needs it"),
        ));
    };
    // A tensor without a shape is a list, or one number if the input has no dimensions.
    let implied = usize::from(input.rank > 0 || tensor.cells() != 1);
    let rank = tensor.shape().map_or(implied, <[usize]>::len);
    if rank != usize::from(input.rank) {
        let why = format!("has {rank} dimensions; loss {loss} needs {}", input.rank);
        return Err(InvalidValue::new("", why));
    }
    Ok(())
}

fn array(tensor: &TensorData) -> Var {
    let dense = tensor.to_dense();
    match dense.elements() {
        Elements::Float32(values) => Var::from_f32(values),
        Elements::Int64(values) => Var::new(values.iter().map(|&value| value as f64)),
    }
}

#[cfg(test)]
mod tests;
