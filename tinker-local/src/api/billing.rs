//! Usage and storage reports. All prices are 0.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tinker_types::{CheckpointStorage, SessionId, StorageEntry};

use super::call::Call;
use super::query::Query;
use super::response::{self, Response};
use crate::refusal::Refusal;
use crate::usage::Count;
use crate::{clock, identity};

/// Bytes of a gigabyte, as the service counts it.
const GIGABYTE: f64 = 1e9;

/// Tokens and checkpoints by the hour. Storage is not metered; [`storage`] reports the current state.
pub(super) fn usage(call: &Call<'_>) -> Result<Response, Refusal> {
    let query = Query::parse(call.query);
    let (from, to) = (time(&query, "starting_on")?, time(&query, "ending_before")?);
    if from >= to {
        return Err(Refusal::invalid(
            "ending_before: is not after starting_on; give a later time",
        ));
    }
    let mut counts = call.operations.usage.between(from, to);
    counts.retain(|count| call.is_own(&count.session));
    let catalog = call.operations.catalog();
    let first = call
        .operations
        .models()
        .next()
        .map(|info| info.name.clone());
    let first = first.unwrap_or_default();
    let event = |count: &Count| {
        let project = catalog
            .session(&count.session)
            .map_or(identity::PROJECT, |session| session.project());
        // Counts are kept by session. If it trained several models, the first stands for all.
        let run = catalog.runs_of(&count.session).next();
        let base_model = run.map_or(first.as_str(), |run| &run.base_model);
        json!({
            "bucket_start": count.from,
            "bucket_end": count.to,
            "base_model": base_model,
            "user_id": identity::USER,
            "user_name": identity::NAME,
            "session_id": count.session,
            "project_id": project,
            "estimated_cost_usd": 0.0,
            "effective_rate_usd_per_million_tokens": 0.0,
            "effective_rate_usd_per_gigabyte_month": null,
            "event_info": count.kind.usage(count.amount),
        })
    };
    let sessions: BTreeSet<&SessionId> = counts.iter().map(|count| &count.session).collect();
    let sessions = sessions.into_iter().filter_map(|id| {
        let session = catalog.session(id)?;
        Some((
            id.to_string(),
            json!({ "user_metadata": session.user_metadata }),
        ))
    });
    Ok(response::json(&json!({
        "data": counts.iter().map(event).collect::<Vec<Value>>(),
        "sessions": sessions.collect::<BTreeMap<_, _>>(),
        "cost_data_through": clock::calendar(),
    })))
}

/// A time, or a date, which means its start in UTC.
fn time(query: &Query, name: &str) -> Result<Timestamp, Refusal> {
    let text = query.required(name)?;
    let without_offset = || {
        let time: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(time).ok()
    };
    text.parse()
        .ok()
        .or_else(without_offset)
        .ok_or_else(|| Refusal::invalid(format!("{name}: {text:?} is not an ISO 8601 time")))
}

/// Stored checkpoints of each project.
pub(super) async fn storage(call: &Call<'_>) -> Result<Response, Refusal> {
    let query = Query::parse(call.query);
    let wanted = query.text("project_id");
    let records = call.records().await?;
    let mut projects: BTreeMap<String, StorageEntry> = BTreeMap::new();
    let catalog = call.operations.catalog();
    for record in &records {
        let session = catalog.session(&record.path.run().session());
        let project = session.map_or(identity::PROJECT, |session| session.project());
        if wanted.is_some_and(|wanted| wanted != project) {
            continue;
        }
        let entry = projects.entry(project.to_owned()).or_default();
        entry.checkpoint_count += 1;
        entry.size_bytes += record.size();
    }
    let mut storage = CheckpointStorage::default();
    storage.effective_rate_usd_per_gigabyte_month = Some(0.0);
    storage.data = projects
        .into_iter()
        .map(|(project, mut entry)| {
            entry.project_id = Some(project);
            entry.org_user_urn = Some(identity::USER.to_owned());
            entry.user_email = Some(identity::EMAIL.to_owned());
            entry.user_name = Some(identity::NAME.to_owned());
            entry.size_gigabytes = entry.size_bytes as f64 / GIGABYTE;
            entry.estimated_monthly_cost_usd = Some(0.0);
            entry
        })
        .collect();
    Ok(response::json(&storage))
}
