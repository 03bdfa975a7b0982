//! One model in training and the order of its operations.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tinker_transport::Class;
use tinker_transport::policy::Standard;
use tinker_types::{
    CheckpointPath, CreateModel, Endpoint as _, ForwardBackward, LoadWeights, Loss, LossFn,
    ModelCreated, ModelId, ModelInfo, Operation, WeightsLoaded,
};
use tokio::time::Instant;

use crate::error::{Error, Remedy, SessionLost};
use crate::operation::sequencer::{Sequencer, Turn};
use crate::operation::{group::Group, tracker::Tracker, waiting::WaitingFor};
use crate::promise::record::Promise;
use crate::retry::conflict::ConflictIsFinal;
use crate::session::{
    connection::Connection, lease::ModelLease, lost, record::Session, state::ClientState,
};
use crate::training::restore::Restore;
use crate::training::submit::{Outgoing, submit};
use crate::wire::request::repeatable;
use crate::wire::{codec::Output, extra::Extended};

/// Name of a loss that no server has.
const NO_LOSS: &str = "no_operation";

/// One model in training.
#[derive(Debug)]
pub(crate) struct Training {
    pub(crate) state: Arc<ClientState>,
    pub(super) info: ModelInfo,
    pub(super) sequencer: Arc<Sequencer>,
    pub(super) group: Arc<Group>,
    pub(super) lease: Arc<ModelLease>,
    pub(super) restore: Mutex<Option<Restore>>,
}

/// An operation that creates a model.
pub(crate) trait MakesModel: Operation<Output: Output> {
    /// Id of the model, if the result has it.
    fn model_of(made: Self::Output) -> Option<ModelId>;
}

impl MakesModel for CreateModel {
    fn model_of(made: ModelCreated) -> Option<ModelId> {
        Some(made.model_id)
    }
}

impl MakesModel for LoadWeights {
    fn model_of(made: WeightsLoaded) -> Option<ModelId> {
        made.model_id
    }
}

impl Training {
    /// Refuses work after the client was closed, after the loss of the session, or after a custom loss left a gap.
    pub(super) fn check(&self, operation: &'static str) -> Result<(), Error> {
        self.state.check_open()?;
        lost::check(self.session(), operation).map_err(|lost| self.with_checkpoint(lost))?;
        Ok(self.sequencer.check()?)
    }

    /// The session of the model.
    pub(super) fn session(&self) -> &Arc<Session> {
        self.lease.session()
    }

    /// The last training checkpoint.
    pub(crate) fn restore(&self) -> Option<Restore> {
        let restore = self.restore.lock().unwrap_or_else(PoisonError::into_inner);
        restore.clone()
    }

    /// Records a training checkpoint of the model.
    pub(super) fn saved(&self, path: &CheckpointPath) {
        let mut restore = self.restore.lock().unwrap_or_else(PoisonError::into_inner);
        *restore = Some(Restore::saved(path));
    }

    /// Replaces an error of an operation that the loss of the session explains.
    pub(super) async fn settled(&self, error: Error) -> Error {
        let Some(connection) = self.state.opened_connection() else {
            return error;
        };
        match Box::pin(lost::explained(self.session(), connection, error)).await {
            Error::SessionLost(lost) => self.with_checkpoint(lost).into(),
            error => error,
        }
    }

    fn with_checkpoint(&self, lost: SessionLost) -> SessionLost {
        let checkpoint = self.restore().and_then(|restore| restore.path());
        lost.with_remedy(Remedy::Renew(checkpoint))
    }

    /// Name of the base model, if the server reports it.
    pub(super) fn base_model(&self) -> Option<&str> {
        let data = self.info.model_data.model_name.as_deref();
        data.or(self.info.model_name.as_deref())
    }

    /// Closes gaps in the sequence ids, which would block all later operations. A gap is left by a request that the server
    /// did not receive. Each is filled with a pass that every server refuses or ignores: it has no data, and no such loss
    /// exists. If the server has counted the id, this is a repeat without effect.
    pub(super) async fn close_gaps(
        &self,
        connection: &Connection,
        tracker: &Tracker,
    ) -> Result<(), Error> {
        while let Some(seq_id) = self.sequencer.first_open() {
            let model = self.info.model_id.clone();
            let loss = Loss::new(LossFn::from_name(NO_LOSS));
            let outgoing = Outgoing {
                operation: ForwardBackward::NAME,
                tracker,
                pass: ForwardBackward::new(model, seq_id, Vec::new(), loss),
                part: 0..0,
                bytes: 100,
                by_url: false,
            };
            match submit(connection, outgoing).await {
                Err(error @ Error::Transport(_)) => return Err(error),
                Err(Error::Status(error)) if error.status().is_server_error() => {
                    return Err(error.into());
                }
                _ => self.sequencer.close(seq_id),
            }
        }
        Ok(())
    }

    /// Submits an operation in its turn and waits for its result.
    pub(super) async fn run<O>(
        &self,
        request: impl FnOnce(ModelId, u64) -> O,
        extra: &Map<String, Value>,
        turn: Turn,
        tracker: &Tracker,
    ) -> Result<O::Output, Error>
    where
        O: Operation<Output: Output> + Send + Sync,
    {
        let started = Instant::now();
        turn.begins().await;
        self.check(O::NAME)?;
        tracker.set(WaitingFor::Acceptance);
        let connection = self.state.connection().await?;
        Box::pin(self.close_gaps(connection, tracker)).await?;
        let seq_id = turn.take(1).start;
        let request = request(self.info.model_id.clone(), seq_id);
        let mut call = tracker.identify(repeatable::<O>(Class::Train));
        if O::REQUEST_TYPE.is_save() {
            call = call.with_policy(ConflictIsFinal(Standard::new()));
        }
        let request = Extended {
            request: &request,
            extra,
        };
        let submitted = connection.api.call(&request, call).await;
        let submitted = self.sequencer.note(seq_id, submitted)?;
        let mut promise = Promise::of::<O>(submitted, started);
        promise.behind = self.sequencer.refused();
        drop(turn);
        promise.resolve(connection, tracker).await
    }
}
