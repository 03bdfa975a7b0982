//! Creation of models: new ones, and from checkpoints.

use std::sync::Arc;

use serde_json::{Map, Value};
use tinker_transport::{Billing, Class};
use tinker_types::{
    CheckpointKind, CheckpointPath, CreateModel, GetWeightsInfo, InvalidValue, LoadTarget,
    LoadWeights, LoraConfig, ModelId, SessionId,
};
use tokio::time::Instant;

use crate::error::{Advice, Cause, Error, StatusError};
use crate::operation::{group::Group, pending::Pending, tracker::Tracker, waiting::WaitingFor};
use crate::promise::record::Promise;
use crate::session::{
    ask::ask, delegated::DelegatedAccess, lease::ModelLease, lost, record::Session,
    state::ClientState,
};
use crate::training::{
    client::TrainingClient, model::MakesModel, options::load::LoadOptions,
    options::training::TrainingOptions, restore::Restore,
};
use crate::wire::{extra::Extended, request::repeatable};

/// Number of lost sessions after which a creation fails.
const RENEWALS: u32 = 3;

/// Creates a model with new adapters.
pub(super) fn fresh(
    state: &Arc<ClientState>,
    base_model: String,
    options: TrainingOptions,
) -> Pending<TrainingClient> {
    if let Err(error) = check_new_model(&base_model, &options) {
        return Pending::refused(error);
    }
    let method = "ServiceClient.create_lora_training_client";
    start(state, method, move |state, place, tracker| async move {
        let request = |session, number| {
            let mut request = CreateModel::new(session, number, &base_model, options.lora.clone());
            request.optimizer_config.clone_from(&options.optimizer);
            request.user_metadata =
                Some(options.user_metadata.clone()).filter(|notes| !notes.is_empty());
            request
        };
        if options.lora.alpha.is_some() {
            check_alpha(&state).await?;
        }
        make(&state, place, request, &options.extra, None, &tracker).await
    })
}

/// Refuses a scaling on servers that would ignore it.
async fn check_alpha(state: &ClientState) -> Result<(), Error> {
    let connection = state.connection().await?;
    if connection.is_local {
        return Ok(());
    }
    let why = format!(
        "is an extension of the local server, which {} does not have; leave it out",
        connection.name
    );
    Err(InvalidValue::new("lora_config.alpha", why).into())
}

/// Creates a model from a checkpoint.
pub(super) fn load(
    state: &Arc<ClientState>,
    method: &'static str,
    options: LoadOptions,
    with_optimizer: bool,
) -> Pending<TrainingClient> {
    let path = match check_load(&options, with_optimizer) {
        Ok(path) => path,
        Err(error) => return Pending::refused(error),
    };
    let restore = Restore {
        options: options.clone(),
        with_optimizer,
    };
    start(state, method, move |state, place, tracker| async move {
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
        let from = Some(restore.clone());
        let made = make(
            &state,
            place.clone(),
            request,
            &options.extra,
            from,
            &tracker,
        );
        match made.await {
            Err(Error::Status(error)) if wants_a_model(&error) => {
                tracing::info!(
                    "the server loads checkpoints into existing models only; creating one first"
                );
                Box::pin(load_into_fresh(&state, place, &path, restore, &tracker)).await
            }
            made => made,
        }
    })
}

/// Whether the server is an older one that loads into existing models only.
fn wants_a_model(error: &StatusError) -> bool {
    let is_refusal = matches!(error.status().as_u16(), 400 | 422);
    is_refusal && error.request_id().is_none() && error.detail().contains("model_id")
}

/// Loads a checkpoint on an older server in three calls: read the weights info, create a matching model, load into it.
/// The first and the last one carry the access token.
async fn load_into_fresh(
    state: &Arc<ClientState>,
    place: Reserved,
    path: &CheckpointPath,
    restore: Restore,
    tracker: &Tracker,
) -> Result<TrainingClient, Error> {
    let method = tracker.method();
    let (options, with_optimizer) = (restore.options.clone(), restore.with_optimizer);
    let delegated = match &options.access_token {
        Some(token) => Some(DelegatedAccess::new(
            state,
            state.connection().await?,
            token,
        )?),
        None => None,
    };
    let info = match &delegated {
        Some(delegated) => Box::pin(delegated.weights_info(method, path)).await?,
        None => ask(state, method, GetWeightsInfo::new(path)).await?,
    };
    let rank = info.lora_rank.ok_or_else(|| {
        let why = format!("{path} has no adapters, or the server does not report their rank");
        InvalidValue::new("path", why)
    })?;
    let mut lora = LoraConfig::new(rank);
    lora.train_unembed = info.train_unembed.unwrap_or(lora.train_unembed);
    lora.train_mlp = info.train_mlp.unwrap_or(lora.train_mlp);
    lora.train_attn = info.train_attn.unwrap_or(lora.train_attn);
    let base_model = options.base_model.unwrap_or(info.base_model);
    let optimizer = options.optimizer.unwrap_or(info.optimizer_config);
    let notes = Some(options.user_metadata).filter(|notes| !notes.is_empty());
    let request = |session, number| {
        let mut request = CreateModel::new(session, number, &base_model, lora.clone());
        request.optimizer_config.clone_from(&optimizer);
        request.user_metadata.clone_from(&notes);
        request
    };
    let client = make(state, place, request, &Map::new(), Some(restore), tracker).await?;
    let token = match &delegated {
        Some(delegated) => Some(delegated.token().await?),
        None => None,
    };
    client
        .load_state(method, path, with_optimizer, token, options.extra)
        .await?;
    Ok(client)
}

/// A session and the number of a model in it.
type Reserved = (Arc<Session>, u64);

