//! Sessions.

use serde::Deserialize;
use serde_json::json;
use tinker_types::{
    CreateSession, FinishSession, SessionCreated, SessionHeartbeat, SessionId, SessionStatus,
};

use super::answer::{self, Answer};
use super::body;
use super::call::Call;
use crate::audit::Entry;
use crate::note::SessionNote;
use crate::refusal::Refusal;

pub(super) async fn create(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: CreateSession = body::json(&call.body)?;
    call.check_notes()?;
    let id = call.operations.create_session(request).await?;
    let mut created = SessionCreated::new(id);
    if call.shared.is_temporary {
        created.info_message = Some(
            "checkpoints of this engine are removed when it stops; start it with a data folder to keep them".to_owned(),
        );
    }
    Ok(answer::json(&created))
}

pub(super) fn heartbeat(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: SessionHeartbeat = body::json(&call.body)?;
    call.operations.touch(&request.session_id)?;
    Ok(answer::json(&json!({ "type": "session_heartbeat" })))
}

pub(super) fn finish(call: &Call<'_>, id: String) -> Result<Answer, Refusal> {
    let request: FinishSession = body::json(&call.body)?;
    call.check_notes()?;
    let session = SessionId::from(id);
    call.operations.touch(&session)?;
    tracing::info!(%session, reason = ?request.reason, "the session ends");
    let status = SessionStatus::ClientFinished {
        reason: request.reason,
        detail: request.detail,
    };
    call.operations.end_session(&session, status);
    Ok(answer::json(&json!({})))
}

#[derive(Deserialize)]
struct Project {
    project_id: String,
}

/// Books a session on a project, which needs no making here.
pub(super) fn assign_project(call: &Call<'_>, id: String) -> Result<Answer, Refusal> {
    let Project { project_id } = body::json(&call.body)?;
    call.check_notes()?;
    if project_id.is_empty() {
        return Err(Refusal::invalid("project_id: is empty; give a name"));
    }
    let session = SessionId::from(id);
    let entry = Entry::new("project_assigned").with_detail("session_id", session.as_str());
    let entry = entry.with_detail("project_id", project_id.as_str());
    let change = |note: &mut SessionNote| note.project_id = Some(project_id);
    if !call.operations.change_session(&session, change) {
        return Err(Refusal::not_found(format!(
            "session {session} is not known to this server and left no checkpoints here"
        )));
    }
    call.operations.audit.note(entry);
    Ok(answer::json(&json!({})))
}
