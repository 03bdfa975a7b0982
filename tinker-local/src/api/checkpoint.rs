//! Lists of checkpoints.

use tinker_types::{Checkpoint, Checkpoints, Cursor, ModelId};

use super::answer::{self, Answer};
use super::dispatch::Call;
use super::refusal::Refusal;
use crate::store::Record;

fn listed(record: Record) -> Checkpoint {
    let mut checkpoint = Checkpoint::new(record.path.clone(), record.created);
    checkpoint.size_bytes = Some(record.size());
    checkpoint.expires_at = record.expires;
    checkpoint.user_metadata = Some(record.user_metadata);
    checkpoint
}

fn page(checkpoints: Vec<Checkpoint>, cursor: Option<Cursor>) -> Answer {
    let mut page = Checkpoints::default();
    page.checkpoints = checkpoints;
    page.cursor = cursor;
    answer::json(&page)
}

pub(super) async fn list(call: &Call<'_>) -> Result<Answer, Refusal> {
    let (limit, offset) = (
        number(call.query, "limit", 100)?,
        number(call.query, "offset", 0)?,
    );
    let all = call.shared.archive.ask(|store| Ok(store.list())).await?;
    let cursor = Cursor {
        offset: offset as u64,
        limit: limit as u64,
        total_count: all.len() as u64,
    };
    Ok(page(
        all.into_iter()
            .skip(offset)
            .take(limit)
            .map(listed)
            .collect(),
        Some(cursor),
    ))
}

pub(super) async fn list_run(call: &Call<'_>, id: String) -> Result<Answer, Refusal> {
    let run = ModelId::from(id);
    let is_in_training = call.shared.registry().model_at_work(&run).is_some();
    let wanted = run.clone();
    let of_run = call.shared.archive.ask(move |store| {
        Ok(store
            .list()
            .into_iter()
            .filter(|record| *record.path.run() == wanted)
            .map(listed)
            .collect::<Vec<_>>())
    });
    let checkpoints = of_run.await?;
    if checkpoints.is_empty() && !is_in_training {
        return Err(Refusal::not_found(format!(
            "training run {run} is not known to this server and has no checkpoints here"
        )));
    }
    Ok(page(checkpoints, None))
}

fn number(query: Option<&str>, name: &str, default: usize) -> Result<usize, Refusal> {
    let pairs = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    match pairs.into_iter().find(|(key, _)| *key == name) {
        None => Ok(default),
        Some((_, text)) => text
            .parse()
            .map_err(|_| Refusal::invalid(format!("{name}: {text:?} is no whole number"))),
    }
}
