//! What bounds the memory and the patience of an engine.

use std::time::Duration;

const MIB: usize = 1 << 20;

/// Bounds of one engine. Start from the defaults and change what you need.
///
/// ```
/// let mut limits = tinker_local::Limits::default();
/// limits.queued_samples = 64;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Training operations that were accepted and have not ended. Beyond it a submission is answered 429. Default 1024.
    pub queued_operations: usize,
    /// The same for sampling requests. Default 2048.
    pub queued_samples: usize,
    /// Bytes of the bodies of all of these. Default 256 MiB.
    pub queued_bytes: usize,
    /// Largest body, before and after decompression. Default 32 MiB.
    pub body_bytes: usize,
    /// Largest body of a request whose notes are kept: sessions, models, samplers and checkpoints. Default 16 KiB.
    pub note_bytes: usize,
    /// Requests answered at the same time, waiting fetches among them. Beyond it a request is answered 429. Default
    /// 16384.
    pub requests: usize,
    /// Bytes of the bodies of all of these, from their arrival to the answer. Default 256 MiB.
    pub arriving_bytes: usize,
    /// Examples in one training request. Default 4096.
    pub data_per_request: usize,
    /// Sequences decoded at the same time. Default 64.
    pub live_sequences: usize,
    /// Bytes of the keys and values of these sequences, counted for as many tokens as each may grow to; those of a prompt
    /// count once for all its samples. Beyond it sequences wait; a request that asks for more than all of it for one
    /// sequence is refused. Default (`None`), for each model: 4 for each of its parameters, but at least 1 GiB, and at
    /// least what a sequence of the whole context takes.
    pub cache_bytes: Option<usize>,
    /// Bytes of keys and values that are kept of prompts, so that one that begins like an earlier one is not run whole;
    /// 0 keeps none. Results do not depend on it. Default 128 MiB.
    pub prefix_cache_bytes: usize,
    /// Sequences one sampling request may ask for. Default 256.
    pub sequences_per_request: usize,
    /// Sessions at the same time. Beyond it a new one is answered 429 until one has finished or was silent for too
    /// long. Default 4096.
    pub sessions: usize,
    /// Models in training at the same time. Default 64.
    pub models: usize,
    /// Samplers that keep their weights in memory; beyond it the one that rested longest is forgotten. Default 256.
    pub samplers: usize,
    /// Results kept for fetching. Beyond it the oldest go, those that were fetched first. Default 16384.
    pub kept_results: usize,
    /// Bytes of these results. Default 256 MiB.
    pub kept_bytes: usize,
    /// How long a result can be fetched again after it was fetched once. Default 2 minutes.
    pub kept_after_fetch: Duration,
    /// Largest result that a fetch which allows it is answered with at once; of a larger one it is told the size
    /// first, so that the client can make room. Default 8 MiB.
    pub inline_result_bytes: usize,
    /// How long a fetch of an unfinished result is held before it is answered "try again". Default 30 seconds.
    pub long_poll: Duration,
    /// How long the body of a request may take to arrive. Beyond it the request is answered 408. Over a socket also how
    /// long a client may take nothing of its answer before the connection is closed. Default 60 seconds.
    pub body_time: Duration,
    /// Connections of `serve` at the same time. Beyond it new ones wait. Default 4096: without TLS there is no HTTP/2
    /// for most clients, and each waiting fetch takes a connection.
    pub connections: usize,
    /// Silence after which a session ends and its models are forgotten. Default 30 minutes.
    pub session_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queued_operations: 1024,
            queued_samples: 2048,
            queued_bytes: 256 * MIB,
            body_bytes: 32 * MIB,
            note_bytes: 16 << 10,
            requests: 16_384,
            arriving_bytes: 256 * MIB,
            data_per_request: 4096,
            live_sequences: 64,
            cache_bytes: None,
            prefix_cache_bytes: 128 * MIB,
            sequences_per_request: 256,
            sessions: 4096,
            models: 64,
            samplers: 256,
            kept_results: 16_384,
            kept_bytes: 256 * MIB,
            kept_after_fetch: Duration::from_mins(2),
            inline_result_bytes: 8 * MIB,
            long_poll: Duration::from_secs(30),
            body_time: Duration::from_mins(1),
            connections: 4096,
            session_timeout: Duration::from_mins(30),
        }
    }
}
