//! Advice about refusals whose cause can be recognized.

use std::borrow::Cow;

use http::{Method, StatusCode};
use serde_json::Value;
use tinker_types::{
    CreateSession, Endpoint, GetClientConfig, GetServerCapabilities, SampleRequest, SaveWeights,
    SaveWeightsExternal, SaveWeightsForSampler,
};

/// A refused request and its answer.
pub(crate) struct Refusal<'a> {
    pub(crate) status: StatusCode,
    pub(crate) operation: &'static str,
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) detail: &'a str,
}

/// The recognized cause of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The server refuses the key.
    Key,
    /// The server no longer supports the claimed version of the client.
    Version,
    /// The server does not know a field of the request.
    Field,
    /// The server does not have the route.
    Route,
    /// A checkpoint of the same name exists.
    Name,
    /// Both forms of a pass were refused.
    Forms,
    /// All places for models are taken.
    Places,
    /// The model of a checkpoint is not loaded.
    Unloaded,
}

/// Advice about a refusal.
#[derive(Debug, Clone)]
pub(crate) struct Advice {
    pub(crate) cause: Cause,
    pub(crate) text: Cow<'static, str>,
}

/// Fields that are sent only if an option is set, by operation.
const FIELDS: &[(&str, &str)] = &[
    (
        "optimizer_config",
        "TrainingOptions::optimizer or LoadOptions::optimizer",
    ),
    (
        "user_metadata",
        "the metadata of the options (user_metadata)",
    ),
    ("project_id", "Config::project_id"),
    ("display_name", "Config::display_name"),
    ("tags", "Config::tags"),
    ("overwrite", "SaveOptions::overwrite"),
    ("ttl_seconds", "SaveOptions::ttl"),
    ("kind", "save_weights_and_get_inflight_sampling_client"),
    ("base_model", "LoadOptions::base_model"),
    ("weights_access_token", "LoadOptions::access_token"),
    ("prompt_logprobs", "SampleOptions::prompt_logprobs"),
    (
        "prompt_logprobs_last_n",
        "SampleOptions::prompt_logprobs_last_n",
    ),
    (
        "topk_prompt_logprobs",
        "SampleOptions::topk_prompt_logprobs",
    ),
    (
        "topk_sample_logprobs",
        "SampleOptions::topk_sample_logprobs",
    ),
    (
        "target_prompt_logprobs",
        "SampleOptions::target_prompt_logprobs",
    ),
    ("prompt_alt_tokens_k", "SampleOptions::prompt_alt_tokens_k"),
    (
        "record_stability_info",
        "SampleOptions::record_stability_info",
    ),
    ("seed", "the seed of LoraConfig or SamplingParams"),
    ("stop", "SamplingParams::stop"),
    ("loss_fn_config", "the constants of the loss (Loss::with)"),
];

/// Operations that save under a name.
const SAVES: [&str; 3] = [
    SaveWeights::NAME,
    SaveWeightsForSampler::NAME,
    SaveWeightsExternal::NAME,
];

impl Advice {
    pub(crate) fn new(cause: Cause, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            cause,
            text: text.into(),
        }
    }

    /// The advice about a refusal, if its cause is recognized.
    pub(crate) fn about(refusal: &Refusal<'_>) -> Option<Self> {
        let words = refusal.detail.to_ascii_lowercase();
        let status = refusal.status.as_u16();
        if status == 400 && is_about_version(&words) {
            let text = "the server does not support the claimed version of the client; set TINKER_SDK_VERSION (Dialect::sdk_version) to a version that it supports";
            return Some(Self::new(Cause::Version, text));
        }
        if status == 401 || (status == 403 && is_about_key(refusal.operation, &words)) {
            let text = "the key was refused; check TINKER_API_KEY";
            return Some(Self::new(Cause::Key, text));
        }
        if matches!(status, 400 | 422)
            && let Some(field) = unknown_field(refusal.body)
        {
            return Some(Self::new(Cause::Field, of_field(&field)));
        }
        if status == 405 || status == 501 || (status == 404 && is_missing_route(refusal.detail)) {
            let (method, path) = (refusal.method, refusal.path);
            let text = format!("this server does not have the route {method} {path}");
            return Some(Self::new(Cause::Route, text));
        }
        if status == 400 && refusal.operation == SampleRequest::NAME && words.contains("not loaded")
        {
            let text = "this server samples from a checkpoint only while its run is loaded; continue the run from its training checkpoint, and save it again";
            return Some(Self::new(Cause::Unloaded, text));
        }
        if status == 409 && SAVES.contains(&refusal.operation) {
            let mut text = "a checkpoint of this name exists; choose another name".to_owned();
            if refusal.operation == SAVES[0] {
                text += ", or replace it with SaveOptions::overwrite";
            }
            return Some(Self::new(Cause::Name, text));
        }
        None
    }
}

