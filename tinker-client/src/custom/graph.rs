//! `LossGraph`: a loss that can be sent to the server.

use std::collections::{BTreeMap, HashMap};

use tinker_types::{Datum, Elements, Graph, GraphInput, InvalidValue, TensorData};

use super::CustomLoss;
use super::name::{check_input_name, check_metric_name};
use crate::autodiff::expr::{Export, LOGPROBS, Local, inputs_of};
use crate::autodiff::{Expr, Objective, Var, differentiate};

const TARGETS: &str = "target_tokens";
/// Most inputs, the log probabilities among them.
const MOST_INPUTS: usize = 16;

/// A loss of one's own that the server can run too: what it computes for one datum, as an [`Expr`].
///
/// The losses of the data are added up. Metrics are added up as well, and those whose name ends in
/// `:mean` divided by the number of data. Make a [`LossHandle`](super::LossHandle) of it with
/// [`create_custom_loss`](crate::ServiceClient::create_custom_loss).
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
    /// A loss under a name, without metrics.
    pub fn new(name: impl Into<String>, loss: Expr) -> Self {
        let metrics = BTreeMap::new();
        Self {
            name: name.into(),
            body: Body::Written { loss, metrics },
        }
    }

    /// A graph that something else wrote, in the protocol's form. Only a server can run it.
    pub fn from_graph(name: impl Into<String>, inputs: Vec<GraphInput>, graph: Graph) -> Self {
        Self {
            name: name.into(),
            body: Body::Given { inputs, graph },
        }
    }

    /// Adds a metric, one number for each datum. The name is `custom/<name>:sum` or
    /// `custom/<name>:mean`. A given graph has those it was written with, and no others.
    #[must_use]
    pub fn with_metric(mut self, name: impl Into<String>, value: Expr) -> Self {
        if let Body::Written { metrics, .. } = &mut self.body {
            metrics.insert(name.into(), value);
        }
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it takes, log probabilities first.
    ///
    /// # Errors
    /// An input that is used with several numbers of dimensions.
    pub fn inputs(&self) -> Result<Vec<GraphInput>, InvalidValue> {
        match &self.body {
            Body::Given { inputs, .. } => Ok(inputs.clone()),
            Body::Written { loss, metrics } => {
                let exprs: Vec<&Expr> = std::iter::once(loss).chain(metrics.values()).collect();
                inputs_of(&exprs)
            }
        }
    }

    /// What it computes, in the protocol's form.
    ///
    /// # Errors
    /// A loss or a metric that is not one number for each datum, a name the protocol does not take.
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

    /// Can it be run here?
    pub(crate) fn is_written(&self) -> bool {
        matches!(self.body, Body::Written { .. })
    }

    /// Has each datum what it takes?
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

    /// The loss over all data, its gradients and metrics.
    pub(crate) fn compute(
        &self,
        data: &[Datum],
        logprobs: &[Vec<f32>],
    ) -> Result<CustomLoss, tinker_transport::BoxError> {
        let Body::Written { loss, metrics } = &self.body else {
            return Err("a given graph runs on a server only".into());
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
                "do not begin with logprobs, [T] or [T, K]; a loss uses them".to_owned(),
            );
        }
    }
    if inputs.len() > MOST_INPUTS {
        return refuse(format!("are {}; {MOST_INPUTS} is the most", inputs.len()));
    }
    for input in inputs {
        check_input_name(&input.name)?;
        if input.rank > 2 {
            let why = format!("has {} dimensions; 2 is the most", input.rank);
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
            format!("is missing; loss {loss} takes it"),
        ));
    };
    // A tensor whose shape was never said is a list, or one number where that is wanted.
    let unsaid = usize::from(input.rank > 0 || tensor.cells() != 1);
    let rank = tensor.shape().map_or(unsaid, <[usize]>::len);
    if rank != usize::from(input.rank) {
        let why = format!(
            "has {rank} dimensions; loss {loss} takes it with {}",
            input.rank
        );
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
