//! Limits of memory and time of an engine.

use std::time::Duration;

const MIB: usize = 1 << 20;

/// Limits of an engine.
///
/// ```
/// let mut limits = tinker_local::Limits::default();
/// limits.queued_samples = 64;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Accepted training operations that have not finished. Beyond it submissions are answered 429. Default 1024.
    pub queued_operations: usize,
    /// Accepted sampling requests that have not finished. Beyond it requests are answered 429. Default 2048.
    pub queued_samples: usize,
    /// Bytes of the bodies of all these operations and requests. Default 256 MiB.
    pub queued_bytes: usize,
    /// Largest body, before and after decompression. Default 32 MiB.
    pub body_bytes: usize,
    /// Largest body of a request whose metadata is kept: sessions, models, samplers and checkpoints. Default 16 KiB.
    pub note_bytes: usize,
    /// Concurrent requests, including waiting polls. Beyond it requests are answered 429. Default 16384.
    pub requests: usize,
    /// Bytes of the bodies of all concurrent requests, from arrival to response. Default 256 MiB.
    pub arriving_bytes: usize,
    /// Data in one training request. Default 4096.
    pub data_per_request: usize,
    /// Sequences that are decoded at the same time. Default 64.
    pub live_sequences: usize,
    /// Bytes of keys and values of these sequences, counted for the most tokens each may reach; those of a prompt count
    /// once for all its samples. Beyond it sequences wait. A request that needs more for a single sequence is refused.
    /// Default (`None`), for each model: 4 bytes for each parameter, but at least 1 GiB, and at least enough for one
    /// sequence of the whole context.
    pub cache_bytes: Option<usize>,
    /// Bytes of keys and values that are kept of prompts, so that a common beginning is not computed again. 0 disables
    /// the cache. Results do not depend on it. Default 128 MiB.
    pub prefix_cache_bytes: usize,
    /// Sequences one sampling request may ask for. Default 256.
    pub sequences_per_request: usize,
    /// Open sessions. Beyond it new ones are answered 429, until one is finished or times out. Default 4096.
    pub sessions: usize,
    /// Models in training. Beyond it new ones are refused. Default 64.
    pub models: usize,
    /// Samplers whose weights are kept, in memory or in files. Beyond it the least recently used one is removed. Default
    /// 256.
    pub samplers: usize,
    /// Bytes of the weights of samplers in memory. Beyond it the least recently used ones are moved to files in the data
    /// folder, and read again when they are needed; a request waits while the weights that are in use leave no room for its
    /// own. Weights larger than the bound are in memory only while they are used. Default 1 GiB.
    pub sampler_bytes: usize,
    /// Results that are kept. Beyond it the oldest are dropped, fetched ones first. Default 16384.
    pub kept_results: usize,
    /// Bytes of these results. Default 256 MiB.
    pub kept_bytes: usize,
    /// Time for which a fetched result can be fetched again. Default 2 minutes.
    pub kept_after_fetch: Duration,
    /// Largest result that is sent at once to polls that allow metadata only. Of larger ones the size is sent first, so
    /// that the client can make room. Default 8 MiB.
    pub inline_result_bytes: usize,
    /// Time for which a poll of an unfinished result is held before it is answered "try again". Default 30 seconds.
    pub long_poll: Duration,
    /// Time for the body of a request to arrive. Beyond it the request is answered 408. On a socket also the time for
    /// which a client may read nothing of its response before the connection is closed. Default 60 seconds.
    pub body_time: Duration,
    /// Concurrent connections of `serve`. Beyond it new ones wait. Default 4096: without TLS most clients use HTTP/1.1,
    /// where each waiting poll takes a connection.
    pub connections: usize,
    /// Time without a sign of life after which a session ends and its models are removed. Default 30 minutes.
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
            sampler_bytes: 1024 * MIB,
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
