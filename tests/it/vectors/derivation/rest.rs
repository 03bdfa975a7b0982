//! Requests behind methods of the REST client.

use std::time::Duration;

use serde_json::Value;
use tinker_types::{CopyWeights, GetWeightsInfo, SearchSessions};

use super::derived::{Derived, read};
use super::query;
use crate::vectors::call::{Call, Copy, RestCall};
use crate::vectors::exchange::Asked;
use crate::vectors::message::Message;

/// The header with the credential of another owner's checkpoint.
const ACCESS_TOKEN: &str = "x-tinker-weights-access-token";

pub(super) fn training_run(asked: &Asked, id: &str, named: &str) -> Result<Derived, String> {
    let call = if named.ends_with("by_tinker_path") {
        // Any checkpoint of the run will do: the request does not name it.
        RestCall::TrainingRunOf(format!("tinker://{id}/weights/any"))
    } else {
        RestCall::TrainingRun(id.to_owned(), query::access_scope(asked)?)
    };
    Ok(Call::Rest(call).into())
}

pub(super) fn training_runs(asked: &Asked) -> Result<Derived, String> {
    let project_id = query::text(asked, "project_id").map(str::to_owned);
    let scope = query::access_scope(asked)?;
    let call = RestCall::TrainingRuns(query::page(asked)?, scope, project_id);
    Ok(Call::Rest(call).into())
}

pub(super) fn checkpoints(asked: &Asked) -> Result<Derived, String> {
    Ok(Call::Rest(RestCall::Checkpoints(query::page(asked)?)).into())
}

/// Requests about one checkpoint.
pub(super) fn checkpoint(
    method: &str,
    path: String,
    rest: &[&str],
    message: &Message,
) -> Result<Derived, String> {
    let call = match (method, rest) {
        ("DELETE", []) => RestCall::Delete(path),
        ("POST", ["publish"]) => RestCall::Publish(path),
        ("DELETE", ["publish"]) => RestCall::Unpublish(path),
        ("GET", ["external_weights_urls"]) => RestCall::ExternalWeightsUrls(path),
        ("PUT", ["ttl"]) => {
            let ttl = read::<Value>(message)?["ttl_seconds"].as_u64();
            RestCall::SetTtl(path, ttl.map(Duration::from_secs))
        }
        _ => return Err(format!("no rule for {method} {path} {}", rest.join("/"))),
    };
    Ok(Call::Rest(call).into())
}

pub(super) fn copy_weights(request: CopyWeights, asked: &Asked, named: &str) -> Derived {
    let copy = Copy {
        source: request.source_path,
        project_id: request.destination_project_id,
        ttl: request.ttl_seconds.map(Duration::from_secs),
        access_token: asked.header(ACCESS_TOKEN).map(str::to_owned),
    };
    if named.starts_with("ServiceClient") {
        return Call::CopyOfService(copy).into();
    }
    Call::Rest(RestCall::Copy(copy)).into()
}

pub(super) fn weights_info(request: GetWeightsInfo) -> Derived {
    Call::Rest(RestCall::WeightsInfo(request.tinker_path)).into()
}

pub(super) fn sessions(asked: &Asked) -> Result<Derived, String> {
    let call = RestCall::Sessions(query::page(asked)?, query::access_scope(asked)?);
    Ok(Call::Rest(call).into())
}

pub(super) fn session(asked: &Asked, id: &str) -> Result<Derived, String> {
    let call = RestCall::Session(id.to_owned(), query::access_scope(asked)?);
    Ok(Call::Rest(call).into())
}

pub(super) fn search_sessions(query: SearchSessions) -> Derived {
    Call::Rest(RestCall::SearchSessions(query)).into()
}

pub(super) fn assign_project(id: &str, message: &Message) -> Result<Derived, String> {
    let project = message.text("project_id").ok_or("no project_id")?;
    Ok(Call::Rest(RestCall::AssignProject(id.to_owned(), project.to_owned())).into())
}
