//! Responses in both forms, and malformed bytes.

#![cfg(feature = "proto")]

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tinker_types::proto::{decode_output, decode_sample, encode_output, encode_sample};
use tinker_types::{
    ForwardBackwardOutput, SampleResponse, SampledSequence, StopReason, TensorData,
};

fn finite() -> impl Strategy<Value = f32> {
    any::<f32>().prop_filter("finite", |value| value.is_finite())
}

fn tensor() -> impl Strategy<Value = TensorData> {
    let whole = |values: Vec<i32>| -> TensorData {
        let values: Vec<i64> = values.into_iter().map(i64::from).collect();
        values.into()
    };
    prop_oneof![
        vec(finite(), 1..6).prop_map(TensorData::from),
        vec(any::<i32>(), 1..6).prop_map(whole),
    ]
}

fn output() -> impl Strategy<Value = ForwardBackwardOutput> {
    let datum = (tensor(), proptest::option::of(tensor()));
    let metrics = proptest::collection::btree_map("[a-z]{1,6}:(sum|mean)", -1e9_f64..1e9, 0..4);
    (vec(datum, 0..6), metrics).prop_map(|(data, metrics)| {
        let mut output = ForwardBackwardOutput::default();
        output.metrics = metrics;
        let fields = data.into_iter().map(|(first, second)| {
            let mut fields = BTreeMap::from([("logprobs".to_owned(), first)]);
            fields.extend(second.map(|second| ("other".to_owned(), second)));
            fields
        });
        output.loss_fn_outputs = fields.collect();
        output
    })
}

fn sample() -> impl Strategy<Value = SampleResponse> {
    let sequence = (any::<bool>(), vec((0..1_000_000_u32, finite()), 1..6));
    let prompt = proptest::option::of(vec(proptest::option::of(finite()), 1..5));
    (vec(sequence, 0..4), prompt).prop_map(|(sequences, prompt)| {
        let mut response = SampleResponse::default();
        response.prompt_logprobs = prompt;
        let sequences = sequences.into_iter().map(|(stopped, drawn)| {
            let reason = if stopped {
                StopReason::Stop
            } else {
                StopReason::Length
            };
            let (tokens, logprobs) = drawn.into_iter().unzip();
            let mut sequence = SampledSequence::new(reason, tokens);
            sequence.logprobs = Some(logprobs);
            sequence
        });
        response.sequences = sequences.collect();
        response
    })
}

fn through_json<T: DeserializeOwned + Serialize>(value: &T) -> serde_json::Result<T> {
    serde_json::from_str(&serde_json::to_string(value)?)
}

/// Decoding must end in a value or an error.
fn read_all(bytes: &[u8]) {
    macro_rules! read {
        ($($name:ident),*) => {$(
            let _ = serde_json::from_slice::<tinker_types::$name>(bytes);
        )*};
    }
    read!(
        AuditLog,
        BillingUsage,
        Checkpoints,
        ClientConfig,
        Datum,
        ForwardBackward,
        ForwardBackwardOutput,
        FoundSessions,
        ModelInfo,
        ModelInput,
        OptimStepOutput,
        ErrorBody,
        SampleRequest,
        SampleResponse,
        SessionInfo,
        Submitted,
        TensorData,
        TraceExport,
        TrainingRuns,
        QueueStatus,
        WeightsInfo
    );
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = text.parse::<tinker_types::CheckpointPath>();
    }
}

/// Words with a meaning in responses.
const WORDS: [&str; 20] = [
    "type",
    "chunks",
    "tokens",
    "data",
    "dtype",
    "shape",
    "float32",
    "int64",
    "encoded_text",
    "request_id",
    "sequences",
    "stop_reason",
    "logprobs",
    "loss_fn_inputs",
    "model_input",
    "sparse_crow_indices",
    "sparse_col_indices",
    "metrics",
    "cursor",
    "model_id",
];

/// JSON with known words in the wrong places.
fn json() -> impl Strategy<Value = Value> {
    let word = || proptest::sample::select(&WORDS[..]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 5, move |inner| {
        let object = vec((word(), inner.clone()), 0..6).prop_map(|fields| {
            let fields = fields
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value));
            Value::Object(fields.collect())
        });
        prop_oneof![vec(inner, 0..5).prop_map(Value::from), object]
    })
}

proptest! {
    #[test]
    fn outputs_are_the_same_in_both_forms(output in output()) {
        let protobuf = decode_output(encode_output(&output)).unwrap();
        let json = through_json(&output).unwrap();
        prop_assert_eq!(protobuf.metrics.len(), json.metrics.len());
        for (name, value) in &protobuf.metrics {
            // The JSON reader may be off by the last bit of a double.
            let off = (value - json.metrics[name]).abs();
            prop_assert!(off <= value.abs() * f64::EPSILON, "{}: {}", name, off);
        }
        prop_assert_eq!(protobuf.loss_fn_outputs.len(), json.loss_fn_outputs.len());
        for (left, right) in protobuf.loss_fn_outputs.iter().zip(&json.loss_fn_outputs) {
            prop_assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
            for (name, tensor) in left {
                prop_assert_eq!(tensor.elements(), right[name].elements());
            }
        }
    }

    #[test]
    fn samples_are_the_same_in_both_forms(sample in sample()) {
        let protobuf = decode_sample(encode_sample(&sample)).unwrap();
        prop_assert_eq!(protobuf, through_json(&sample).unwrap());
    }

    #[test]
    fn arbitrary_bytes_end_in_a_value_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    #[test]
    fn arbitrary_json_ends_in_a_value_or_an_error(json in json()) {
        read_all(json.to_string().as_bytes());
    }
}
