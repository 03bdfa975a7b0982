//! Making models: fresh ones, and from checkpoints.

use std::sync::Arc;

use tinker_transport::{Billing, Call, Class, Replay};
use tinker_types::{
    CheckpointKind, CheckpointPath, CreateModel, InvalidValue, LoadTarget, LoadWeights, LoraConfig,
    ModelId, SessionId, WeightsInfoRequest,
};
use tokio::time::Instant;

use crate::ask::ask;
use crate::board::Board;
use crate::core::Core;
use crate::error::{Error, StatusError};
use crate::guest::Guest;
use crate::line::Line;
use crate::options::{LoadOptions, TrainingOptions};
use crate::pending::Pending;
use crate::promise::Promise;
use crate::training::{MakesModel, TrainingClient};
use crate::waiting::WaitingFor;

/// A model with fresh adapters.
pub(super) fn fresh(
    core: &Arc<Core>,
    base_model: String,
    options: TrainingOptions,
) -> Pending<TrainingClient> {
    if let Err(error) = check_new_model(&base_model, &options) {
        return Pending::refused(error);
    }
    let method = "ServiceClient.create_lora_training_client";
    start(core, method, move |core, number, board| async move {
        let request = |session, number| {
            let mut request = CreateModel::new(session, number, &base_model, options.lora);
            request.optimizer_config = options.optimizer;
            request.user_metadata = Some(options.user_metadata).filter(|notes| !notes.is_empty());
            request
        };
        make(&core, number, request, &board).await
    })
}

/// A model with what a checkpoint holds.
pub(super) fn load(
    core: &Arc<Core>,
    options: LoadOptions,
    with_optimizer: bool,
) -> Pending<TrainingClient> {
    let path = match check_load(&options, with_optimizer) {
        Ok(path) => path,
        Err(error) => return Pending::refused(error),
    };
    let method = if with_optimizer {
        "ServiceClient.create_training_client_from_state_with_optimizer"
    } else {
        "ServiceClient.create_training_client_from_state"
    };
    start(core, method, move |core, number, board| async move {
        let request = |session_id, model_seq_id| {
            let target = LoadTarget::NewModel {
                session_id,
                model_seq_id,
            };
            let mut request = LoadWeights::new(target, &path);
            request.optimizer = with_optimizer;
            request.base_model.clone_from(&options.base_model);
            request.optimizer_config.clone_from(&options.optimizer);
            request
                .weights_access_token
                .clone_from(&options.access_token);
            let notes = options.user_metadata.clone();
            request.user_metadata = Some(notes).filter(|notes| !notes.is_empty());
            request
        };
        match make(&core, number, request, &board).await {
            Err(Error::Status(error)) if wants_a_model(&error) => {
                tracing::info!(
                    "the server loads checkpoints into models that are there only; making one first"
                );
                load_into_fresh(&core, number, &path, options, with_optimizer, &board).await
            }
            made => made,
        }
    })
}

/// Servers of an earlier time load into a model that exists.
fn wants_a_model(error: &StatusError) -> bool {
    let is_refusal = matches!(error.status().as_u16(), 400 | 422);
    is_refusal && error.request_id().is_none() && error.detail().contains("model_id")
}

