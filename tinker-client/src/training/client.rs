//! `TrainingClient`: training of one model.

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};
use tinker_transport::{BoxError, Class};
use tinker_types::{
    AccessToken, CheckpointPath, Datum, Endpoint, ForwardBackward, ForwardBackwardOutput, GetInfo,
    LoadTarget, LoadWeights, Loss, LossFn, ModelId, ModelInfo, Operation, OptimParams, OptimStep,
    OptimStepOutput, WeightsLoaded, wire::route,
};

use super::model::Training;
use super::restore::Restore;
use super::{custom, fault, passes};
use crate::custom_loss::{handle::LossHandle, value::CustomLoss};
use crate::error::Error;
use crate::operation::{group::Group, pending::Pending, tracker::Tracker, waiting::WaitingFor};
use crate::session::{lease::ModelLease, state::ClientState};
use crate::wire::request::repeatable;
use crate::wire::{codec::Output, console};

/// Trains one model.
///
/// Every method returns at once with a [`Pending`] that is already in flight. Operations reach the server in the order of
/// the calls, so several can be started one after the other and awaited later, which keeps the server busy. An operation
/// is sent when the one before was accepted or has finally failed.
///
/// Dropping a `Pending` does not stop its operation: a gap in the order would block all later operations.
///
/// Cheap to clone; clones share the model and its order. Get one from
/// [`ServiceClient`](crate::ServiceClient).
///
/// # Panics
/// Methods that start an operation panic outside of a tokio runtime. Programs without one use the clients of the feature
/// `blocking`.
#[derive(Debug, Clone)]
pub struct TrainingClient {
    pub(crate) inner: Arc<Training>,
}

impl TrainingClient {
    /// A client for a new model.
    pub(crate) async fn open(
        state: Arc<ClientState>,
        model: ModelId,
        lease: Arc<ModelLease>,
        restore: Option<Restore>,
        tracker: &Tracker,
    ) -> Result<Self, Error> {
        let connection = state.connection().await?;
        let call = tracker.identify(repeatable::<GetInfo>(Class::Train));
        let info = connection.api.call(&GetInfo::new(model), call).await?;
        let inner = Training {
            group: Group::with_id(
                Arc::clone(tracker.group().id()),
                format!("training of {}", info.model_id),
                state.events(),
            ),
            sequencer: Arc::default(),
            info,
            lease,
            restore: Mutex::new(restore),
            state,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Loads a checkpoint into this model, for older servers.
    pub(crate) fn load_state(
        &self,
        method: &'static str,
        path: &CheckpointPath,
        with_optimizer: bool,
        access_token: Option<AccessToken>,
        extra: Map<String, Value>,
    ) -> Pending<WeightsLoaded> {
        let path = path.clone();
        self.operate(
            method,
            extra,
            move |model_id, seq_id| {
                let target = LoadTarget::Existing { model_id, seq_id };
                let mut request = LoadWeights::new(target, &path);
                request.optimizer = with_optimizer;
                request.weights_access_token = access_token;
                request
            },
            |loaded, _| Ok(loaded),
        )
    }

    /// Information about the model: base model, tokenizer, rank.
    ///
    #[doc = setup!(training)]
    /// assert_eq!(training.info().model_data.model_name.as_deref(), Some("tinker-local/tiny"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn info(&self) -> &ModelInfo {
        &self.inner.info
    }

    /// Id of the model, which is also the id of the training run.
    ///
    #[doc = setup!(training)]
    /// assert_eq!(training.model_id(), &training.info().model_id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn model_id(&self) -> &ModelId {
        &self.inner.info.model_id
    }

    /// Runs a forward pass and returns losses and log probabilities. Gradients are not changed.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::{Datum, Loss};
    ///
    /// let data = vec![Datum::supervised(&[72, 105], &[33])];
    /// let output = training.forward(data, Loss::cross_entropy()).await?;
    /// assert_eq!(output.logprobs(0).map(<[f32]>::len), Some(2));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`forward_backward`](Self::forward_backward).
    pub fn forward(
        &self,
        data: impl Into<Arc<[Datum]>>,
        loss: Loss,
    ) -> Pending<ForwardBackwardOutput> {
        self.pass(data.into(), loss, true)
    }