/// Reserves the number of the next model and starts the operation.
fn start<F>(
    state: &Arc<ClientState>,
    method: &'static str,
    work: impl FnOnce(Arc<ClientState>, Reserved, Tracker) -> F,
) -> Pending<TrainingClient>
where
    F: Future<Output = Result<TrainingClient, Error>> + Send + 'static,
{
    if let Err(error) = state.check_open() {
        return Pending::refused(error);
    }
    let session = state.session();
    let number = session.next_model();
    let group = Group::new(format!("creation of model {number}"), state.events());
    let tracker = Tracker::new(method, &group, WaitingFor::Session);
    let reserved = (session, number);
    Pending::detached(tracker.clone(), work(Arc::clone(state), reserved, tracker))
}

/// Runs the operation that creates a model, in a new session if its session turns out to be lost.
async fn make<O>(
    state: &Arc<ClientState>,
    (mut session, mut number): Reserved,
    request: impl Fn(SessionId, u64) -> O,
    extra: &Map<String, Value>,
    restore: Option<Restore>,
    tracker: &Tracker,
) -> Result<TrainingClient, Error>
where
    O: MakesModel + Send + Sync,
{
    let mut renewals = 0;
    loop {
        let reserved = (&session, number);
        let made = make_in(state, reserved, &request, extra, restore.clone(), tracker);
        match Box::pin(made).await {
            Err(Error::SessionLost(_)) if renewals < RENEWALS => renewals += 1,
            made => return made,
        }
        tracker.set(WaitingFor::Session);
        session = state.session();
        number = session.next_model();
    }
}

/// Runs the operation that creates the model with this number in a session.
async fn make_in<O>(
    state: &Arc<ClientState>,
    (session, number): (&Arc<Session>, u64),
    request: &impl Fn(SessionId, u64) -> O,
    extra: &Map<String, Value>,
    restore: Option<Restore>,
    tracker: &Tracker,
) -> Result<TrainingClient, Error>
where
    O: MakesModel + Send + Sync,
{
    let started = Instant::now();
    let (id, connection) = state.open(session).await?;
    lost::check(session, O::NAME)?;
    tracker.set(WaitingFor::Acceptance);
    // Before a model exists, the caller decides what to do about a 402.
    let call = tracker.identify(repeatable::<O>(Class::Train).with_billing(Billing::Raise));
    let request = request(id.clone(), number);
    let request = Extended {
        request: &request,
        extra,
    };
    let made = async {
        let submitted = Box::pin(connection.api.call(&request, call)).await?;
        let named = submitted.model_id.clone();
        let promise = Promise::of::<O>(submitted, started);
        let made: O::Output = promise.resolve(connection, tracker).await?;
        let model = O::model_of(made).or(named);
        let model = model.unwrap_or_else(|| ModelId::of_session(id, number));
        let lease = ModelLease::new(state, session, model.clone());
        TrainingClient::open(Arc::clone(state), model, lease, restore, tracker).await
    };
    match made.await {
        Ok(client) => Ok(client),
        Err(error) => {
            let error = lost::explained(session, connection, error).await;
            Err(with_places(session, error))
        }
    }
}

/// Adds the models that hold a place on the server to its refusal of another one.
fn with_places(session: &Session, error: Error) -> Error {
    let is_full = |text: &str| {
        let text = text.to_ascii_lowercase();
        let is_limit = [
            "maximum number",
            "max_lora_adapters",
            "too many",
            "which is the most",
        ];
        is_limit.iter().any(|sign| text.contains(sign))
            && ["adapter", "model"]
                .iter()
                .any(|thing| text.contains(thing))
    };
    let advice = || {
        let loaded = session.loaded_models().into_iter();
        let named = loaded.map(|(model, is_kept)| {
            let why = if is_kept {
                "kept for its sampler checkpoints"
            } else {
                "in use"
            };
            format!("{model} ({why})")
        });
        let named: Vec<String> = named.collect();
        let holders = if named.is_empty() {
            "other clients or earlier runs hold all places".to_owned()
        } else {
            format!("this client holds {}", named.join(", "))
        };
        format!("{holders}; free a place with ServiceClient::unload_model, or `tinker unload RUN`")
    };
    match error {
        Error::Status(error) if is_full(error.detail()) => {
            error.or_advice(Advice::new(Cause::Places, advice())).into()
        }
        Error::Failed(error) if is_full(error.message()) => error.with_advice(&advice()).into(),
        other => other,
    }
}

fn check_new_model(base_model: &str, options: &TrainingOptions) -> Result<(), InvalidValue> {
    if base_model.is_empty() {
        return Err(InvalidValue::new(
            "base_model",
            "is empty; use the name of a model of the server",
        ));
    }
    options.lora.check().map_err(|error| error.within("lora"))
}

fn check_load(options: &LoadOptions, with_optimizer: bool) -> Result<CheckpointPath, InvalidValue> {
    let path: CheckpointPath = options
        .path
        .parse()
        .map_err(|error: InvalidValue| error.within("path"))?;
    // An uploaded adapter is an external checkpoint, and has no optimizer state.
    let is_upload = path.kind() == CheckpointKind::External && !with_optimizer;
    if path.kind() != CheckpointKind::Training && !is_upload {
        let why = format!(
            "{path} is not a training checkpoint; use a path tinker://<run>/weights/<name>"
        );
        return Err(InvalidValue::new("path", why));
    }
    if with_optimizer && options.optimizer.is_some() {
        let why = "is set, but the optimizer is loaded from the checkpoint; use create_training_client_from_state";
        return Err(InvalidValue::new("optimizer", why));
    }
    Ok(path)
}

#[cfg(test)]
mod tests;
