//! Encoding and decoding of messages.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tinker_types::proto::SampleView;
use tinker_types::{
    CustomLossCreated, ForwardBackwardOutput, InvalidValue, ModelCreated, OptimStepOutput,
    SampleResponse, SavedExternal, SavedForSampler, SavedWeights, WeightsLoaded, proto,
};

use crate::error::{DecodeError, Error};

/// Most requests are smaller than this.
const SMALL: usize = 512;
/// Answers above this size are decoded on a blocking thread; smaller ones take about a millisecond.
const LARGE: usize = 1 << 20;

/// Encodes a message as JSON.
pub(crate) fn to_json(operation: &'static str, message: &impl Serialize) -> Result<Bytes, Error> {
    let mut body = Vec::with_capacity(SMALL);
    match serde_json::to_writer(&mut body, message) {
        Ok(()) => Ok(body.into()),
        Err(error) => {
            Err(InvalidValue::new(operation, format!("cannot be written as JSON: {error}")).into())
        }
    }
}

/// Decodes a message from JSON. An error names the field.
pub(crate) fn from_json<T: DeserializeOwned>(
    operation: &'static str,
    body: &[u8],
) -> Result<T, DecodeError> {
    // Nearly every answer decodes as it is, without a tree.
    if let Ok(message) = serde_json::from_slice(body) {
        return Ok(message);
    }
    from_value(operation, value(operation, body)?)
}

/// Reads an answer that is any JSON value.
pub(crate) fn value(operation: &'static str, body: &[u8]) -> Result<Value, DecodeError> {
    serde_json::from_slice(body)
        .map_err(|error| DecodeError::new(operation, "the answer is not JSON").because(error))
}

/// Decodes a message from a JSON value. If that fails, fields that are null count as missing.
fn from_value<T: DeserializeOwned>(
    operation: &'static str,
    mut value: Value,
) -> Result<T, DecodeError> {
    if let Ok(message) = T::deserialize(&value) {
        return Ok(message);
    }
    remove_nulls(&mut value);
    serde_path_to_error::deserialize(value).map_err(|error| {
        let field = match error.path().to_string() {
            path if path == "." => "the answer".to_owned(),
            path => format!("{path} of the answer"),
        };
        DecodeError::new(operation, format!("{field} does not match the protocol"))
            .because(error.into_inner())
    })
}

/// Removes the members of objects that are null, at any depth.
fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

/// An undecoded result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Payload {
    Json(Value),
    Protobuf(Bytes),
}

/// The result of a promise.
pub(crate) trait Output: Sized + Send + 'static {
    /// Decodes the JSON form.
    fn from_json(operation: &'static str, value: Value) -> Result<Self, DecodeError>;

    /// Decodes the protobuf form. The default is an error: most results exist as JSON only.
    fn from_protobuf(operation: &'static str, body: Bytes) -> Result<Self, DecodeError> {
        let _ = body;
        let what = "the answer is protobuf, but the result of this operation is JSON";
        Err(DecodeError::new(operation, what))
    }
}

/// Decodes a payload, large ones on a blocking thread.
pub(crate) async fn decode<T: Output>(
    operation: &'static str,
    payload: Payload,
) -> Result<T, Error> {
    match payload {
        Payload::Json(value) => Ok(T::from_json(operation, value)?),
        Payload::Protobuf(body) if body.len() <= LARGE => Ok(T::from_protobuf(operation, body)?),
        Payload::Protobuf(body) => {
            crate::wire::blocking::run(move || Ok(T::from_protobuf(operation, body)?)).await
        }
    }
}

macro_rules! json_outputs {
    ($($output:ty),*) => {$(
        impl Output for $output {
            fn from_json(operation: &'static str, value: Value) -> Result<Self, DecodeError> {
                from_value(operation, value)
            }
        }
    )*};
}

json_outputs!(
    CustomLossCreated,
    ModelCreated,
    OptimStepOutput,
    SavedExternal,
    SavedForSampler,
    SavedWeights,
    WeightsLoaded
);

macro_rules! protobuf_outputs {
    ($($output:ty => $decode:path),*) => {$(
        impl Output for $output {
            // Older servers answer with JSON.
            fn from_json(operation: &'static str, value: Value) -> Result<Self, DecodeError> {
                from_value(operation, value)
            }

            fn from_protobuf(operation: &'static str, body: Bytes) -> Result<Self, DecodeError> {
                $decode(body).map_err(|error| DecodeError::protobuf(operation, error))
            }
        }
    )*};
}

protobuf_outputs!(
    ForwardBackwardOutput => proto::decode_output,
    SampleResponse => proto::decode_sample
);

