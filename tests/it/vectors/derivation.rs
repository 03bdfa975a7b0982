//! Derivation of the call that sends a recorded request.
//!
//! To add a client: move its routes from "not yet" to a function that turns the request into a
//! [`Call`].

mod admin;
mod derived;
mod query;
mod rest;
mod sampling;
mod service;
mod training;

use super::call::{Call, RestCall};
use super::exchange::Asked;
use super::message::Message;
pub(crate) use derived::Derived;
use derived::read;

/// Derives the origin of a recorded request. `named` is the public Python method that sent it.
pub(crate) fn derive(asked: &Asked, message: &Message) -> Result<Derived, String> {
    let named = asked.header("x-sdk-method").unwrap_or_default();
    let route = asked.route();
    match (asked.method.as_str(), &route[..]) {
        // Not a call: the target of a redirect, a signed address, start-up, polls.
        (
            _,
            []
            | ["client", _]
            | ["auth", "token"]
            | [
                "create_session"
                | "session_heartbeat"
                | "get_info"
                | "retrieve_future"
                | "cancel_future"
                | "join_sampling_session"
                | "retrieve_futures"
                | "telemetry",
            ],
        ) => Ok(Derived::FollowUp),
        ("GET", ["samplers", _]) if named.starts_with("ServiceClient") => Ok(Derived::FollowUp),

        ("GET", ["get_server_capabilities"]) if named.is_empty() => Ok(Call::CheckAccess.into()),
        ("GET", ["get_server_capabilities"]) if named.starts_with("RestClient") => {
            Ok(Call::Rest(RestCall::Capabilities).into())
        }
        ("GET", ["get_server_capabilities"]) => Ok(Call::Capabilities.into()),
        ("POST", ["create_model"]) => Ok(service::create_model(&read(message)?)),
        ("POST", ["load_weights"]) => Ok(service::load_weights(&read(message)?)),
        ("POST", ["create_sampling_session"]) => service::create_sampling_session(read(message)?),
        ("POST", ["sessions", _, "finish"]) => service::finish(read(message)?),

        ("POST", ["forward_backward"]) => match message {
            Message::Pass(pass) => Ok(training::pass(pass, named)),
            _ => Err("the body is no training request".to_owned()),
        },
        ("POST", ["optim_step"]) => training::optim_step(&read(message)?),
        ("POST", ["save_weights"]) => Ok(training::save_weights(&read(message)?)),
        ("POST", ["save_weights_for_sampler"]) => {
            Ok(training::save_weights_for_sampler(&read(message)?))
        }
        ("POST", ["save_weights_external"]) => Ok(training::save_weights_external(&read(message)?)),
        ("POST", ["create_custom_loss"]) => Ok(service::create_custom_loss(read(message)?)),

        ("POST", ["asample"]) => Ok(sampling::sample(read(message)?, named)),

        ("GET", ["training_runs"]) => rest::training_runs(asked),
        ("GET", ["training_runs", id]) => rest::training_run(asked, id, named),
        ("GET", ["training_runs", id, "checkpoints"]) => {
            Ok(Call::Rest(RestCall::CheckpointsOfRun((*id).to_owned())).into())
        }
        // An id with slashes, which the official client sends as parts of the path: which id it
        // was is known.
        ("GET", ["training_runs", _, part]) if *part != "checkpoints" => Ok(Derived::FollowUp),
        (method, ["training_runs", run, "checkpoints", kind, name, rest @ ..]) => {
            let path = format!("tinker://{run}/{kind}/{name}");
            rest::checkpoint(method, path, rest, message)
        }
        ("GET", ["checkpoints"]) => rest::checkpoints(asked),
        ("POST", ["copy_weights"]) => Ok(rest::copy_weights(read(message)?, asked, named)),
        ("POST", ["weights_info"]) => Ok(rest::weights_info(read(message)?)),
        ("GET", ["sessions"]) => rest::sessions(asked),
        ("GET", ["sessions", id]) => rest::session(asked, id),
        ("POST", ["sessions", "search"]) => Ok(rest::search_sessions(read(message)?)),
        ("PUT", ["sessions", id, "project"]) => rest::assign_project(id, message),
        ("GET", ["sessions", id, "trace_export"]) => {
            Ok(Call::Rest(RestCall::ExportTrace((*id).to_owned())).into())
        }
        ("GET", ["samplers", id]) => Ok(Call::Rest(RestCall::Sampler((*id).to_owned())).into()),
        ("GET", ["healthz"]) => Ok(Call::Rest(RestCall::Health).into()),

        ("GET", ["audit"]) => admin::audit_log(asked),
        ("GET", ["billing", "usage", "events"]) => admin::billing_usage(asked),
        ("GET", ["billing", "usage", "checkpoints", "current"]) => {
            Ok(admin::checkpoint_storage(asked))
        }
        (method, route) => Err(format!("no rule for {method} {}", route.join("/"))),
    }
}