/// The older way in three calls: what the checkpoint holds, a model like that, the load into it. The
/// first and the last carry the access token.
async fn load_into_fresh(
    core: &Arc<Core>,
    number: u64,
    path: &CheckpointPath,
    options: LoadOptions,
    with_optimizer: bool,
    board: &Board,
) -> Result<TrainingClient, Error> {
    let method = board.method();
    let guest = match &options.access_token {
        Some(token) => Some(Guest::new(core, core.link().await?, token)?),
        None => None,
    };
    let info = match &guest {
        Some(guest) => Box::pin(guest.weights_info(method, path)).await?,
        None => ask(core, method, WeightsInfoRequest::new(path)).await?,
    };
    let rank = info.lora_rank.ok_or_else(|| {
        let why = format!("{path} holds no adapters, or the server does not say of which rank");
        InvalidValue::new("path", why)
    })?;
    let mut lora = LoraConfig::new(rank);
    lora.train_unembed = info.train_unembed.unwrap_or(lora.train_unembed);
    lora.train_mlp = info.train_mlp.unwrap_or(lora.train_mlp);
    lora.train_attn = info.train_attn.unwrap_or(lora.train_attn);
    let base_model = options.base_model.unwrap_or(info.base_model);
    let request = |session, number| {
        let mut request = CreateModel::new(session, number, &base_model, lora);
        request.optimizer_config = options.optimizer.unwrap_or(info.optimizer_config);
        request.user_metadata = Some(options.user_metadata).filter(|notes| !notes.is_empty());
        request
    };
    let client = make(core, number, request, board).await?;
    let token = match &guest {
        Some(guest) => Some(guest.token().await?),
        None => None,
    };
    client
        .load_state(method, path, with_optimizer, token)
        .await?;
    Ok(client)
}

/// Takes the place of the session's next model, and sets off.
fn start<F>(
    core: &Arc<Core>,
    method: &'static str,
    work: impl FnOnce(Arc<Core>, u64, Board) -> F,
) -> Pending<TrainingClient>
where
    F: Future<Output = Result<TrainingClient, Error>> + Send + 'static,
{
    if let Err(error) = core.check_open() {
        return Pending::refused(error);
    }
    let number = core.next_model();
    let line = Line::new(format!("creation of model {number}"), core.news());
    let board = Board::new(method, &line, WaitingFor::Session);
    Pending::detached(board.clone(), work(Arc::clone(core), number, board))
}

/// Runs the operation that makes the session's model of this number.
async fn make<O>(
    core: &Arc<Core>,
    number: u64,
    request: impl FnOnce(SessionId, u64) -> O,
    board: &Board,
) -> Result<TrainingClient, Error>
where
    O: MakesModel + Send + Sync,
{
    let started = Instant::now();
    let (session, link) = core.session().await?;
    board.set(WaitingFor::Acceptance);
    // What a 402 means before there is a model is for the caller to decide.
    let call = Call::new(O::NAME, Class::Train)
        .with_caller(board.method())
        .with_replay(Replay::Safe)
        .with_billing(Billing::Raise);
    let request = request(session.clone(), number);
    let submitted = Box::pin(link.api.call(&request, call)).await?;
    let named = submitted.model_id.clone();
    let made: O::Output = Promise::of::<O>(submitted, started)
        .resolve(link, board)
        .await?;
    let model = O::model_of(made).or(named);
    let model = model.unwrap_or_else(|| ModelId::of_session(session, number));
    TrainingClient::open(Arc::clone(core), model, board.method()).await
}

fn check_new_model(base_model: &str, options: &TrainingOptions) -> Result<(), InvalidValue> {
    if base_model.is_empty() {
        return Err(InvalidValue::new(
            "base_model",
            "is empty; name one the server has",
        ));
    }
    options.lora.check().map_err(|error| error.within("lora"))
}

fn check_load(options: &LoadOptions, with_optimizer: bool) -> Result<CheckpointPath, InvalidValue> {
    let path: CheckpointPath = options
        .path
        .parse()
        .map_err(|error: InvalidValue| error.within("path"))?;
    if path.kind() != CheckpointKind::Training {
        let why = format!(
            "{path} cannot be trained on; give a training checkpoint, tinker://<run>/weights/<name>"
        );
        return Err(InvalidValue::new("path", why));
    }
    if with_optimizer && options.optimizer.is_some() {
        let why = "is set, but the optimizer comes with the checkpoint; use create_training_client_from_state";
        return Err(InvalidValue::new("optimizer", why));
    }
    Ok(path)
}

#[cfg(test)]
mod tests;
