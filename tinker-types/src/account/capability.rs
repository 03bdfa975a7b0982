//! Server capabilities, health and client configuration.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::wire::endpoint;

/// Requests the models of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GetServerCapabilities {}

endpoint!(
    GetServerCapabilities => ServerCapabilities,
    Get "get_server_capabilities" as "get_server_capabilities"
);

/// Models of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ServerCapabilities {
    /// One entry for each model.
    pub supported_models: Vec<SupportedModel>,
}

impl ServerCapabilities {
    /// A server with these models.
    pub fn new(supported_models: Vec<SupportedModel>) -> Self {
        Self { supported_models }
    }
}

/// A model of a server.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct SupportedModel {
    /// Name of the model, to be given as `base_model`.
    pub model_name: Option<String>,
    /// Longest sequence in tokens.
    pub max_context_length: Option<u64>,
    /// Whether it can be fine-tuned.
    pub trainable: Option<bool>,
    /// Whether it can be sampled from.
    pub sampleable: Option<bool>,
    /// Where its tokenizer is, if the server reports it here: a folder on the machine of the server, or a Hugging Face
    /// name.
    pub tokenizer_id: Option<String>,
}

/// Health check. Needs no key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GetHealth {}

endpoint!(GetHealth => Health, Get "healthz" as "get_health");

/// Response of a healthy server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Health {
    /// Always `ok`.
    pub status: String,
}

impl Health {
    /// The response of a healthy server.
    pub fn ok() -> Self {
        Self {
            status: "ok".to_owned(),
        }
    }
}

/// Declares flags with their defaults, and the request for them at a path.
macro_rules! flags {
    (
        $(#[$request_doc:meta])* $request:ident $route:literal;
        $(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty = $default:expr;)* }
    ) => {
        $(#[$request_doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[non_exhaustive]
        pub struct $request {
            /// Version of the client.
            pub sdk_version: String,
        }

        impl $request {
            /// For a client of this version.
            pub fn new(sdk_version: &str) -> Self {
                Self {
                    sdk_version: sdk_version.to_owned(),
                }
            }
        }

        endpoint!($request => $name, $route);

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

flags! {
    /// Requests the configuration that holds for the life of a client.
    GetClientConfig "client/config";

    /// Flags and limits that hold for the life of a client. A server may omit any of them.
    ClientConfig {
        /// Exchange the credential for a JWT.
        pjwt_auth_enabled: bool = false;
        /// `credential_cmd` makes the credential command mandatory for the exchange.
        credential_default_source: String = "api_key".to_owned();
        /// Bytes of sampling requests in flight.
        sample_dispatch_bytes_semaphore_size: u64 = 10_485_760;
        /// Bytes of large results being fetched.
        inflight_response_bytes_semaphore_size: u64 = 52_428_800;
        /// Send the chunks of one batch at the same time, the first one last.
        parallel_fwdbwd_chunks: bool = true;
        /// Compress training requests with zstd.
        proto_compress_fwdbwd: bool = false;
        /// Largest number of datums in one training request.
        fwdbwd_max_chunk_len: u64 = 1024;
        /// Largest number of estimated bytes in one training request.
        fwdbwd_max_chunk_bytes_count: u64 = 5_000_000;
        /// Bytes of training requests in flight.
        fwdbwd_dispatch_bytes_semaphore_size: u64 = 50_000_000;
        /// Longest total pause in seconds after responses with status 402.
        billing_exception_max_pause_duration_sec: u64 = 3600;
        /// Whether samples are not retried after errors.
        sample_no_retries: bool = false;
        /// Whether samples without progress are reported.
        sample_enable_stuck_detection: bool = true;
        /// Largest number of concurrent samples of one sampler.
        sample_max_concurrent_requests: u64 = 2000;
        /// Selects the HTTP stack of the official client; has no effect here.
        use_pyqwest_transport: bool = true;
        /// Wait for samples with one poll for each sampler.
        sample_use_retrieve_futures: bool = false;
        /// Upload custom losses.
        custom_loss_server_side: bool = false;
        /// Copies of a sampler request their number from the server.
        sample_join_sampling_session: bool = false;
    }
}

flags! {
    /// Requests the flags that may change while a client runs.
    GetDynamicConfig "client/dynamic_config";

    /// Flags that may change while a client runs.
    DynamicConfig {
        /// Seconds until the next request; values below 10 count as 10.
        refresh_interval_sec: u64 = 300;
        /// Notify the server of samples that no caller waits for any more.
        sample_cancel_enabled: bool = false;
        /// Largest number of concurrent cancellations.
        sample_cancel_max_batch_size: u64 = 64;
    }
}