    /// Runs a forward and a backward pass and accumulates the gradients of the loss.
    /// [`optim_step`](Self::optim_step) applies them.
    ///
    /// A large batch is sent in several requests, split by number of data and by bytes; the results are combined in
    /// order.
    ///
    /// An [`optim_step`](Self::optim_step) that was submitted behind a pass is done even if the pass fails: without
    /// gradients, but with the moments of earlier steps, which move the weights.
    /// [`train_step`](Self::train_step) submits both and does not send the step if the pass is refused.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::{AdamParams, Datum, Loss};
    ///
    /// let data = vec![Datum::supervised(&[72, 105], &[33])];
    /// // Both are in flight before either is awaited.
    /// let pass = training.forward_backward(data, Loss::cross_entropy());
    /// let step = training.optim_step(AdamParams::new(1e-3));
    /// assert!(pass.await?.loss_sum().is_some());
    /// step.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Data that does not fit the loss, before anything is sent; see [`Loss::check`].
    /// [`Error::Partly`] if some of several requests failed.
    pub fn forward_backward(
        &self,
        data: impl Into<Arc<[Datum]>>,
        loss: Loss,
    ) -> Pending<ForwardBackwardOutput> {
        self.pass(data.into(), loss, false)
    }

    fn pass(
        &self,
        data: Arc<[Datum]>,
        loss: Loss,
        forward_only: bool,
    ) -> Pending<ForwardBackwardOutput> {
        if let Err(error) = fault::check_small(&loss, &data) {
            return Pending::refused(error);
        }
        let named = if forward_only {
            (route::FORWARD, "TrainingClient.forward")
        } else {
            (ForwardBackward::NAME, "TrainingClient.forward_backward")
        };
        passes::start(&self.inner, named, data, loss, forward_only)
    }

    /// Accumulates the gradients of a custom loss, a function of the log probabilities of the targets.
    ///
    /// Each datum needs dense `target_tokens`; its other inputs are for the function. First a forward pass is run. Then
    /// `loss` is called once, on the blocking pool, with the data and the log probabilities of each datum's targets,
    /// row-major, and returns the loss with its gradients;
    /// [`autodiff::differentiate`](crate::autodiff::differentiate) computes these automatically. Then a backward pass is
    /// run under cross entropy, with weights that have these gradients. The output is that of the second pass:
    /// `loss:sum` is the custom loss, `surrogate_loss:sum` the cross entropy of the second pass, and the metrics of the
    /// function are added.
    ///
    /// The sequence ids of both passes are reserved at the call, so later operations wait for the function.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::{CustomLoss, Datum, InvalidValue};
    ///
    /// // The mean of the squares, with its gradient.
    /// let squares = |_: &[Datum], logprobs: &[Vec<f32>]| {
    ///     let count = logprobs.iter().map(Vec::len).sum::<usize>() as f32;
    ///     let all = logprobs.iter().flatten();
    ///     let loss = all.map(|lp| f64::from(lp * lp / count)).sum();
    ///     let slopes = |lps: &Vec<f32>| lps.iter().map(|lp| 2.0 * lp / count).collect();
    ///     Ok::<_, InvalidValue>(CustomLoss::new(loss, logprobs.iter().map(slopes).collect()))
    /// };
    /// let data = vec![Datum::supervised(&[72, 105], &[33])];
    /// let output = training.forward_backward_custom(data, squares).await?;
    /// assert!(output.loss_sum().is_some_and(|loss| loss > 0.0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Data without dense `target_tokens`, before anything is sent. [`Error::Loss`] if the function fails or its gradients
    /// do not fit. After that, or after a failed first pass, every later operation of the client is refused with
    /// [`Error::Poisoned`].
    pub fn forward_backward_custom<F, E>(
        &self,
        data: impl Into<Arc<[Datum]>>,
        loss: F,
    ) -> Pending<ForwardBackwardOutput>
    where
        F: FnOnce(&[Datum], &[Vec<f32>]) -> Result<CustomLoss, E> + Send + 'static,
        E: Into<BoxError>,
    {
        let loss =
            move |data: &[Datum], logprobs: &[Vec<f32>]| loss(data, logprobs).map_err(Into::into);
        custom::start(&self.inner, data.into(), Box::new(loss))
    }

