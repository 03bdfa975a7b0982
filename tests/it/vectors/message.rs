//! Decoded request bodies of either client.

use bytes::Bytes;
use serde_json::Value;
use tinker_types::{ForwardBackward, proto};

use super::body::Body;
use super::digest;
use super::exchange::Asked;
use super::json::{self, Rule};

/// A request's body, decoded.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    Nothing,
    Json(Value),
    Pass(ForwardBackward),
}

/// Keys that identify an operation; the first present one counts.
const KEYS: [&str; 6] = [
    "request_id",
    "seq_id",
    "model_seq_id",
    "sampling_session_seq_id",
    "custom_loss_seq_id",
    "model_id",
];

impl Message {
    /// Reads a body as its headers describe it.
    pub(crate) fn read(
        content_type: &str,
        content_encoding: Option<&str>,
        body: &Bytes,
    ) -> Result<Self, String> {
        if body.is_empty() {
            return Ok(Self::Nothing);
        }
        let body = match content_encoding {
            None => body.clone(),
            Some("zstd") => zstd::decode_all(&body[..])
                .map_err(|error| format!("the body is no zstd frame: {error}"))?
                .into(),
            Some(other) => return Err(format!("the body has the unknown encoding {other:?}")),
        };
        if content_type == proto::CONTENT_TYPE {
            let pass = proto::decode_request(body);
            return pass.map(Self::Pass).map_err(|error| error.to_string());
        }
        serde_json::from_slice(&body)
            .map(Self::of)
            .map_err(|error| format!("the body is no JSON: {error}"))
    }

    /// Reads a JSON body. The number of a sampler's copy, which is random unless the server assigns one,
    /// is replaced by 0, which is never assigned: the first copy has 1.
    fn of(mut body: Value) -> Self {
        const SPAN: u64 = 1_000_000_000;
        let drawn = body["seq_id"]
            .as_u64()
            .filter(|id| (2..=SPAN).contains(&(id / SPAN)));
        if let Some(id) = drawn.filter(|_| body["type"] == "sample") {
            body["seq_id"] = (2 * SPAN + id % SPAN).into();
        }
        Self::Json(body)
    }

    /// The message of a recorded request.
    pub(crate) fn recorded(asked: &Asked) -> Result<Self, String> {
        match &asked.body {
            Body::Json { json, .. } => Ok(Self::of(json.clone())),
            Body::Protobuf {
                raw_base64: None,
                size,
                decoded,
            } => digest::restored(decoded, *size).map(Self::Pass),
            body => Self::read(
                asked.header("content-type").unwrap_or_default(),
                asked.header("content-encoding"),
                &body.wire()?,
            ),
        }
    }

    /// The key that distinguishes operations of the same route; repeats have the same key.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Pass(pass) => format!("seq_id {}", pass.seq_id),
            Self::Json(body) => KEYS
                .iter()
                .find_map(|key| body.get(key).map(|value| format!("{key} {value}")))
                .unwrap_or_default(),
        }
    }

    pub(crate) fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(body) => Some(body),
            _ => None,
        }
    }

    /// The text under a key of a JSON body.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.json()?.get(key)?.as_str()
    }

    /// The differences between `ours` and this message.
    pub(crate) fn difference(&self, ours: &Self) -> Option<String> {
        match (self, ours) {
            (Self::Nothing, Self::Nothing) => None,
            (Self::Json(recorded), Self::Json(ours)) => {
                json::difference(recorded, ours, Rule::Exact)
            }
            (Self::Pass(recorded), Self::Pass(ours)) => {
                // As text, because a NaN does not equal itself.
                let (recorded, ours) = (format!("{recorded:?}"), format!("{ours:?}"));
                (recorded != ours).then(|| format!("expected {recorded}, sent {ours}"))
            }
            _ => Some(format!("expected {}, sent {}", self.form(), ours.form())),
        }
    }

    fn form(&self) -> &'static str {
        match self {
            Self::Nothing => "no body",
            Self::Json(_) => "JSON",
            Self::Pass(_) => "protobuf",
        }
    }
}
