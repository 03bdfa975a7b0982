//! Differences of our client, most of them intended, and its behaviour instead.

use crate::vectors::verdict::Aspect::{self, Body, Head, Outcome, Pace, Requests};

/// A known difference.
#[derive(Debug)]
pub(crate) struct Difference {
    name: &'static str,
    /// The aspects that differ; no other may.
    pub(crate) aspects: &'static [Aspect],
    /// The outcome of the call with our client.
    pub(crate) outcome: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) is_meant: bool,
    /// Texts that every mismatch must contain.
    pub(crate) about: &'static str,
}

/// The known difference of a recording.
pub(crate) fn difference(name: &str) -> Option<&'static Difference> {
    let mut known = DIFFERENCES.iter().chain(FAULTS);
    known.find(|known| known.name == name)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    DIFFERENCES.iter().chain(FAULTS).map(|known| known.name)
}

const fn differs(
    name: &'static str,
    aspects: &'static [Aspect],
    outcome: &'static str,
    reason: &'static str,
) -> Difference {
    Difference {
        name,
        aspects,
        outcome,
        reason,
        is_meant: true,
        about: "",
    }
}

impl Difference {
    const fn about(self, words: &'static str) -> Self {
        Self {
            about: words,
            ..self
        }
    }
}

/// Differences to be fixed: the test demands that an entry is removed when its recording passes.
const FAULTS: &[Difference] = &[];

const REFUSED: &[Aspect] = &[Requests, Outcome];

const OLDER: &str = "a JSON result, as older servers give, is read";
const UNNAMED: &str = "sequences without names are given out; the official client fails";
const CRASH: &str = "the official client crashes; ours has an error for it";
const NUMBERS: &str = "the official client crashes; ours returns the metrics as they are";

const DIFFERENCES: &[Difference] = &[
    differs(
        "rest/odd_ids",
        REFUSED,
        "status 418",
        "a question mark or a hash in an id is escaped, so that it does not cut the path",
    ),
    // Our client refuses these before it sends anything.
    differs(
        "sampling/empty_prompt",
        REFUSED,
        "invalid value",
        "an empty prompt is refused before anything is sent",
    ),
    differs(
        "training/chunks_empty_input",
        REFUSED,
        "invalid value",
        "a datum without input is refused before anything is sent",
    ),
    differs(
        "training/tensor_nan_inf",
        REFUSED,
        "invalid value",
        "NaN and infinity are refused before anything is sent",
    ),
    differs(
        "training/chunks_dmel",
        REFUSED,
        "invalid value",
        "one target for each position is asked for; this recording has 2 for 6",
    ),
    differs(
        "training/tensor_scalar_shape",
        REFUSED,
        "invalid value",
        "a loss input that the loss does not have is refused before anything is sent; this recording has one as a scalar",
    ),
    // Our client tolerates these.
    differs(
        "session/client_config_404",
        &[Outcome],
        "ok",
        "a server without client/config has the usual limits",
    ),
    differs("futures/json_for_fwdbwd_refused", &[Outcome], "ok", OLDER),
    differs("sampling/json_result_refused", &[Outcome], "ok", OLDER),
    differs(
        "sampling/sequence_count_mismatch",
        &[Outcome],
        "ok",
        UNNAMED,
    ),
    differs("sampling/sequence_ids_missing", &[Outcome], "ok", UNNAMED),
    differs(
        "training/metrics_key_without_colon",
        &[Outcome],
        "ok",
        NUMBERS,
    ),
    differs(
        "training/metrics_mean_without_outputs",
        &[Outcome],
        "ok",
        NUMBERS,
    ),
    differs(
        "training/metric_reduction",
        &[Outcome],
        "ok",
        "a metric with an unknown reduction is kept part by part, not dropped",
    )
    .about("metrics.h:weird: not expected"),
    differs(
        "models/create_model",
        &[Outcome],
        "ok",
        "info has the tokenizer's name as the server wrote it; the lookup cuts it at the colon",
    )
    .about("tokenizer_id: expected"),
    // Errors instead of crashes.
    differs("billing/client_config_402", &[Outcome], "status 402", CRASH),
    differs(
        "futures/result_null",
        &[Outcome],
        "answer not understood",
        CRASH,
    ),
    differs(
        "futures/sampler_save_without_path",
        &[Outcome],
        "answer not understood",
        CRASH,
    ),
    differs(
        "sampling/target_bf16_is_misread",
        &[Outcome],
        "ok",
        "bfloat16 is read as the number it stands for",
    )
    .about("data[0]: expected 49024.0, is -1.0"),
    // Retries and waits.
    differs(
        "futures/fatal_409",
        REFUSED,
        "status 418 at a poll",
        "a poll answered 409 is repeated up to three times, like one answered 400",
    ),
    differs(
        "sampling/asample_500",
        REFUSED,
        "status 500",
        "a server error on a sample surfaces at once; callers may set a policy",
    ),
    differs(
        "transport/execute_with_retries",
        REFUSED,
        "status 500",
        "x-should-retry: false ends all retries, not only those of the inner of two loops",
    ),
    differs(
        "transport/poll_timeout_pyqwest",
        &[Pace],
        "ok",
        "a poll is given up after 45 s, as with the other HTTP stack of the official client",
    ),
    differs(
        "training/save_sampler_retry",
        &[Body],
        "ok",
        "a repeated request is the same request, the sampler's number included",
    ),
    differs(
        "billing/sample_402_pause",
        &[Head, Pace],
        "ok",
        "a 402 pauses samples for 5 s like all else, and a poll is repeated as it was",
    ),
    // Reports.
    differs(
        "telemetry/endpoint_500",
        &[Requests],
        "status 404",
        "a report is tried once, and no error waits for it",
    ),
    differs(
        "telemetry/api_status_error",
        &[Body],
        "status 404 at a poll",
        "headers are not reported: the official client's have the key in them",
    )
    .about("request_headers"),
    // Encodings and credentials.
    differs(
        "transport/redirect_302_cross_origin",
        &[Head],
        "ok",
        "the key and all else that is for the server stays at home in a redirect to another",
    )
    .about("/signed/audit.json: expected x-"),
    differs(
        "auth/credential_cmd_without_jwt",
        &[Outcome],
        "ok",
        "what a command prints is taken as a key where tokens are not exchanged",
    ),
    differs(
        "futures/gzip_response",
        &[Outcome],
        "answer not understood",
        "only zstd is offered, so that no server answers with gzip",
    ),
    differs(
        "auth/jwt_exchange_401",
        &[Outcome],
        "no usable credential",
        "a refused exchange is an error of the credential; its source has the status",
    ),
];
