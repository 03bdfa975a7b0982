//! Forward and backward passes, and optimizer steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_with::skip_serializing_none;

use crate::wire::{endpoint, type_tag};
use crate::{
    AdamParams, Datum, Loss, LossFn, LossValue, ModelId, OptimParams, TensorData, UnknownOptimizer,
};

type_tag!(OptimStepTag, "optim_step");

/// Computes a loss over datums and, unless `forward_only` is set, adds its gradients to the accumulated ones.
///
/// Travels as protobuf. Older servers take JSON, with the fields below `forward_backward_input`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ForwardBackward {
    /// The model.
    pub model_id: ModelId,
    /// Index among the operations of the model, from 1.
    pub seq_id: u64,
    /// The datums.
    pub data: Arc<[Datum]>,
    /// The loss over the datums.
    pub loss: Loss,
    /// Whether to skip the backward pass.
    pub forward_only: bool,
}

impl ForwardBackward {
    /// A forward and backward pass over `data`.
    pub fn new(model_id: ModelId, seq_id: u64, data: impl Into<Arc<[Datum]>>, loss: Loss) -> Self {
        Self {
            model_id,
            seq_id,
            data: data.into(),
            loss,
            forward_only: false,
        }
    }

    crate::setters! {
        /// Sets [`Self::forward_only`].
        with_forward_only(forward_only: bool) => forward_only = forward_only;
    }
}

endpoint!(ForwardBackward => promise of ForwardBackwardOutput, "forward_backward", ForwardBackward);

/// Inner object of the JSON form.
#[derive(Serialize, Deserialize)]
struct InputJson<D> {
    data: D,
    loss_fn: LossFn,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss_fn_config: Option<BTreeMap<String, LossValue>>,
}

impl Serialize for ForwardBackward {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let config = Some(self.loss.config.clone()).filter(|config| !config.is_empty());
        let input = InputJson {
            data: &self.data[..],
            loss_fn: self.loss.name.clone(),
            loss_fn_config: config,
        };
        let mut form = serializer.serialize_struct("ForwardBackward", 3)?;
        form.serialize_field(
            if self.forward_only {
                "forward_input"
            } else {
                "forward_backward_input"
            },
            &input,
        )?;
        form.serialize_field("model_id", &self.model_id)?;
        form.serialize_field("seq_id", &self.seq_id)?;
        form.end()
    }
}

impl<'de> Deserialize<'de> for ForwardBackward {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Form {
            forward_backward_input: Option<InputJson<Vec<Datum>>>,
            forward_input: Option<InputJson<Vec<Datum>>>,
            model_id: ModelId,
            seq_id: u64,
        }
        let form = Form::deserialize(deserializer)?;
        let (input, forward_only) = match (form.forward_backward_input, form.forward_input) {
            (Some(input), _) => (input, false),
            (None, Some(input)) => (input, true),
            (None, None) => return Err(serde::de::Error::missing_field("forward_backward_input")),
        };
        let loss = Loss {
            name: input.loss_fn,
            config: input.loss_fn_config.unwrap_or_default(),
        };
        let data = input.data.into();
        Ok(Self {
            model_id: form.model_id,
            seq_id: form.seq_id,
            data,
            loss,
            forward_only,
        })
    }
}

/// Result of a pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ForwardBackwardOutput {
    /// Name of the kind of output, as the server reports it.
    #[serde(default)]
    pub loss_fn_output_type: String,
    /// One map for each datum, in order. Every loss returns at least `logprobs`, in the shape of `target_tokens`.
    #[serde(default)]
    pub loss_fn_outputs: Vec<BTreeMap<String, TensorData>>,
    /// Metrics as `name:reduction`, for example `loss:sum`, which is the loss. The reduction is how the parts of a
    /// batch were combined: `sum`, `mean`, `min`, `max` and others.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

impl ForwardBackwardOutput {
    /// The loss, summed over tokens and datums, if the server reports it.
    pub fn loss_sum(&self) -> Option<f64> {
        self.metrics.get("loss:sum").copied()
    }

    /// The mean loss of a learned token: [`loss_sum`](Self::loss_sum) over the sum of the weights of `data`, the data of
    /// this pass, in nats. For cross entropy. `None` if the server reports no loss, or all weights are 0.
    ///
    /// ```
    /// use tinker_types::{Datum, ForwardBackwardOutput};
    ///
    /// let mut output = ForwardBackwardOutput::default();
    /// output.metrics.insert("loss:sum".into(), 3.0);
    /// let data = [Datum::supervised(&[1, 2], &[3, 4])];
    /// assert_eq!(output.mean_loss(&data), Some(1.5));
    /// ```
    pub fn mean_loss(&self, data: &[Datum]) -> Option<f64> {
        let weight = |datum: &Datum| match datum.weights() {
            Some(weights) => weights.iter().map(|weight| f64::from(*weight)).sum(),
            None => datum.learned_tokens() as f64,
        };
        let weights: f64 = data.iter().map(weight).sum();
        Some(self.loss_sum()? / weights).filter(|mean| mean.is_finite())
    }

    /// Log probability of each target of the datum with this index, from 0, in the order of its `target_tokens`, in
    /// nats. `None` if the index is out of range.
    pub fn logprobs(&self, datum: usize) -> Option<&[f32]> {
        self.loss_fn_outputs.get(datum)?.get("logprobs")?.as_f32()
    }
}

/// Applies the accumulated gradients and clears them.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OptimStep {
    /// Parameters of Adam; exactly one of this and `optimizer_params` is given.
    #[serde(default)]
    pub adam_params: Option<AdamParams>,
    /// Parameters of any other optimizer.
    #[serde(default)]
    pub optimizer_params: Option<UnknownOptimizer>,
    /// The model.
    pub model_id: ModelId,
    /// Index among the operations of the model, from 1.
    pub seq_id: u64,
    #[serde(rename = "type", default)]
    tag: OptimStepTag,
}

impl OptimStep {
    /// A step with these parameters.
    pub fn new(model_id: ModelId, seq_id: u64, params: impl Into<OptimParams>) -> Self {
        let (adam_params, optimizer_params) = match params.into() {
            OptimParams::Adam(adam) => (Some(adam), None),
            OptimParams::Dimuon(dimuon) => (None, Some(open("dimuon", &dimuon))),
            OptimParams::Other(open) => (None, Some(open)),
        };
        Self {
            adam_params,
            optimizer_params,
            model_id,
            seq_id,
            tag: OptimStepTag::Tag,
        }
    }
}

fn open<T: Serialize>(family: &str, params: &T) -> UnknownOptimizer {
    let fields = match serde_json::to_value(params) {
        Ok(serde_json::Value::Object(fields)) => fields.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    UnknownOptimizer {
        family: family.to_owned(),
        fields,
    }
}

endpoint!(OptimStep => promise of OptimStepOutput, "optim_step", OptimStep);

/// Result of an optimizer step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OptimStepOutput {
    /// Metrics of the step as `name:reduction`, for example `grad_norm:mean`; may be empty.
    #[serde(default)]
    pub metrics: Option<BTreeMap<String, f64>>,
}
