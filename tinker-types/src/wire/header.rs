//! Header names, in lower case as HTTP/2 writes them.

/// The credential: an API key, or a short-lived token that was exchanged for one.
pub const API_KEY: &str = "x-api-key";

/// The same value on every attempt of one call, so that a server can recognize a repeat.
pub const IDEMPOTENCY_KEY: &str = "x-idempotency-key";

/// Version of the client protocol.
pub const SDK_VERSION: &str = "x-sdk-version";

/// Public method of the client that caused the request, for example `TrainingClient.forward`.
pub const SDK_METHOD: &str = "x-sdk-method";

/// Response header, `true` or `false`: whether the same request may be sent again. Takes precedence over the status.
pub const SHOULD_RETRY: &str = "x-should-retry";

/// Response header: milliseconds to wait before the next attempt. Takes precedence over `retry-after`.
pub const RETRY_AFTER_MS: &str = "retry-after-ms";

/// Response header: a note about an operation that will be removed.
pub const DEPRECATION_NOTE: &str = "x-deprecation-note";

/// Response header: level of the note, `error` or another one.
pub const DEPRECATION_LEVEL: &str = "x-deprecation-level";

/// Response header: the server's own id of the request.
pub const REQUEST_ID: &str = "x-request-id";

/// Attempts before this one, as the official client counts them.
pub const STAINLESS_RETRY_COUNT: &str = "x-stainless-retry-count";

/// Expected result of a polled promise: the name of a [`RequestType`](crate::RequestType).
pub const REQUEST_TYPE: &str = "x-tinker-request-type";

/// Polls of the same promise before this one, from 0.
pub const REQUEST_ITERATION: &str = "x-tinker-request-iteration";

/// Seconds from the start of an operation to its acceptance; on the first poll of its promise.
pub const PROMISE_ROUNDTRIP: &str = "x-tinker-create-promise-roundtrip-time";

/// `1`: the client treats status 429 on a sample as "wait, then send it again".
pub const SAMPLING_BACKPRESSURE: &str = "x-tinker-sampling-backpressure";

/// Credential for a checkpoint that belongs to another user, on [`CopyWeights`](crate::CopyWeights).
pub const WEIGHTS_ACCESS_TOKEN: &str = "x-tinker-weights-access-token";

/// Beginning of the response header `Server` of the local server, on [`ClientConfig`](crate::ClientConfig). A slash and the
/// version follow.
pub const LOCAL_SERVER: &str = "tinker-local-server";
