//! One model in training and the order of its operations.

use std::sync::Arc;

use serde_json::{Map, Value};
use tinker_transport::Class;
use tinker_transport::policy::Standard;
use tinker_types::{
    CreateModel, LoadWeights, ModelCreated, ModelId, ModelInfo, Operation, WeightsLoaded,
};
use tokio::time::Instant;

use crate::error::Error;
use crate::operation::sequencer::{Sequencer, Turn};
use crate::operation::{group::Group, tracker::Tracker, waiting::WaitingFor};
use crate::promise::record::Promise;
use crate::retry::conflict::ConflictIsFinal;
use crate::session::{lease::ModelLease, state::ClientState};
use crate::wire::request::repeatable;
use crate::wire::{codec::Output, extra::Extended};

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

    /// Submits an operation in its turn and waits for its result.
    pub(super) async fn run<O>(
        &self,
        request: O,
        extra: &Map<String, Value>,
        turn: Turn,
        tracker: &Tracker,
    ) -> Result<O::Output, Error>
    where
        O: Operation<Output: Output> + Send + Sync,
    {
        let started = Instant::now();
        let seq_id = turn.ids().start;
        turn.begins().await;
        self.check()?;
        tracker.set(WaitingFor::Acceptance);
        let connection = self.state.connection().await?;
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