    /// Accumulates the gradients of a custom loss that is registered with the session.
    ///
    /// A server that runs the loss does so in one pass. Otherwise the client runs it in two passes, with the output
    /// described at [`forward_backward_custom`](Self::forward_backward_custom).
    ///
    #[doc = setup!(training)]
    /// use tinker_client::autodiff::Expr;
    /// use tinker_client::{Datum, LossGraph};
    ///
    /// let loss = LossGraph::new("surprise", -Expr::logprobs().mean());
    /// let loss = service.create_custom_loss(loss).await?;
    /// let data = vec![Datum::supervised(&[72, 105], &[33])];
    /// training.forward_backward_with(data, &loss).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A loss of another session, or data without its inputs, before anything is sent. Otherwise those of
    /// [`forward_backward`](Self::forward_backward), or, if the client runs the loss, of
    /// [`forward_backward_custom`](Self::forward_backward_custom).
    pub fn forward_backward_with(
        &self,
        data: impl Into<Arc<[Datum]>>,
        loss: &LossHandle,
    ) -> Pending<ForwardBackwardOutput> {
        let data = data.into();
        if let Err(error) = loss.check(self.inner.session().id(), &data) {
            return Pending::refused(error);
        }
        let Some(id) = loss.loss_id() else {
            let loss = loss.shared();
            let run = move |data: &[Datum], logprobs: &[Vec<f32>]| loss.compute(data, logprobs);
            return custom::start(&self.inner, data, Box::new(run));
        };
        let by_id = Loss::new(LossFn::Custom).with("loss_id", id.as_str());
        if let Err(error) = fault::check_small(&by_id, &data) {
            return Pending::refused(error);
        }
        let named = (custom::OPERATION, custom::METHOD);
        passes::start(&self.inner, named, data, by_id, false)
    }

    /// Applies the accumulated gradients and clears them.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::{AdamParams, Datum, Loss};
    ///
    /// let data = vec![Datum::supervised(&[72, 105], &[33])];
    /// training.forward_backward(data, Loss::cross_entropy()).await?;
    /// let step = training.optim_step(AdamParams::new(1e-3)).await?;
    /// assert!(!step.metrics.unwrap_or_default().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Parameters outside their range, before anything is sent.
    pub fn optim_step(&self, params: impl Into<OptimParams>) -> Pending<OptimStepOutput> {
        let params = params.into();
        if let Err(error) = params.check() {
            return Pending::refused(error);
        }
        self.operate(
            "TrainingClient.optim_step",
            Map::new(),
            |model, seq_id| OptimStep::new(model, seq_id, params),
            |result, _| Ok(result),
        )
    }

    /// Link to the training run in the web console of the hosted service.
    ///
    #[doc = setup!(training)]
    /// assert!(training.console_url().contains(training.model_id().as_str()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn console_url(&self) -> String {
        console::training_run(self.model_id())
    }

    /// Starts an operation of one request in its turn; `finish` converts its result.
    pub(super) fn operate<O, T>(
        &self,
        method: &'static str,
        extra: Map<String, Value>,
        request: impl FnOnce(ModelId, u64) -> O + Send + 'static,
        finish: impl FnOnce(O::Output, &Training) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T>
    where
        O: Operation<Output: Output> + Send + Sync + 'static,
        T: Send + 'static,
    {
        if let Err(error) = self.inner.check(O::NAME) {
            return Pending::refused(error);
        }
        let turn = self.inner.sequencer.reserve();
        let inner = Arc::clone(&self.inner);
        let tracker = Tracker::new(method, &inner.group, WaitingFor::Turn);
        Pending::detached(tracker.clone(), async move {
            match inner.run(request, &extra, turn, &tracker).await {
                Ok(result) => finish(result, &inner),
                Err(error) => Err(inner.settled(error).await),
            }
        })
    }
}
