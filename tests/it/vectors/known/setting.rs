//! Settings of clients and calls without a request: neither is visible in the requests.

use std::time::Duration;

use tinker_client::{
    AccessScope, AdamParams, Chunk, Config, Datum, Loss, LossGraph, OptimParams, SamplingSource,
    autodiff::Expr,
};
use tinker_types::{AssetPointer, ImageFormat};

use crate::vectors::call::{Call, Copy, Pass, RestCall, Work};

/// An unsigned token that ran out in 1970.
const EXPIRED: &str = "eyJhbGciOiJub25lIn0.eyJpYXQiOjEwMDAsImV4cCI6MjAwMH0.";

/// A saved state.
const STATE: &str = "tinker://sess-1:train:0/weights/s1";

/// Settings that are not visible in the requests.
pub(crate) fn configure(name: &str, mut config: Config) -> Config {
    match name {
        // The command that printed the credential; the requests contain only its output.
        "auth/credential_cmd_only" | "auth/credential_cmd_without_jwt" => {
            config.api_key = None;
            config.with_credential_command("echo cmd-secret-1")
        }
        // A key was set as well; the exchange had to use the command.
        "auth/credential_cmd_enforced" => config.with_credential_command("echo cmd-secret-1"),
        // Refused keys were not sent.
        "auth/key_bad_prefix" => Config::default().with_api_key("sk-123"),
        "auth/key_missing" => Config::default(),
        "auth/key_expired_jwt" => config.with_api_key(EXPIRED),
        // An environment variable of the official client, a setting here.
        "telemetry/disabled" => config.with_telemetry(false),
        _ => config,
    }
}

/// The rules about keys apply to the hosted service only, and the stub has another address.
pub(crate) fn goes_to_the_hosted_service(name: &str) -> bool {
    matches!(name, "auth/key_bad_prefix" | "auth/key_missing")
}

/// The command takes real time.
pub(crate) fn runs_a_program(name: &str) -> bool {
    name.starts_with("auth/credential_cmd")
}

/// The custom loss of the caller failed.
pub(crate) fn has_failing_loss(name: &str) -> bool {
    name == "training/custom_failure_poisons"
}

/// Calls that were refused before a request was sent.
pub(crate) fn calls(name: &str) -> Vec<Call> {
    match name {
        "auth/key_bad_prefix"
        | "auth/key_expired_jwt"
        | "auth/key_missing"
        | "telemetry/disabled"
        // Of this one and those below only the telemetry was recorded.
        | "telemetry/periodic_batch" => vec![Call::Open],
        "training/custom_handle_duplicate" => {
            let loss = -(Expr::logprobs() * Expr::input("weights")).sum();
            let neg_ll = || Call::NewLoss(LossGraph::new("neg_ll", loss.clone()));
            vec![neg_ll(), neg_ll()]
        }
        "auth/whoami" | "auth/whoami_without_jwt" => vec![Call::Rest(RestCall::Whoami)],
        "session/create_sampling_session_bad_path" => {
            let path = SamplingSource::Checkpoint("/local/path".to_owned());
            vec![Call::NewSampler(path)]
        }
        "training/chunks_asset_pointer_refused" => vec![refused_pointer()],
        "rest/bad_path_bad_kind" => vec![delete("tinker://a/foo/b")],
        "rest/bad_path_four_parts" => vec![delete("tinker://a/weights/b/c")],
        "rest/bad_path_no_scheme" => vec![delete("sess/weights/a")],
        "rest/bad_path_two_parts" => vec![delete("tinker://a/weights")],
        "rest/external_weights_urls_wrong_kind" => {
            vec![Call::Rest(RestCall::ExternalWeightsUrls(STATE.to_owned()))]
        }
        "rest/copy_weights_no_project" => vec![Call::Rest(RestCall::Copy(Copy {
            source: STATE.to_owned(),
            project_id: None,
            ttl: None,
            access_token: None,
        }))],
        "training/custom_failure_poisons" => vec![
            train(Work::Optim(OptimParams::Adam(AdamParams::default()))),
            train(Work::Pass(supervised(true))),
        ],
        // The third recorded error is about an argument that our method does not have.
        "training/custom_argument_errors" => {
            let mut untargeted = supervised(true);
            for datum in untargeted.parts.iter_mut().flat_map(|(_, data)| data) {
                datum.loss_fn_inputs.remove("target_tokens");
            }
            let mut empty = supervised(true);
            empty.parts.clear();
            let custom = |pass| train(Work::Custom { pass, fails: false });
            vec![custom(untargeted), custom(empty)]
        }
        "telemetry/api_status_error"
        | "telemetry/application_error"
        | "telemetry/unhandled_exception" => {
            vec![train(Work::Optim(OptimParams::Adam(AdamParams::default())))]
        }
        "telemetry/endpoint_404" | "telemetry/endpoint_500" | "telemetry/user_error_fatal" => {
            vec![Call::NewSampler(SamplingSource::BaseModel("m".to_owned()))]
        }
        "telemetry/sessionless" => {
            let run = RestCall::TrainingRun("x".to_owned(), AccessScope::Owned);
            vec![Call::Rest(run)]
        }
        // A request was sent, but the id cannot be read from it.
        "rest/odd_ids" => {
            let id = "a b/\u{fc}?#%".to_owned();
            vec![Call::Rest(RestCall::TrainingRun(id, AccessScope::Owned))]
        }
        _ => Vec::new(),
    }
}

fn delete(path: &str) -> Call {
    Call::Rest(RestCall::Delete(path.to_owned()))
}

fn train(work: Work) -> Call {
    Call::Train {
        model: "sess-0001:train:0".to_owned(),
        work,
    }
}

fn supervised(forward_only: bool) -> Pass {
    Pass {
        forward_only,
        loss: Loss::cross_entropy(),
        parts: vec![(1, vec![Datum::supervised(&[1], &[2])])],
    }
}

fn refused_pointer() -> Call {
    let mut pass = supervised(false);
    let data = pass.parts.iter_mut().flat_map(|(_, data)| data);
    data.for_each(|datum| datum.model_input.chunks = vec![pointer()]);
    train(Work::Pass(pass))
}

fn pointer() -> Chunk {
    Chunk::ImagePointer(AssetPointer {
        format: ImageFormat::Png,
        location: "https://x/y.png".to_owned(),
        expected_tokens: Some(1),
    })
}

/// Wait of the caller before the call of this index.
pub(crate) fn pause_before(name: &str, index: usize) -> Duration {
    match (name, index) {
        // Three concurrent samples, and two more while the server asked for fewer; 0 makes the sampler.
        ("sampling/backoff_429_concurrent", 4) => Duration::from_millis(300),
        _ => Duration::ZERO,
    }
}
