//! Default results of the recording server.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tinker_types::{
    Elements, ForwardBackward, ForwardBackwardOutput, SampleResponse, SampledSequence, StopReason,
    TensorData,
};

/// Log probabilities -0.5, -0.75, -1 ... for the targets of each datum, with matching metrics.
pub(crate) fn pass(pass: &ForwardBackward) -> ForwardBackwardOutput {
    let mut output = ForwardBackwardOutput::default();
    "ArrayRecord".clone_into(&mut output.loss_fn_output_type);
    let (mut loss, mut tokens) = (0.0, 0.0);
    for datum in pass.data.iter() {
        let Some(targets) = datum.loss_fn_inputs.get("target_tokens") else {
            output.loss_fn_outputs.push(BTreeMap::new());
            continue;
        };
        let logprobs: Vec<f32> = (0..targets.cells())
            .map(|i| -0.5 - 0.25 * i as f32)
            .collect();
        loss -= logprobs.iter().map(|&value| f64::from(value)).sum::<f64>();
        tokens += logprobs.len() as f64;
        let shape = targets.shape().filter(|shape| !shape.is_empty());
        let shape = shape.map_or_else(|| vec![logprobs.len()], <[usize]>::to_vec);
        let tensor = TensorData::dense(Elements::Float32(logprobs.into()));
        let tensor = tensor.clone().with_shape(shape).unwrap_or(tensor);
        let fields = BTreeMap::from([("logprobs".to_owned(), tensor)]);
        output.loss_fn_outputs.push(fields);
    }
    output.metrics.insert("loss:sum".to_owned(), loss);
    output.metrics.insert("num_tokens:sum".to_owned(), tokens);
    output
}

/// Three tokens for each sequence; sequences end by length and by a stop alternately.
pub(crate) fn sample(request: &Value) -> SampleResponse {
    let mut response = SampleResponse::default();
    for index in 0..count(request) {
        let reason = if index % 2 == 0 {
            StopReason::Length
        } else {
            StopReason::Stop
        };
        let mut sequence = SampledSequence::new(reason, (100 + index..103 + index).collect());
        sequence.logprobs = Some(vec![-0.25, -0.5, -1.0]);
        response.sequences.push(sequence);
    }
    response.prompt_cache_hit_tokens = 2;
    response
}

/// Ids of the sequences of a sample.
pub(crate) fn sequence_ids(request: &Value) -> Value {
    let sampler = request["sampling_session_id"].as_str().unwrap_or_default();
    let seq_id = &request["seq_id"];
    (0..count(request))
        .map(|index| json!(format!("{sampler}:{seq_id}:{index}")))
        .collect()
}

fn count(request: &Value) -> u32 {
    request["num_samples"].as_u64().unwrap_or(1) as u32
}
