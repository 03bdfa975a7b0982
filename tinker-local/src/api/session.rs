//! Sessions.

use serde::Deserialize;
use serde_json::json;
use tinker_types::{
    CreateSession, FinishSession, SessionCreated, SessionHeartbeat, SessionId, SessionStatus,
};

use super::answer::{self, Answer};
use super::body;
use super::call::Call;
use super::refusal::Refusal;
use crate::audit::Entry;
use crate::clock;
use crate::note::SessionNote;
use crate::shared::Shared;
use crate::state::Full;

pub(super) async fn create(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: CreateSession = body::json(&call.body)?;
    let shared = call.shared;
    body::check_notes(&call.body, &shared.limits)?;
    let most = shared.limits.sessions;
    if shared.registry().session_count() >= most {
        return Err(Full(format!(
            "{most} sessions are open, which is the most; finish one, or wait until one was silent for too long"
        ))
        .into());
    }
    // Run ids begin with the session's, and checkpoints outlive the process: an id must be new to the data folder.
    let id = shared
        .archive
        .ask(|store| Ok(draw(|id| store.has_session(id))))
        .await?;
    let id = SessionId::from(id);
    shared.registry().open(id.clone(), clock::now());
    let mut note = SessionNote::new(id.clone(), clock::calendar());
    note.tags = request.tags;
    note.user_metadata = request.user_metadata;
    note.project_id = request.project_id;
    note.display_name = request.display_name;
    shared.catalog().add_session(note);
    let entry = Entry::new("session_created").with_detail("session_id", id.as_str());
    shared
        .audit
        .note(entry.with_detail("sdk_version", request.sdk_version));
    let mut created = SessionCreated::new(id);
    if shared.is_temporary {
        created.info_message = Some(
            "checkpoints of this engine are removed when it stops; start it with a data folder to keep them".to_owned(),
        );
    }
    Ok(answer::json(&created))
}

/// An id for a session.
pub(super) fn draw(is_taken: impl Fn(&str) -> bool) -> String {
    loop {
        let id = format!("s-{:012x}", fastrand::u64(..1 << 48));
        if !is_taken(&id) {
            return id;
        }
    }
}

pub(super) fn heartbeat(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: SessionHeartbeat = body::json(&call.body)?;
    touch(call.shared, &request.session_id)?;
    Ok(answer::json(&json!({ "type": "session_heartbeat" })))
}

/// Notes a sign of life of a session.
pub(super) fn touch(shared: &Shared, session: &SessionId) -> Result<(), Refusal> {
    let touched = shared.registry().touch(session, clock::now());
    touched.map_err(|absent| Refusal::absent("session", session.as_str(), absent))
}

pub(super) fn finish(call: &Call<'_>, id: String) -> Result<Answer, Refusal> {
    let request: FinishSession = body::json(&call.body)?;
    body::check_notes(&call.body, &call.shared.limits)?;
    let session = SessionId::from(id);
    touch(call.shared, &session)?;
    tracing::info!(%session, reason = ?request.reason, "the session ends");
    let status = SessionStatus::ClientFinished {
        reason: request.reason,
        detail: request.detail,
    };
    call.shared.end_session(&session, status);
    Ok(answer::json(&json!({})))
}

#[derive(Deserialize)]
struct Project {
    project_id: String,
}

/// Books a session on a project, which needs no making here.
pub(super) fn assign_project(call: &Call<'_>, id: String) -> Result<Answer, Refusal> {
    let Project { project_id } = body::json(&call.body)?;
    body::check_notes(&call.body, &call.shared.limits)?;
    if project_id.is_empty() {
        return Err(Refusal::invalid("project_id: is empty; give a name"));
    }
    let session = SessionId::from(id);
    let entry = Entry::new("project_assigned").with_detail("session_id", session.as_str());
    let entry = entry.with_detail("project_id", project_id.as_str());
    let change = |note: &mut SessionNote| note.project_id = Some(project_id);
    if !call.shared.change_session(&session, change) {
        return Err(Refusal::not_found(format!(
            "session {session} is not known to this server and left no checkpoints here"
        )));
    }
    call.shared.audit.note(entry);
    Ok(answer::json(&json!({})))
}
