//! Lists of checkpoints and changes to them.

use serde::Deserialize;
use serde_json::json;
use tinker_types::wire::header;
use tinker_types::{
    Checkpoint, CheckpointPath, Checkpoints, CopyWeights, Cursor, InvalidValue, WeightsCopied,
};

use super::body;
use super::call::Call;
use super::query::Query;
use super::response::{self, Response};
use crate::refusal::Refusal;
use crate::state::Copies;
use crate::store::{Access, Record, Store};
use crate::work::lifetime;

/// Most bytes of an idempotency key.
const LONGEST_KEY: usize = 256;

/// A checkpoint in the form of lists.
pub(super) fn listed(record: Record) -> Checkpoint {
    let mut checkpoint = Checkpoint::new(record.path.clone(), record.created);
    checkpoint.size_bytes = Some(record.size());
    checkpoint.expires_at = record.expires;
    checkpoint.public = record.public;
    checkpoint.base_model = Some(record.base_model);
    checkpoint.user_metadata = Some(record.user_metadata);
    checkpoint
}

fn page(records: Vec<Record>, cursor: Option<Cursor>) -> Response {
    let mut page = Checkpoints::default();
    page.checkpoints = records.into_iter().map(listed).collect();
    page.cursor = cursor;
    response::json(&page)
}

/// A list without pages.
pub(super) fn whole(records: Vec<Record>) -> Response {
    page(records, None)
}

pub(super) async fn list(call: &Call<'_>) -> Result<Response, Refusal> {
    let all = call.records().await?;
    let (records, cursor) = Query::parse(call.query).page(all, 100)?;
    Ok(page(records, Some(cursor)))
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Response, Refusal> {
    let path = call.checkpoint()?;
    call.ask_about(path, Access::Change, Store::remove).await?;
    Ok(response::json(&json!({})))
}

pub(super) async fn set_public(call: &Call<'_>, public: bool) -> Result<Response, Refusal> {
    let path = call.checkpoint()?;
    let change = move |store: &mut Store, path: &CheckpointPath| store.set_public(path, public);
    call.ask_about(path, Access::Change, change).await?;
    Ok(response::json(&json!({})))
}

#[derive(Deserialize)]
struct Ttl {
    ttl_seconds: Option<u64>,
}

pub(super) async fn set_lifetime(call: &Call<'_>) -> Result<Response, Refusal> {
    let path = call.checkpoint()?;
    let request: Ttl = body::json(&call.body)?;
    let lifetime = lifetime(request.ttl_seconds)?;
    let change = move |store: &mut Store, path: &CheckpointPath| store.set_lifetime(path, lifetime);
    call.ask_about(path, Access::Change, change).await?;
    Ok(response::json(&json!({})))
}

/// Copies a checkpoint. Requests with the same idempotency key make one copy.
pub(super) async fn copy(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: CopyWeights = body::json(&call.body)?;
    let source: CheckpointPath = request
        .source_path
        .parse()
        .map_err(|e: InvalidValue| e.within("source_path"))?;
    let lifetime = lifetime(request.ttl_seconds)?;
    call.check_notes()?;
    let key = call.headers.get(header::IDEMPOTENCY_KEY);
    let copied = match key.and_then(|key| key.to_str().ok()) {
        Some(key) if key.len() > LONGEST_KEY => {
            return Err(Refusal::invalid(format!(
                "{}: has {} bytes, {LONGEST_KEY} is the most",
                header::IDEMPOTENCY_KEY,
                key.len()
            )));
        }
        // Equal keys of two tenants are different requests.
        Some(key) => call
            .shared
            .copies
            .of(&format!("{} {key}", call.tenant.as_str())),
        None => Copies::default().of(""),
    };
    let (project, tenant) = (request.destination_project_id, call.tenant.clone());
    let tinker_path = copied
        .get_or_try_init(|| {
            call.operations
                .copy_checkpoint(source, project, lifetime, tenant)
        })
        .await?;
    Ok(response::json(&WeightsCopied {
        tinker_path: tinker_path.clone(),
    }))
}
