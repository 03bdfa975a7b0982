//! One model in training and the order of its operations.

use std::sync::Arc;

use serde_json::{Map, Value};
use tinker_transport::Class;
use tinker_transport::policy::Standard;
use tinker_types::{
    CreateModel, Endpoint as _, ForwardBackward, LoadWeights, Loss, LossFn, ModelCreated, ModelId,
    ModelInfo, Operation, WeightsLoaded,
};
use tokio::time::Instant;

use crate::error::Error;
use crate::operation::sequencer::{Sequencer, Turn};
use crate::operation::{group::Group, tracker::Tracker, waiting::WaitingFor};
use crate::promise::record::Promise;
use crate::retry::conflict::ConflictIsFinal;
use crate::session::{connection::Connection, lease::ModelLease, state::ClientState};
use crate::training::submit::{Outgoing, submit};
use crate::wire::request::repeatable;
use crate::wire::{codec::Output, extra::Extended};

/// Name of a loss that no server has.
const NO_LOSS: &str = "no_operation";

/// One model in training.
#[derive(Debug)]
pub(super) struct Training {
    pub(super) state: Arc<ClientState>,
    pub(super) info: ModelInfo,
    pub(super) sequencer: Arc<Sequencer>,
    pub(super) group: Arc<Group>,
    pub(super) lease: Arc<ModelLease>,
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
    /// Refuses work after the end of the session, or after a custom loss left a gap.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.state.check_open()?;
        Ok(self.sequencer.check()?)
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
        self.check()?;
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
