//! Sessions.

use serde_json::json;
use tinker_types::{CreateSession, FinishSession, SessionCreated, SessionHeartbeat, SessionId};

use super::answer::{self, Answer};
use super::body;
use super::dispatch::Call;
use super::refusal::Refusal;
use crate::clock;
use crate::shared::Shared;

pub(super) async fn create(call: &Call<'_>) -> Result<Answer, Refusal> {
    let _request: CreateSession = body::json(&call.body)?;
    let shared = call.shared;
    // Run ids begin with the session's, and checkpoints outlive the process: an id must be new to the data folder.
    let id = shared
        .archive
        .ask(|store| Ok(draw(|id| store.has_session(id))))
        .await?;
    let id = SessionId::from(id);
    shared.registry().open(id.clone(), clock::now());
    let mut created = SessionCreated::new(id);
    if shared.is_temporary {
        created.info_message = Some(
            "checkpoints of this engine are removed when it stops; start it with a data folder to keep them".to_owned(),
        );
    }
    Ok(answer::json(&created))
}

fn draw(is_taken: impl Fn(&str) -> bool) -> String {
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
    let session = SessionId::from(id);
    touch(call.shared, &session)?;
    tracing::info!(%session, reason = ?request.reason, "the session ends");
    call.shared.end_session(&session);
    Ok(answer::json(&json!({})))
}
