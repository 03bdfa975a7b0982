//! Checkpoints: lists, and what can be done with one.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tinker_types::{
    Checkpoint, CheckpointPath, Checkpoints, CopyWeights, Cursor, FinishReason, InvalidValue,
    ModelId, SessionId, SessionStatus, WeightsCopied,
};

use super::answer::{self, Answer};
use super::body;
use super::call::Call;
use super::query::Query;
use super::refusal::Refusal;
use super::route::Place;
use super::session::draw;
use crate::clock;
use crate::note::{Origin, RunNote, SessionNote};
use crate::state::Copies;
use crate::store::Record;

/// Longest lifetime of a checkpoint: ten years.
const MOST_LIFETIME: u64 = 10 * 366 * 24 * 3600;

/// Longest key of a request that is remembered.
const LONGEST_KEY: usize = 256;

/// A checkpoint as lists show it.
pub(super) fn listed(record: Record) -> Checkpoint {
    let mut checkpoint = Checkpoint::new(record.path.clone(), record.created);
    checkpoint.size_bytes = Some(record.size());
    checkpoint.expires_at = record.expires;
    checkpoint.public = record.public;
    checkpoint.user_metadata = Some(record.user_metadata);
    checkpoint
}

fn page(records: Vec<Record>, cursor: Option<Cursor>) -> Answer {
    let mut page = Checkpoints::default();
    page.checkpoints = records.into_iter().map(listed).collect();
    page.cursor = cursor;
    answer::json(&page)
}

/// A list that has no pages.
pub(super) fn whole(records: Vec<Record>) -> Answer {
    page(records, None)
}

pub(super) async fn list(call: &Call<'_>) -> Result<Answer, Refusal> {
    let all = call.shared.archive.ask(|store| Ok(store.list())).await?;
    let (records, cursor) = Query::parse(call.query).page(all, 100)?;
    Ok(page(records, Some(cursor)))
}

pub(super) async fn delete(call: &Call<'_>, place: &Place) -> Result<Answer, Refusal> {
    let path = place.path()?;
    call.shared
        .archive
        .ask(move |store| store.remove(&path))
        .await?;
    Ok(answer::json(&json!({})))
}

pub(super) async fn set_public(
    call: &Call<'_>,
    place: &Place,
    public: bool,
) -> Result<Answer, Refusal> {
    let path = place.path()?;
    call.shared
        .archive
        .ask(move |store| store.set_public(&path, public))
        .await?;
    Ok(answer::json(&json!({})))
}

#[derive(Deserialize)]
struct Ttl {
    ttl_seconds: Option<u64>,
}

pub(super) async fn set_lifetime(call: &Call<'_>, place: &Place) -> Result<Answer, Refusal> {
    let path = place.path()?;
    let request: Ttl = body::json(&call.body)?;
    let lifetime = lifetime(request.ttl_seconds)?;
    call.shared
        .archive
        .ask(move |store| store.set_lifetime(&path, lifetime))
        .await?;
    Ok(answer::json(&json!({})))
}

/// A lifetime in seconds, if it is one.
pub(super) fn lifetime(ttl_seconds: Option<u64>) -> Result<Option<Duration>, Refusal> {
    if let Some(seconds) = ttl_seconds.filter(|seconds| !(1..=MOST_LIFETIME).contains(seconds)) {
        return Err(Refusal::invalid(format!(
            "ttl_seconds: is {seconds}; give 1 to {MOST_LIFETIME}, or leave it out"
        )));
    }
    Ok(ttl_seconds.map(Duration::from_secs))
}

/// Copies a checkpoint into a project: as that of a run of its own, in a session of its own, which has ended.
pub(super) async fn copy(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: CopyWeights = body::json(&call.body)?;
    let source: CheckpointPath = request
        .source_path
        .parse()
        .map_err(|e: InvalidValue| e.within("source_path"))?;
    let lifetime = lifetime(request.ttl_seconds)?;
    body::check_notes(&call.body, &call.shared.limits)?;
    let key = call.headers.get("x-idempotency-key");
    let copied = match key.and_then(|key| key.to_str().ok()) {
        Some(key) if key.len() > LONGEST_KEY => {
            return Err(Refusal::invalid(format!(
                "x-idempotency-key: has {} bytes, {LONGEST_KEY} is the most",
                key.len()
            )));
        }
        Some(key) => call.shared.copies.of(key),
        None => Copies::default().of(""),
    };
    let project = request.destination_project_id;
    let tinker_path = copied
        .get_or_try_init(|| make_copy(call, source, project, lifetime))
        .await?;
    Ok(answer::json(&WeightsCopied {
        tinker_path: tinker_path.clone(),
    }))
}

async fn make_copy(
    call: &Call<'_>,
    source: CheckpointPath,
    project_id: Option<String>,
    lifetime: Option<Duration>,
) -> Result<CheckpointPath, Refusal> {
    let copy = call.shared.archive.ask(move |store| {
        let record = store.find(&source)?.clone();
        let session = SessionId::from(draw(|id| store.has_session(id)));
        let run = ModelId::of_session(&session, 0);
        let path = CheckpointPath::try_new(run.clone(), source.kind(), source.name())
            .unwrap_or_else(|_| source.clone());
        let mut session = SessionNote::new(session, clock::calendar());
        session.project_id = project_id;
        session.status = SessionStatus::ClientFinished {
            reason: FinishReason::Success,
            detail: Some(format!("a copy of {source}")),
        };
        let run = RunNote {
            id: run,
            base_model: record.base_model,
            lora_rank: record.adapter.rank,
            last_request: session.created,
            user_metadata: std::collections::BTreeMap::new(),
        };
        store.copy(&source, &path, lifetime)?;
        let origin = Origin { run, session };
        store.try_keep_origin(&origin);
        Ok((path, origin))
    });
    let (path, Origin { run, session }) = copy.await?;
    let mut catalog = call.shared.catalog();
    catalog.add_session(session);
    catalog.add_run(run);
    Ok(path)
}
