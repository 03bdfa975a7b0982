//! Search of checkpoints.

use tinker_types::{
    CheckpointCursor, CheckpointType, FoundCheckpoints, SearchCheckpoints, SessionOwner,
};

use super::body;
use super::call::Call;
use super::checkpoint::listed;
use super::response::{self, Response};
use crate::identity;
use crate::refusal::Refusal;
use crate::store::Record;

/// Most checkpoints of one page.
const MOST: u32 = 200;

pub(super) async fn search(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: SearchCheckpoints = body::json(&call.body)?;
    if request.limit == 0 || request.limit > MOST {
        let limit = request.limit;
        return Err(Refusal::invalid(format!(
            "limit: is {limit}; give 1 to {MOST}"
        )));
    }
    let mut records = call.records().await?;
    {
        let catalog = call.operations.catalog();
        records.retain(|record| {
            let session = catalog.session(&record.path.run().session());
            let project = session.map_or(identity::PROJECT, |session| session.project());
            matches(&request, record, project)
        });
    }
    // The address identifies a checkpoint here.
    let key = |record: &Record| (record.created, record.path.to_string());
    records.sort_by_key(|record| std::cmp::Reverse(key(record)));
    if let Some(cursor) = &request.cursor {
        let last = (cursor.last_created_at, cursor.last_checkpoint_uuid.clone());
        records.retain(|record| key(record) < last);
    }
    let is_last = records.len() <= request.limit as usize;
    records.truncate(request.limit as usize);
    let next = records.last().filter(|_| !is_last);
    let next_cursor = next.map(|record| CheckpointCursor {
        last_created_at: record.created,
        last_checkpoint_uuid: record.path.to_string(),
    });
    let checkpoints = records.into_iter().map(listed).collect();
    Ok(response::json(&FoundCheckpoints {
        checkpoints,
        next_cursor,
    }))
}

fn matches(request: &SearchCheckpoints, record: &Record, project: &str) -> bool {
    let is_owned = match &request.owner {
        SessionOwner::User { owner_urns } => owner_urns.iter().any(|urn| urn == identity::USER),
        SessionOwner::Own | SessionOwner::Accessible => true,
    };
    let is_in = |wanted: &Option<Vec<String>>, value: &str| {
        wanted
            .as_ref()
            .is_none_or(|wanted| wanted.iter().any(|wanted| wanted == value))
    };
    let kind = CheckpointType::from(record.path.kind());
    let notes = &record.user_metadata;
    is_owned
        && is_in(&request.project_ids, project)
        && is_in(&request.base_models, &record.base_model)
        && request
            .checkpoint_type
            .as_ref()
            .is_none_or(|wanted| *wanted == kind)
        && request
            .user_metadata
            .iter()
            .all(|(key, value)| notes.get(key) == Some(value))
}
