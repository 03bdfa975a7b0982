//! Passes without gradients on servers that may not know them.
//!
//! Such a pass is the message of a training pass with a flag. A server that does not know the flag adds gradients to the
//! model, and nothing in its answer shows it.

use std::sync::Arc;

use tinker_transport::Class;
use tinker_types::wire::route;
use tinker_types::{
    AdamParams, CreateModel, Datum, ForwardBackward, ForwardBackwardOutput, LoraConfig, Loss,
    ModelCreated, ModelId, OptimStep, OptimStepOutput, RequestType, UnloadModel,
};
use tokio::time::Instant;

use super::submit::{Outgoing, submit};
use crate::config::dialect::ForwardOnly;
use crate::error::{Closed, ConfigError, Error};
use crate::operation::tracker::Tracker;
use crate::promise::record::Promise;
use crate::session::connection::Connection;
use crate::session::form::ForwardForm;
use crate::session::lease::ModelLease;
use crate::session::memory::Memory;
use crate::session::record::Session;
use crate::session::state::ClientState;
use crate::wire::request::{Form, repeatable};

/// Large, so that gradients that were added by mistake change the outputs visibly.
const LEARNING_RATE: f64 = 0.05;
/// Rank of the throw-away model, if the rank of the model in training is not known.
const RANK: u32 = 8;
/// Smallest change of a log probability that counts as a changed model, and its multiple of the difference between two
/// equal passes.
const CHANGE: f32 = 1e-3;
const NOISE: f32 = 10.0;

/// The model in training.
pub(super) struct Subject<'a> {
    pub(super) state: &'a Arc<ClientState>,
    pub(super) session: &'a Arc<Session>,
    pub(super) connection: &'a Arc<Connection>,
    pub(super) base_model: Option<&'a str>,
    pub(super) rank: Option<u32>,
    pub(super) tracker: &'a Tracker,
}

/// Whether a pass without gradients goes to the URL for those. Tests an unknown server first.
pub(super) async fn goes_by_url(subject: &Subject<'_>) -> Result<bool, Error> {
    let connection = subject.connection;
    match connection.forward_only {
        ForwardOnly::Flag => return Ok(false),
        ForwardOnly::Url => return Ok(true),
        ForwardOnly::Auto if connection.is_trusted => return Ok(false),
        ForwardOnly::Auto | ForwardOnly::Tested => {}
    }
    if connection.learned.form() == Some(Form::Json) {
        return Ok(true);
    }
    let memory = connection.memory.as_ref();
    let find = async || {
        let form = Box::pin(test(subject)).await?;
        if let Some(memory) = memory {
            memory.keep(form);
        }
        Ok::<_, Error>(form)
    };
    let recall = || memory.and_then(Memory::recall);
    match connection.learned.forward(recall, find).await? {
        ForwardForm::Flag => Ok(false),
        ForwardForm::Url => Ok(true),
        ForwardForm::None => {
            let what = "this server ignores the flag of passes without gradients, and it has no route `forward`: \
                a forward pass would add gradients to the model";
            Err(ConfigError::new(what).into())
        }
    }
}

/// Tests the server on a throw-away model, which is unloaded afterwards.
async fn test(subject: &Subject<'_>) -> Result<ForwardForm, Error> {
    let because = |error: Error| {
        let what = "could not test on a throw-away model whether this server honours the flag of passes without \
            gradients; if it is known to, set Dialect::forward_only to ForwardOnly::Flag, or to ForwardOnly::Url if it \
            has a route `forward`";
        Error::from(ConfigError::new(what).because(error))
    };
    let trial = Trial::start(subject).await.map_err(because)?;
    let form = trial.find().await;
    trial.unload().await;
    let form = form.map_err(because)?;
    let server = &subject.connection.name;
    match form {
        ForwardForm::Flag => {
            tracing::debug!(%server, "the flag of passes without gradients is honoured");
        }
        ForwardForm::Url => {
            tracing::info!(%server, "passes without gradients go to the route `forward`");
        }
        ForwardForm::None => {
            tracing::warn!(%server, "the server ignores the flag of passes without gradients");
        }
    }
    Ok(form)
}

/// A throw-away model.
struct Trial<'a> {
    subject: &'a Subject<'a>,
    model: ModelId,
    /// Unloads the model if the test is given up in the middle.
    _lease: Arc<ModelLease>,
}

