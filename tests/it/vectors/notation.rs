//! Results in the notation of the recordings.

use serde_json::{Map, Value, json};
use tinker_client::{ForwardBackwardOutput, ModelInfo, OptimStepOutput, SampleResponse};
use tinker_types::{Elements, TensorData};

/// A number that JSON may not be able to represent.
pub(crate) fn number(value: f64) -> Value {
    let word = match value {
        v if v.is_nan() => "nan",
        v if v == f64::INFINITY => "inf",
        v if v == f64::NEG_INFINITY => "-inf",
        v => return json!(v),
    };
    json!({"float": word})
}

fn floats(values: &[f32]) -> Value {
    values.iter().map(|&value| number(value.into())).collect()
}

fn tensor(tensor: &TensorData) -> Value {
    let (data, dtype) = match tensor.elements() {
        Elements::Float32(values) => (floats(values), "float32"),
        Elements::Int64(values) => (json!(values.to_vec()), "int64"),
    };
    let mut fields = json!({"data": data, "dtype": dtype, "shape": tensor.shape()});
    if let Some((rows, columns)) = tensor.csr_indices() {
        fields["sparse_crow_indices"] = json!(rows);
        fields["sparse_col_indices"] = json!(columns);
    }
    json!({"TensorData": fields})
}

fn metrics<'a>(metrics: impl IntoIterator<Item = (&'a String, &'a f64)>) -> Value {
    let pairs = metrics.into_iter();
    let pairs = pairs.map(|(name, value)| (name.clone(), number(*value)));
    Value::Object(pairs.collect())
}

pub(crate) fn pass(output: &ForwardBackwardOutput) -> Value {
    let fields = |fields: &std::collections::BTreeMap<String, TensorData>| {
        let pairs = fields
            .iter()
            .map(|(name, field)| (name.clone(), tensor(field)));
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    json!({
        "loss_fn_output_type": output.loss_fn_output_type,
        "loss_fn_outputs": output.loss_fn_outputs.iter().map(fields).collect::<Value>(),
        "metrics": metrics(&output.metrics),
    })
}

pub(crate) fn step(output: &OptimStepOutput) -> Value {
    json!({"metrics": output.metrics.as_ref().map(metrics)})
}

pub(crate) fn info(info: &ModelInfo) -> Result<Value, String> {
    serde_json::to_value(info).map_err(|error| error.to_string())
}

/// Log probabilities of a prompt; null for absent ones.
pub(crate) fn logprobs(values: &[Option<f32>]) -> Value {
    let values = values.iter();
    values
        .map(|value| value.map_or(Value::Null, |value| number(value.into())))
        .collect()
}

pub(crate) fn sample(response: &SampleResponse) -> Value {
    let pairs = |row: &Vec<(u32, f32)>| {
        let row = row.iter();
        row.map(|(token, logprob)| json!([token, number((*logprob).into())]))
            .collect::<Value>()
    };
    let sequences = response.sequences.iter().map(|sequence| {
        let topk = sequence.topk_logprobs.as_ref();
        json!({
            "stop_reason": sequence.stop_reason,
            "sequence_id": sequence.sequence_id,
            "tokens": sequence.tokens,
            "logprobs": sequence.logprobs.as_deref().map(floats),
            "topk_logprobs": topk.map(|rows| rows.iter().map(pairs).collect::<Value>()),
        })
    });
    let topk = response.topk_prompt_logprobs.as_ref().map(|rows| {
        let rows = rows.iter();
        rows.map(|row| row.as_ref().map_or(Value::Null, pairs))
            .collect::<Value>()
    });
    let alternatives = response.prompt_alt_tokens.as_ref().map(|alternatives| {
        json!({"PromptAltTokens": {
            "tokens": tensor(&alternatives.tokens),
            "logprobs": tensor(&alternatives.logprobs),
        }})
    });
    json!({
        "sequences": sequences.collect::<Value>(),
        "prompt_logprobs": response.prompt_logprobs.as_deref().map(logprobs),
        "topk_prompt_logprobs": topk,
        "target_prompt_logprobs": response.target_prompt_logprobs.as_ref().map(tensor),
        "prompt_cache_hit_tokens": response.prompt_cache_hit_tokens,
        "prompt_alt_tokens": alternatives,
    })
}
