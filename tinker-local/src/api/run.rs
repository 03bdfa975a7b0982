//! Lists of training runs.

use tinker_types::{CheckpointKind, ModelId, TrainingRun, TrainingRuns};

use super::call::Call;
use super::checkpoint::{listed, whole};
use super::query::Query;
use super::response::{self, Response};
use crate::identity;
use crate::note::RunNote;
use crate::refusal::Refusal;
use crate::store::{Access, Record};
use crate::work::Operations;

pub(super) async fn list(call: &Call<'_>) -> Result<Response, Refusal> {
    let query = Query::parse(call.query);
    query.check_scope()?;
    let records = call.records().await?;
    let project = query.text("project_id");
    let runs: Vec<RunNote> = call
        .operations
        .catalog()
        .runs()
        .into_iter()
        .filter(|(_, session)| {
            let of_run = session.map_or(identity::PROJECT, |session| session.project());
            let own = session.map_or(call.tenant.is_anyone(), |session| {
                call.tenant.owns(session.owner.as_ref())
            });
            own && project.is_none_or(|project| project == of_run)
        })
        .map(|(run, _)| run.clone())
        .collect();
    let (page, cursor) = query.page(runs, 20)?;
    let training_runs = page
        .iter()
        .map(|run| training_run(call.operations, run, &records))
        .collect();
    Ok(response::json(&TrainingRuns {
        training_runs,
        cursor,
    }))
}

pub(super) async fn info(call: &Call<'_>) -> Result<Response, Refusal> {
    Query::parse(call.query).check_scope()?;
    let id = ModelId::from(call.parameter());
    let records = call.records().await?;
    let run = call.operations.catalog().run(&id).cloned();
    let run = run.filter(|run| call.is_own(&run.id.session()));
    let run = run.ok_or_else(|| unknown(&id))?;
    Ok(response::json(&training_run(
        call.operations,
        &run,
        &records,
    )))
}

pub(super) async fn checkpoints(call: &Call<'_>) -> Result<Response, Refusal> {
    let id = ModelId::from(call.parameter());
    let (wanted, tenant) = (id.clone(), call.tenant.clone());
    let records = call.ask(move |store| {
        let mut records = store.list();
        records
            .retain(|record| *record.path.run() == wanted && record.allows(&tenant, Access::Read));
        Ok(records)
    });
    let records = records.await?;
    let is_own = || call.is_own(&id.session()) && call.operations.catalog().run(&id).is_some();
    if records.is_empty() && !is_own() {
        return Err(unknown(&id));
    }
    Ok(whole(records))
}

fn unknown(id: &ModelId) -> Refusal {
    Refusal::not_found(format!(
        "training run {id} is not known to this server and has no checkpoints here"
    ))
}

/// A run in the form of lists. `records` are all checkpoints, newest first.
fn training_run(operations: &Operations, run: &RunNote, records: &[Record]) -> TrainingRun {
    let newest = |kind| {
        let of_run = |record: &&Record| *record.path.run() == run.id && record.path.kind() == kind;
        records.iter().find(of_run).cloned().map(listed)
    };
    let mut shown = TrainingRun::new(
        run.id.clone(),
        &run.base_model,
        identity::USER,
        run.last_request,
    );
    shown.lora_rank = u32::try_from(run.lora_rank).ok();
    let mut registry = operations.registry();
    shown.corrupted = registry
        .model_at_work(&run.id)
        .is_some_and(|model| model.fault.is_some());
    shown.last_checkpoint = newest(CheckpointKind::Training);
    shown.last_sampler_checkpoint = newest(CheckpointKind::Sampler);
    shown.user_metadata = Some(run.metadata()).filter(|notes| !notes.is_empty());
    shown
}
