//! Sessions.

use serde::Deserialize;
use serde_json::json;
use tinker_types::{
    CreateSession, Endpoint, FinishSession, SessionCreated, SessionHeartbeat, SessionId,
    SessionStatus,
};

use super::body;
use super::call::Call;
use super::response::{self, Response};
use crate::audit::Entry;
use crate::note::SessionNote;
use crate::refusal::Refusal;

pub(super) async fn create(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: CreateSession = body::json(&call.body)?;
    call.check_notes()?;
    let id = call
        .operations
        .create_session(request, &call.tenant)
        .await?;
    let mut created = SessionCreated::new(id);
    if call.shared.is_temporary {
        created.info_message = Some(
            "checkpoints of this engine are removed when it stops; start it with a data folder to keep them".to_owned(),
        );
    }
    created.warning_message = call.operations.substitutes.warning();
    Ok(response::json(&created))
}

pub(super) fn heartbeat(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: SessionHeartbeat = body::json(&call.body)?;
    call.check_session(&request.session_id)?;
    call.operations.touch(&request.session_id)?;
    Ok(response::json(&json!({ "type": SessionHeartbeat::NAME })))
}

pub(super) fn finish(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: FinishSession = body::json(&call.body)?;
    call.check_notes()?;
    let session = SessionId::from(call.parameter());
    call.check_session(&session)?;
    call.operations.touch(&session)?;
    tracing::info!(%session, reason = ?request.reason, "the session ends");
    let status = SessionStatus::ClientFinished {
        reason: request.reason,
        detail: request.detail,
    };
    call.operations.end_session(&session, status);
    Ok(response::json(&json!({})))
}

#[derive(Deserialize)]
struct Project {
    project_id: String,
}

/// Assigns a session to a project. Any name is a project.
pub(super) fn assign_project(call: &Call<'_>) -> Result<Response, Refusal> {
    let Project { project_id } = body::json(&call.body)?;
    call.check_notes()?;
    if project_id.is_empty() {
        return Err(Refusal::invalid("project_id: is empty; give a name"));
    }
    let session = SessionId::from(call.parameter());
    let entry = Entry::new("project_assigned").with_detail("session_id", session.as_str());
    let entry = entry.with_detail("project_id", project_id.as_str());
    let change = |note: &mut SessionNote| note.project_id = Some(project_id);
    if !call.is_own(&session) || !call.operations.change_session(&session, change) {
        return Err(Refusal::not_found(format!(
            "session {session} is not known to this server and left no checkpoints here"
        )));
    }
    call.operations.audit.note(entry);
    Ok(response::json(&json!({})))
}