fn is_about_version(words: &str) -> bool {
    words.contains("version")
        && [
            "no longer supported",
            "not supported",
            "unsupported",
            "upgrade",
            "update",
            "too old",
            "outdated",
        ]
        .iter()
        .any(|sign| words.contains(sign))
}

/// Whether a 403 is about the key as such, and not about one object.
fn is_about_key(operation: &str, words: &str) -> bool {
    let first = [
        GetClientConfig::NAME,
        CreateSession::NAME,
        GetServerCapabilities::NAME,
    ];
    let says_key = [
        "api key",
        "api_key",
        "apikey",
        "api-key",
        "invalid token",
        "credential",
    ];
    first.contains(&operation) || says_key.iter().any(|sign| words.contains(sign))
}

/// The answer of web frameworks to a path that leads nowhere, as opposed to an object that does not exist.
fn is_missing_route(detail: &str) -> bool {
    let detail = detail.trim();
    detail.is_empty()
        || detail.eq_ignore_ascii_case("not found")
        || detail.eq_ignore_ascii_case("404 page not found")
        || detail.starts_with('<')
}

/// The first field that the server does not know.
fn unknown_field(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body["detail"].as_array()?.iter().find_map(|error| {
        let says = error["msg"]
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let is_unknown = error["type"] == "extra_forbidden" || says.contains("extra inputs");
        let place = error["loc"].as_array().filter(|_| is_unknown)?;
        let mut names = place
            .iter()
            .filter_map(Value::as_str)
            .filter(|name| *name != "body");
        names.next_back().map(str::to_owned)
    })
}

fn of_field(field: &str) -> String {
    match FIELDS.iter().find(|(name, _)| *name == field) {
        Some((_, option)) => format!(
            "this server does not know the field `{field}`, which is sent because of {option}; leave that option out"
        ),
        None => format!("this server does not know the field `{field}` of the request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(status: u16, operation: &'static str, body: &str) -> Option<Advice> {
        let detail = crate::error::detail_of(body.as_bytes());
        Advice::about(&Refusal {
            status: StatusCode::from_u16(status).unwrap(),
            operation,
            method: &Method::POST,
            path: "/api/v1/x",
            body: body.as_bytes(),
            detail: &detail,
        })
    }

    #[test]
    fn causes_are_told_apart() {
        let extra = r#"{"detail":[{"type":"extra_forbidden","loc":["body","topk_sample_logprobs"],"msg":"Extra inputs are not permitted"}]}"#;
        for (status, operation, body, cause, words) in [
            (
                400,
                "create_session",
                r#"{"detail":"SDK version 0.3.0 is no longer supported"}"#,
                Cause::Version,
                "TINKER_SDK_VERSION",
            ),
            (401, "asample", "{}", Cause::Key, "TINKER_API_KEY"),
            (
                403,
                GetClientConfig::NAME,
                r#"{"detail":"Forbidden"}"#,
                Cause::Key,
                "key was refused",
            ),
            (
                403,
                "get_run",
                r#"{"detail":"Invalid API key"}"#,
                Cause::Key,
                "key was refused",
            ),
            (
                422,
                "asample",
                extra,
                Cause::Field,
                "SampleOptions::topk_sample_logprobs",
            ),
            (
                404,
                "save_weights",
                r#"{"detail":"Not Found"}"#,
                Cause::Route,
                "does not have the route POST /api/v1/x",
            ),
            (404, "save_weights", "<html>", Cause::Route, "route"),
            (405, "save_weights", "", Cause::Route, "route"),
            (
                409,
                "save_weights",
                r#"{"detail":"exists"}"#,
                Cause::Name,
                "overwrite",
            ),
            (
                409,
                "save_weights_for_sampler",
                "",
                Cause::Name,
                "another name",
            ),
            (
                400,
                "asample",
                r#"{"detail":"Model m not loaded"}"#,
                Cause::Unloaded,
                "only while its run is loaded",
            ),
        ] {
            let advice = about(status, operation, body).unwrap();
            assert_eq!(advice.cause, cause, "{status} {operation}");
            assert!(advice.text.contains(words), "{}", advice.text);
        }
        for (status, operation, body) in [
            (403, "publish", r#"{"detail":"not your checkpoint"}"#),
            (404, "save_weights", r#"{"detail":"no model m"}"#),
            (409, "create_model", r#"{"detail":"busy"}"#),
            (
                422,
                "asample",
                r#"{"detail":[{"loc":["body","stop"],"msg":"bad"}]}"#,
            ),
            (400, "create_session", r#"{"detail":"no project"}"#),
            (500, "asample", ""),
        ] {
            assert!(
                about(status, operation, body).is_none(),
                "{status} {operation}"
            );
        }
    }
}
