//! `SamplerHandle`: a serialized sampler.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tinker_types::{ClientConfig, DynamicConfig, InvalidValue, SamplingSessionId, SessionId};

/// A serialized sampler, for another process that samples from it with its own key.
///
/// Made by [`SamplingClient::handle`](crate::SamplingClient::handle), used by
/// [`ServiceClient::sampling_client_from_handle`](crate::ServiceClient::sampling_client_from_handle).
/// The text form (`Display`, `FromStr`) is compatible with the official client. It holds no key and no headers; a key in
/// a handle of the official client is discarded. It is valid as long as its session is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SamplerHandle {
    /// The session of the sampler.
    pub session_id: SessionId,
    /// Id of the sampler.
    pub sampling_session_id: SamplingSessionId,
    holder: Holder,
    /// Name of the base model, if known.
    #[serde(default)]
    pub base_model: Option<String>,
    /// Whether every sample records what the loss `stable_reinforce` needs.
    #[serde(default)]
    pub record_stability_info: bool,
}

/// Settings of the client that made the handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    base_url: String,
    // Headers may be secret and are not written; the key is always null.
    #[serde(skip_deserializing)]
    default_headers_overrides: Map<String, Value>,
    #[serde(default)]
    client_config: ClientConfig,
    #[serde(default)]
    client_dynamic_config: DynamicConfig,
    #[serde(skip_deserializing)]
    api_key: (),
}

impl SamplerHandle {
    pub(super) fn new(
        session_id: SessionId,
        sampling_session_id: SamplingSessionId,
        base_url: &str,
        client_config: ClientConfig,
        client_dynamic_config: DynamicConfig,
    ) -> Self {
        Self {
            session_id,
            sampling_session_id,
            holder: Holder {
                base_url: base_url.to_owned(),
                default_headers_overrides: Map::new(),
                client_config,
                client_dynamic_config,
                api_key: (),
            },
            base_model: None,
            record_stability_info: false,
        }
    }

    /// Address of the server of the sampler.
    pub fn base_url(&self) -> &str {
        &self.holder.base_url
    }

    /// Refuses another server than that of the sampler: a handle must not redirect the key to another server.
    pub(crate) fn check_server(&self, base_url: &str) -> Result<(), InvalidValue> {
        let plain = |url: &str| url.trim().trim_end_matches('/').to_owned();
        if plain(base_url) == plain(self.base_url()) {
            return Ok(());
        }
        let why = format!(
            "belongs to the server at {}, this client to another; if you trust that server with your key, make a client with Config::new(handle.base_url())",
            self.base_url()
        );
        Err(InvalidValue::new("handle", why))
    }
}

impl fmt::Display for SamplerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        f.write_str(&URL_SAFE.encode(json))
    }
}

impl FromStr for SamplerHandle {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let refuse = |why: String| InvalidValue::new("handle", why);
        let json = URL_SAFE.decode(text.trim()).map_err(|_| {
            refuse("is not URL-safe base64; use the text of SamplerHandle unchanged".to_owned())
        })?;
        serde_json::from_slice(&json)
            .map_err(|error| refuse(format!("is not a valid handle: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle() -> SamplerHandle {
        SamplerHandle::new(
            "s".into(),
            "s:sample:0".into(),
            "http://h.test/prefix",
            ClientConfig::default(),
            DynamicConfig::default(),
        )
    }

    #[test]
    fn a_handle_survives_its_text() {
        let mut handle = handle();
        handle.base_model = Some("m".to_owned());
        assert_eq!(handle.to_string().parse::<SamplerHandle>().unwrap(), handle);
        for broken in ["", "***", "e30="] {
            assert!(broken.parse::<SamplerHandle>().is_err(), "{broken:?}");
        }
    }

    #[test]
    fn the_text_is_the_official_one() {
        // As `sampling/handle_clone_random_id` has it, with a key as in a pickled client.
        let json = r#"{"session_id": "sess-0001", "sampling_session_id": "sess-0001:sample:0",
            "holder": {"base_url": "http://127.0.0.1:36403", "default_headers_overrides": {"x-secret": "hunter2"},
            "client_config": {"pjwt_auth_enabled": false, "sample_join_sampling_session": true},
            "client_dynamic_config": {"refresh_interval_sec": 300}, "api_key": "tml-hunter2"},
            "base_model": "Qwen/Qwen3-8B", "record_stability_info": true}"#;
        let handle: SamplerHandle = URL_SAFE.encode(json).parse().unwrap();
        assert_eq!(handle.base_url(), "http://127.0.0.1:36403");
        assert!(handle.record_stability_info);
        let ours = URL_SAFE.decode(handle.to_string()).unwrap();
        let ours: Value = serde_json::from_slice(&ours).unwrap();
        assert!(!ours.to_string().contains("hunter2"));
        assert_eq!(ours["holder"]["api_key"], Value::Null);
        assert_eq!(
            ours["holder"]["client_config"].as_object().unwrap().len(),
            17
        );
        assert_eq!(
            ours["holder"]["client_config"]["sample_join_sampling_session"],
            true
        );
    }

    #[test]
    fn another_server_is_refused() {
        assert!(handle().check_server("http://h.test/prefix/").is_ok());
        let error = handle().check_server("http://other.test").unwrap_err();
        assert!(
            error.to_string().contains("http://h.test/prefix"),
            "{error}"
        );
    }
}
