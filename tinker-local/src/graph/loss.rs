//! Uploaded losses.

use std::collections::BTreeMap;

use tinker_types::{CreateCustomLoss, Elements, GraphInput, InvalidValue, TensorData};

use super::array::{Array, Kind};
use super::parse::Program;

/// Most cells of one input of one datum.
const MOST_CELLS: usize = 1 << 20;

/// An uploaded loss, ready to run.
#[derive(Debug)]
pub(crate) struct CustomLoss {
    name: String,
    program: Program,
}

/// Inputs of a loss for one datum, except `logprobs`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DatumInputs {
    arrays: Vec<Array>,
    /// Shape of the log probabilities.
    shape: Vec<usize>,
}

/// Results of a loss for one datum.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evaluated {
    pub(crate) loss: f64,
    /// Metrics by name, `custom/<name>:<reduction>`.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// Derivative of the loss by each log probability.
    pub(crate) gradient: Vec<f64>,
    /// Whether the loss depends on the log probabilities.
    pub(crate) depends: bool,
}

impl CustomLoss {
    /// Parses an uploaded loss.
    pub(crate) fn parse(request: &CreateCustomLoss) -> Result<Self, InvalidValue> {
        Ok(Self {
            name: request.name.clone(),
            program: Program::parse(&request.inputs, &request.graph)?,
        })
    }

    /// Selects the inputs of the loss from those of a datum. `shape` is the shape of `target_tokens`, which the log
    /// probabilities share.
    pub(crate) fn inputs(
        &self,
        given: &BTreeMap<String, TensorData>,
        shape: Vec<usize>,
    ) -> Result<DatumInputs, InvalidValue> {
        let (logprobs, others) = match self.program.inputs.split_first() {
            Some((first, others)) => (first.rank, others),
            None => (1, &[][..]),
        };
        if usize::from(logprobs) != shape.len() {
            let why = format!(
                "has rank {}, but loss {:?} takes logprobs of rank {logprobs}",
                shape.len(),
                self.name
            );
            return Err(InvalidValue::new("target_tokens", why));
        }
        let input = |input: &GraphInput| {
            let refuse = |why: String| InvalidValue::new(input.name.as_str(), why);
            let Some(tensor) = given.get(&input.name) else {
                return Err(refuse(format!("is missing; loss {:?} takes it", self.name)));
            };
            // A sparse tensor can describe a huge matrix in a few bytes.
            if tensor.cells() > MOST_CELLS {
                let have = tensor.cells();
                return Err(refuse(format!(
                    "has {have} cells; {MOST_CELLS} is the most for one datum"
                )));
            }
            let mut array = array(tensor);
            // One number travels without a shape.
            if input.rank == 0 && array.shape == [1] && tensor.shape().is_none() {
                array.shape = Vec::new();
            }
            if array.shape.len() == usize::from(input.rank) {
                return Ok(array);
            }
            Err(refuse(format!(
                "has rank {}, but loss {:?} takes it with rank {}",
                array.shape.len(),
                self.name,
                input.rank
            )))
        };
        Ok(DatumInputs {
            arrays: others.iter().map(input).collect::<Result<_, _>>()?,
            shape,
        })
    }

    /// Runs the loss for one datum. Errors name the node.
    pub(crate) fn evaluate(
        &self,
        logprobs: &[f32],
        inputs: &DatumInputs,
    ) -> Result<Evaluated, String> {
        let logprobs: Vec<f64> = logprobs.iter().map(|&lp| f64::from(lp)).collect();
        if logprobs.len() != inputs.shape.iter().product::<usize>() {
            return Err(format!(
                "there are {} log probabilities for shape {:?}",
                logprobs.len(),
                inputs.shape
            ));
        }
        let mut arrays = vec![Array::new(inputs.shape.clone(), logprobs, Kind::Float)];
        arrays.extend(inputs.arrays.iter().cloned());
        let outcome = self.program.run(&arrays)?;
        let names = self.program.metrics.keys().cloned();
        Ok(Evaluated {
            loss: outcome.loss,
            metrics: names.zip(outcome.metrics).collect(),
            gradient: outcome.gradient,
            depends: outcome.depends,
        })
    }
}

fn array(tensor: &TensorData) -> Array {
    let dense = tensor.to_dense();
    let (data, kind): (Vec<f64>, Kind) = match dense.elements() {
        Elements::Int64(values) => (values.iter().map(|&n| n as f64).collect(), Kind::Int),
        Elements::Float32(values) => (values.iter().map(|&x| f64::from(x)).collect(), Kind::Float),
    };
    // A tensor without a shape is a list.
    let shape = match dense.shape() {
        Some(shape) => shape.to_vec(),
        None => vec![data.len()],
    };
    Array::new(shape, data, kind)
}
