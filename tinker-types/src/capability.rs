//! What a server offers, and how it wants its clients to behave.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::wire::{Endpoint, Method, endpoint};

/// Asks which models a server has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GetServerCapabilities {}

impl Endpoint for GetServerCapabilities {
    type Response = ServerCapabilities;
    const NAME: &'static str = "get_server_capabilities";
    const METHOD: Method = Method::Get;
    const ROUTE: &'static str = "get_server_capabilities";
}

/// The models a server has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ServerCapabilities {
    /// One entry for each.
    pub supported_models: Vec<SupportedModel>,
}

impl ServerCapabilities {
    /// A server with these models.
    pub fn new(supported_models: Vec<SupportedModel>) -> Self {
        Self { supported_models }
    }
}

/// A model a server has.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct SupportedModel {
    /// Its name, to be given as `base_model`.
    pub model_name: Option<String>,
    /// Longest sequence in tokens.
    pub max_context_length: Option<u64>,
    /// It can be fine-tuned.
    pub trainable: Option<bool>,
    /// It can be sampled from.
    pub sampleable: Option<bool>,
    /// Where its tokenizer is found, if the server says it here: a folder on its machine, or a name at Hugging Face.
    pub tokenizer_id: Option<String>,
}

/// Asks whether a server is up. Needs no key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GetHealth {}

impl Endpoint for GetHealth {
    type Response = Health;
    const NAME: &'static str = "get_health";
    const METHOD: Method = Method::Get;
    const ROUTE: &'static str = "healthz";
}

/// A server is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Health {
    /// `ok`.
    pub status: String,
}

impl Health {
    /// All is well.
    pub fn ok() -> Self {
        Self {
            status: "ok".to_owned(),
        }
    }
}

macro_rules! flags {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty = $default:expr;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(default)]
        #[non_exhaustive]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

/// Asks how a server wants its clients to behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ClientConfigRequest {
    /// Version of the client.
    pub sdk_version: String,
}

impl ClientConfigRequest {
    /// For a client of this version.
    pub fn new(sdk_version: &str) -> Self {
        Self {
            sdk_version: sdk_version.to_owned(),
        }
    }
}

endpoint!(ClientConfigRequest => ClientConfig, "client/config");

flags! {
    /// Flags and limits that hold for the life of a client. A server may leave out any of them.
    ClientConfig {
        /// Exchange the credential for a JWT.
        pjwt_auth_enabled: bool = false;
        /// `credential_cmd` makes the credential command mandatory for the exchange.
        credential_default_source: String = "api_key".to_owned();
        /// Bytes of sampling requests on their way.
        sample_dispatch_bytes_semaphore_size: u64 = 10_485_760;
        /// Bytes of large results being fetched.
        inflight_response_bytes_semaphore_size: u64 = 52_428_800;
        /// Send the chunks of one batch at the same time, the first one last.
        parallel_fwdbwd_chunks: bool = true;
        /// Compress training requests with zstd.
        proto_compress_fwdbwd: bool = false;
        /// Most data in one training request.
        fwdbwd_max_chunk_len: u64 = 1024;
        /// Most estimated bytes in one training request.
        fwdbwd_max_chunk_bytes_count: u64 = 5_000_000;
        /// Bytes of training requests on their way.
        fwdbwd_dispatch_bytes_semaphore_size: u64 = 50_000_000;
        /// Seconds that answers of status 402 are waited out.
        billing_exception_max_pause_duration_sec: u64 = 3600;
        /// Samples are not repeated after errors.
        sample_no_retries: bool = false;
        /// Watch for samples that make no progress.
        sample_enable_stuck_detection: bool = true;
        /// Samples of one sampler at the same time.
        sample_max_concurrent_requests: u64 = 2000;
        /// Meant for the official client's choice of HTTP stack; has no effect here.
        use_pyqwest_transport: bool = true;
        /// Wait for samples with one poller for each sampler.
        sample_use_retrieve_futures: bool = false;
        /// Upload custom losses.
        custom_loss_server_side: bool = false;
        /// Copies of a sampler get their number from the server.
        sample_join_sampling_session: bool = false;
    }
}

/// Asks for the flags that may change while a client runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DynamicConfigRequest {
    /// Version of the client.
    pub sdk_version: String,
}

impl DynamicConfigRequest {
    /// For a client of this version.
    pub fn new(sdk_version: &str) -> Self {
        Self {
            sdk_version: sdk_version.to_owned(),
        }
    }
}

endpoint!(DynamicConfigRequest => DynamicConfig, "client/dynamic_config");

/// Flags that may change while a client runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct DynamicConfig {
    /// Seconds until the next look; below 10 counts as 10.
    pub refresh_interval_sec: u64,
    /// Tell the server about samples nobody waits for any more.
    pub sample_cancel_enabled: bool,
    /// Cancels sent at the same time.
    pub sample_cancel_max_batch_size: u64,
}

impl Default for DynamicConfig {
    fn default() -> Self {
        Self {
            refresh_interval_sec: 300,
            sample_cancel_enabled: false,
            sample_cancel_max_batch_size: 64,
        }
    }
}
