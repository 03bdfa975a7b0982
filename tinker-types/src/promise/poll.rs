//! Polling all promises of a sampler with one request.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::wire::{endpoint, tagged, type_tag};
use crate::{RequestId, SamplingSessionId};

type_tag!(JoinTag, "join_sampling_session");

/// Requests the fulfilled promises of a sampler.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RetrieveFutures {
    /// Sampler to poll.
    pub target: PollTarget,
    /// The `cursor` of the previous response; 0 at first.
    pub prev_cursor: i64,
    /// Seconds the server may hold the request; unset, the server decides.
    #[serde(default)]
    pub timeout: Option<f64>,
    /// Promises whose results were fetched, which the server may drop.
    #[serde(default)]
    pub retrieved_request_ids: Vec<RequestId>,
}

impl RetrieveFutures {
    /// The first poll of a sampler.
    pub fn new(target: PollTarget) -> Self {
        Self {
            target,
            prev_cursor: 0,
            timeout: None,
            retrieved_request_ids: Vec::new(),
        }
    }
}

endpoint!(RetrieveFutures => Completions, "retrieve_futures");

/// Sampler whose promises are polled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum PollTarget {
    /// A sampler or a copy of it.
    SamplingSession {
        /// Id of the sampler.
        sampling_session_id: SamplingSessionId,
        /// Number of the copy; 0 for the original.
        cloned_sampler_id: u64,
    },
}

/// Fulfilled promises.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Completions {
    /// The promises.
    pub completions: Vec<Completion>,
    /// Value for `prev_cursor` of the next request.
    pub cursor: i64,
}

/// A promise that was fulfilled or has failed.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Completion {
    /// Its result can be fetched.
    Finished {
        /// The promise.
        request_id: RequestId,
        /// Size of the result in bytes.
        #[serde(default)]
        response_payload_uncompressed_size: Option<u64>,
    },
    /// Its error can be fetched.
    Failed {
        /// The promise.
        request_id: RequestId,
    },
}

tagged! {
    /// Requests a number for a copy of a sampler.
    JoinSamplingSession as JoinTag {
        /// The sampler.
        sampling_session_id: SamplingSessionId
    }
}

endpoint!(JoinSamplingSession => SamplingSessionJoined, "join_sampling_session");

tagged! {
    /// Number of a copy of a sampler.
    #[derive(Copy)]
    SamplingSessionJoined as JoinTag {
        /// The number, at least 1.
        client_counter: u64
    }
}