impl<'a> Trial<'a> {
    async fn start(subject: &'a Subject<'a>) -> Result<Self, Error> {
        let connection = subject.connection;
        let number = subject.session.next_model();
        let session = subject.session.id().ok_or_else(Closed::by_caller)?;
        let lora = LoraConfig::new(subject.rank.unwrap_or(RANK));
        let base = subject.base_model.unwrap_or_default();
        let request = CreateModel::new(session.clone(), number, base, lora);
        let call = subject
            .tracker
            .identify(repeatable::<CreateModel>(Class::Train));
        let started = Instant::now();
        let submitted = connection.api.call(&request, call).await?;
        let made: ModelCreated = Promise::of::<CreateModel>(submitted, started)
            .resolve(connection, subject.tracker)
            .await?;
        Ok(Self {
            subject,
            _lease: ModelLease::new(subject.state, subject.session, made.model_id.clone()),
            model: made.model_id,
        })
    }

    async fn find(&self) -> Result<ForwardForm, Error> {
        let first = self.forward(1, false).await?;
        let second = self.forward(2, false).await?;
        if self.subject.connection.learned.form() == Some(Form::Json) {
            return Ok(ForwardForm::Url);
        }
        let step = self.step(3).await?;
        let is_honoured = if let Some(norm) = gradient_norm(&step) {
            norm == 0.0
        } else {
            let after = self.forward(4, false).await?;
            let noise = distance(&first, &second);
            distance(&first, &after) <= CHANGE.max(NOISE * noise)
        };
        if is_honoured {
            return Ok(ForwardForm::Flag);
        }
        match self.forward(5, true).await {
            Ok(_) => Ok(ForwardForm::Url),
            Err(Error::Status(_)) => Ok(ForwardForm::None),
            Err(error) => Err(error),
        }
    }

    async fn forward(&self, seq_id: u64, by_url: bool) -> Result<ForwardBackwardOutput, Error> {
        let (connection, tracker) = (self.subject.connection, self.subject.tracker);
        let data = vec![Datum::supervised(&[1, 2, 3], &[4, 5, 6])];
        let pass = ForwardBackward::new(self.model.clone(), seq_id, data, Loss::cross_entropy())
            .with_forward_only(true);
        let started = Instant::now();
        let outgoing = Outgoing {
            operation: route::FORWARD,
            tracker,
            pass,
            part: 0..1,
            bytes: 100,
            by_url,
        };
        let submitted = submit(connection, outgoing).await?;
        let promise = Promise {
            operation: route::FORWARD,
            request_type: RequestType::Forward,
            request_id: submitted.request_id,
            started,
            accepted_after: started.elapsed(),
            behind: None,
        };
        promise.resolve(connection, tracker).await
    }

    async fn step(&self, seq_id: u64) -> Result<OptimStepOutput, Error> {
        let (connection, tracker) = (self.subject.connection, self.subject.tracker);
        let request = OptimStep::new(self.model.clone(), seq_id, AdamParams::new(LEARNING_RATE));
        let call = tracker.identify(repeatable::<OptimStep>(Class::Train));
        let started = Instant::now();
        let submitted = connection.api.call(&request, call).await?;
        Promise::of::<OptimStep>(submitted, started)
            .resolve(connection, tracker)
            .await
    }

    /// Releases the model. A server without the route releases it with the session.
    async fn unload(self) {
        self.subject.session.forget_model(&self.model);
        let request = UnloadModel::new(self.model.clone());
        let call = self
            .subject
            .tracker
            .identify(repeatable::<UnloadModel>(Class::Train));
        if let Err(error) = self.subject.connection.api.call_void(&request, call).await {
            tracing::debug!(%error, "the throw-away model was not unloaded");
        }
    }
}

/// The norm of the gradients, if the server reports it.
fn gradient_norm(step: &OptimStepOutput) -> Option<f64> {
    let metrics = step.metrics.as_ref()?;
    metrics
        .iter()
        .find(|(name, _)| name.contains("grad") && name.contains("norm"))
        .map(|(_, value)| *value)
}

/// The largest difference between the log probabilities of two passes.
fn distance(first: &ForwardBackwardOutput, second: &ForwardBackwardOutput) -> f32 {
    let (Some(first), Some(second)) = (first.logprobs(0), second.logprobs(0)) else {
        return f32::INFINITY;
    };
    let differences = first.iter().zip(second).map(|(one, two)| (one - two).abs());
    differences.fold(0.0, f32::max)
}
