//! Lists and searches of sessions.

use std::collections::HashMap;

use serde_json::json;
use tinker_types::{
    FinishReason, FinishStatus, SearchCursor, SearchSessions, SessionId, SessionInfo, SessionOwner,
    SessionStatus, Sessions, StatusFilter,
};

use super::body;
use super::call::Call;
use super::query::Query;
use super::response::{self, Response};
use crate::identity;
use crate::note::SessionNote;
use crate::refusal::Refusal;

/// Most sessions of one page.
const MOST: u32 = 200;

pub(super) fn list(call: &Call<'_>) -> Result<Response, Refusal> {
    let query = Query::parse(call.query);
    query.check_scope()?;
    let catalog = call.operations.catalog();
    let own = |session: &&SessionNote| call.tenant.owns(session.owner.as_ref());
    let all = catalog.sessions().into_iter().filter(own);
    let ids = all.map(|session| session.id.clone()).collect();
    let (sessions, _) = query.page(ids, 20)?;
    Ok(response::json(&Sessions { sessions }))
}

pub(super) fn info(call: &Call<'_>) -> Result<Response, Refusal> {
    Query::parse(call.query).check_scope()?;
    let id = SessionId::from(call.parameter());
    let catalog = call.operations.catalog();
    let session = catalog.session(&id);
    let own = session.filter(|session| call.tenant.owns(session.owner.as_ref()));
    let session = own.ok_or_else(|| {
        Refusal::not_found(format!(
            "session {id} is not known to this server and left no checkpoints here"
        ))
    })?;
    let mut info = SessionInfo::default();
    info.training_run_ids = catalog.runs_of(&id).map(|run| run.id.clone()).collect();
    info.sampler_ids.clone_from(&session.samplers);
    info.user_metadata = Some(session.metadata());
    info.display_name.clone_from(&session.display_name);
    Ok(response::json(&info))
}

pub(super) async fn search(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: SearchSessions = body::json(&call.body)?;
    check(&request)?;
    let mut stored: HashMap<SessionId, (u64, u64)> = HashMap::new();
    for record in call.records().await? {
        let session = record.path.run().session();
        let (count, bytes) = stored.entry(session).or_default();
        *count += 1;
        *bytes += record.size();
    }
    let catalog = call.operations.catalog();
    let mut found = catalog.sessions();
    found.retain(|session| call.tenant.owns(session.owner.as_ref()) && matches(&request, session));
    let is_last = found.len() <= request.limit as usize;
    found.truncate(request.limit as usize);
    let next = found.last().filter(|_| !is_last);
    let next = next.map(|session| SearchCursor {
        last_created_at: session.created,
        last_session_id: session.id.clone(),
    });
    let summary = |session: &&SessionNote| {
        let (count, bytes) = stored.get(&session.id).copied().unwrap_or_default();
        json!({
            "session_id": session.id,
            "created_at": session.created,
            "owner": identity::USER,
            "project_id": session.project(),
            "status": session.status,
            "checkpoints_count": count,
            "display_name": session.display_name,
            "user_metadata": session.metadata(),
            "checkpoint_storage_bytes": bytes,
        })
    };
    let sessions: Vec<_> = found.iter().map(summary).collect();
    Ok(response::json(
        &json!({ "sessions": sessions, "next_cursor": next }),
    ))
}

fn check(request: &SearchSessions) -> Result<(), Refusal> {
    if request.limit == 0 || request.limit > MOST {
        let limit = request.limit;
        return Err(Refusal::invalid(format!(
            "limit: is {limit}; give 1 to {MOST}"
        )));
    }
    if request.display_name.as_deref() == Some("") {
        return Err(Refusal::invalid("display_name: is empty; leave it out"));
    }
    if request.statuses.as_deref() == Some(&[]) {
        return Err(Refusal::invalid("statuses: is empty; leave it out"));
    }
    if let SessionOwner::User { owner_urns } = &request.owner
        && !(1..=10).contains(&owner_urns.len())
    {
        return Err(Refusal::invalid("owner.owner_urns: give 1 to 10 of them"));
    }
    Ok(())
}

fn matches(request: &SearchSessions, session: &SessionNote) -> bool {
    let is_after = |cursor: &SearchCursor| {
        (session.created, &session.id) < (cursor.last_created_at, &cursor.last_session_id)
    };
    let name = |wanted: &String| {
        let name = session.display_name.as_deref().unwrap_or_default();
        let name = name.to_lowercase();
        wanted
            .to_lowercase()
            .split_whitespace()
            .all(|word| name.contains(word))
    };
    // If both are given, one match is enough.
    let is_named = match (&request.session_id, &request.display_name) {
        (Some(id), Some(wanted)) => *id == session.id || name(wanted),
        (Some(id), None) => *id == session.id,
        (None, Some(wanted)) => name(wanted),
        (None, None) => true,
    };
    let project = session.project();
    let notes = session.metadata();
    let is_owned = match &request.owner {
        SessionOwner::User { owner_urns } => owner_urns.iter().any(|urn| urn == identity::USER),
        SessionOwner::Own | SessionOwner::Accessible => true,
    };
    request.cursor.as_ref().is_none_or(is_after)
        && is_named
        && is_owned
        && request
            .project_ids
            .as_ref()
            .is_none_or(|projects| projects.iter().any(|wanted| wanted == project))
        && request
            .user_metadata
            .iter()
            .all(|(key, value)| notes.get(key) == Some(value))
        && request
            .statuses
            .as_ref()
            .is_none_or(|filters| filters.iter().any(|filter| has(filter, &session.status)))
}

fn has(filter: &StatusFilter, status: &SessionStatus) -> bool {
    match (filter, status) {
        (StatusFilter::Active, SessionStatus::Active)
        | (StatusFilter::Cancelled, SessionStatus::Cancelled { .. })
        | (StatusFilter::Failed, SessionStatus::Failed { .. }) => true,
        (
            StatusFilter::ClientFinished { reasons },
            SessionStatus::ClientFinished { reason, .. },
        ) => {
            let word = match reason {
                FinishReason::Success => FinishStatus::Success,
                FinishReason::Errored => FinishStatus::Errored,
                FinishReason::Interrupted => FinishStatus::Interrupted,
            };
            reasons.as_ref().is_none_or(|words| words.contains(&word))
        }
        _ => false,
    }
}