impl Output for SampleView {
    // Older servers answer with JSON.
    fn from_json(operation: &'static str, value: Value) -> Result<Self, DecodeError> {
        from_value::<SampleResponse>(operation, value).map(Self::from)
    }

    fn from_protobuf(operation: &'static str, body: Bytes) -> Result<Self, DecodeError> {
        proto::view_sample(body).map_err(|error| DecodeError::protobuf(operation, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tinker_types::ModelInfo;

    #[test]
    fn a_malformed_answer_names_its_place() {
        let body = br#"{"model_data":{"arch":3},"model_id":"m"}"#;
        let error = from_json::<ModelInfo>("get_info", body).unwrap_err();
        assert_eq!(
            error.to_string(),
            "get_info: model_data.arch of the answer does not match the protocol"
        );
        assert!(from_json::<ModelInfo>("get_info", b"<html>").is_err());
        let nulls =
            br#"{"model_data":{"arch":null},"model_id":"m","optimizer_config":null,"type":null}"#;
        let info = from_json::<ModelInfo>("get_info", nulls).unwrap();
        assert_eq!(info.model_id.as_str(), "m");
    }

    #[test]
    fn bodies_are_compact_and_unescaped() {
        let mut session = tinker_types::CreateSession::new("0.38.0");
        session.display_name = Some("\u{fc}ber \u{65e5}\u{672c}".to_owned());
        let note = json!({"none": null});
        session.user_metadata.insert("k".to_owned(), note);
        let text = to_json("create_session", &session).unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        assert_eq!(
            text,
            "{\"tags\":[],\"user_metadata\":{\"k\":{\"none\":null}},\"sdk_version\":\"0.38.0\",\
             \"display_name\":\"\u{fc}ber \u{65e5}\u{672c}\",\"type\":\"create_session\"}"
        );
    }

    #[test]
    fn a_null_is_a_missing_field_at_any_depth() {
        let info = json!({"model_data": {"arch": null, "model_name": "m"}, "model_id": "r",
            "optimizer_config": null, "is_lora": null, "lora_rank": 8, "type": null});
        let info: ModelInfo = from_value("get_info", info).unwrap();
        assert_eq!(info.lora_rank, Some(8));
        let saved: SavedWeights = from_value(
            "save",
            json!({"path": "tinker://r/weights/a", "type": null}),
        )
        .unwrap();
        assert_eq!(saved.path.name(), "a");
        let sample = json!({
            "sequences": [{"stop_reason": "stop", "tokens": [1], "logprobs": null, "sequence_id": null}],
            "prompt_logprobs": [null, -1.5], "prompt_cache_hit_tokens": null});
        let sample: SampleResponse = from_value("sample", sample).unwrap();
        assert_eq!(sample.prompt_logprobs, Some(vec![None, Some(-1.5)]));
        let output = json!({"loss_fn_output_type": null,
            "loss_fn_outputs": [{"logprobs": {"data": [-0.5], "dtype": "float32", "shape": null}}],
            "metrics": {"loss:sum": null, "tokens:sum": 1.0}});
        let output: ForwardBackwardOutput = from_value("forward", output).unwrap();
        assert_eq!(
            (output.loss_sum(), output.metrics["tokens:sum"]),
            (None, 1.0)
        );
        let error = from_value::<ModelInfo>("get_info", json!({"model_id": null})).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("missing field"), "{cause}");
        let any = json!({"a": null});
        assert_eq!(from_value::<Value>("call", any.clone()).unwrap(), any);
    }

    #[test]
    fn older_servers_answer_json() {
        let sample = json!({
            "type": "sample",
            "sequences": [{"stop_reason": "stop", "tokens": [1, 2], "logprobs": null}],
            "prompt_logprobs": [null, -1.25],
            "topk_prompt_logprobs": [null, [[7, -0.5]]]
        });
        let sample = SampleResponse::from_json("asample", sample).unwrap();
        assert_eq!(sample.sequences[0].tokens, [1, 2]);
        assert_eq!(
            sample.topk_prompt_logprobs.unwrap()[1],
            Some(vec![(7, -0.5)])
        );

        let output = json!({
            "loss_fn_output_type": "x",
            "loss_fn_outputs": [{"logprobs": {"data": [-0.5], "dtype": "float32", "shape": [1]}}],
            "metrics": {"loss:sum": 1.0}
        });
        let output = ForwardBackwardOutput::from_json("forward", output).unwrap();
        assert_eq!(output.logprobs(0), Some(&[-0.5][..]));
    }
}
