//! `TrainingClient`: gradients, steps, checkpoints of one model.

mod custom;
mod passes;
mod saves;

use std::sync::Arc;

use tinker_transport::{BoxError, Call, Class, Replay};
use tinker_types::{
    AccessToken, CheckpointPath, CreateModel, Datum, Endpoint, ForwardBackwardOutput, GetInfo,
    LoadTarget, LoadWeights, Loss, LossFn, ModelCreated, ModelId, ModelInfo, Operation,
    OptimParams, OptimStep, OptimStepOutput, WeightsLoaded,
};
use tokio::time::Instant;

use crate::board::Board;
use crate::codec::Output;
use crate::console;
use crate::core::Core;
use crate::custom::{CustomLoss, LossHandle};
use crate::error::Error;
use crate::line::Line;
use crate::pending::Pending;
use crate::promise::Promise;
use crate::sequencer::{Sequencer, Turn};
use crate::waiting::WaitingFor;

/// Trains one model.
///
/// Every method returns at once with a [`Pending`] that is already under way. What is called first
/// reaches the server first, whatever happens on the way, so several operations can be started one
/// after the other and awaited later: the server is kept busy. The next operation leaves when the
/// one before was accepted, or has failed for good.
///
/// Dropping a `Pending` does not stop its operation: gradients and steps have an order, and a hole
/// in it would hold up everything after it.
///
/// Cheap to clone; clones share the model and its order. Get one from
/// [`ServiceClient`](crate::ServiceClient).
#[derive(Debug, Clone)]
pub struct TrainingClient {
    inner: Arc<Training>,
}

/// One model in training.
#[derive(Debug)]
struct Training {
    core: Arc<Core>,
    info: ModelInfo,
    sequencer: Arc<Sequencer>,
    line: Arc<Line>,
}

/// An operation that makes a model.
pub(crate) trait MakesModel: Operation<Output: Output> {
    /// The id of the model, if the result names it.
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

impl TrainingClient {
    /// A client for a model that has just been made.
    pub(crate) async fn open(
        core: Arc<Core>,
        model: ModelId,
        method: &'static str,
    ) -> Result<Self, Error> {
        let link = core.link().await?;
        let call = Call::new(GetInfo::NAME, Class::Train)
            .with_caller(method)
            .with_replay(Replay::Safe);
        let info = link.api.call(&GetInfo::new(model), call).await?;
        let inner = Training {
            line: Line::new(format!("training of {}", info.model_id), core.news()),
            sequencer: Arc::default(),
            info,
            core,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Loads a checkpoint into this model, as servers of an earlier time have it done.
    pub(crate) fn load_state(
        &self,
        method: &'static str,
        path: &CheckpointPath,
        with_optimizer: bool,
        access_token: Option<AccessToken>,
    ) -> Pending<WeightsLoaded> {
        self.operate(
            method,
            |model_id, seq_id| {
                let mut request = LoadWeights::new(LoadTarget::Existing { model_id, seq_id }, path);
                request.optimizer = with_optimizer;
                request.weights_access_token = access_token;
                request
            },
            |loaded, _| Ok(loaded),
        )
    }

    /// What the server says about the model: base model, tokenizer, rank.
    ///
    #[doc = setup!(training)]
    /// assert_eq!(training.info().model_data.model_name.as_deref(), Some("tinker-local/tiny"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn info(&self) -> &ModelInfo {
        &self.inner.info
    }

    /// Id of the model, also called the training run.
    ///
    #[doc = setup!(training)]
    /// assert_eq!(training.model_id(), &training.info().model_id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn model_id(&self) -> &ModelId {
        &self.inner.info.model_id
    }

    /// Runs data through the model and reports losses and log probabilities; gradients stay as
    /// they are.
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

    /// Runs data through the model and adds the gradients of the loss to those gathered so far.
    /// [`optim_step`](Self::optim_step) applies them.
    ///
    /// A large batch travels in several requests, by number of data and by bytes; their results
    /// come back as one, in order.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::{AdamParams, Datum, Loss};
    ///
    /// let data = vec![Datum::supervised(&[72, 105], &[33])];
    /// // Both are under way before either is awaited.
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
    /// [`Error::Partly`] when some of several requests failed.
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
        if let Err(error) = loss.check(&data) {
            return Pending::refused(error);
        }
        let named = if forward_only {
            ("forward", "TrainingClient.forward")
        } else {
            ("forward_backward", "TrainingClient.forward_backward")
        };
        passes::start(&self.inner, named, data, loss, forward_only)
    }

    /// Adds the gradients of a loss of one's own, a function of the log probabilities of the targets.
    ///
    /// Each datum needs `target_tokens`, dense; all else it holds is for the function. First the data
    /// runs forward. Then `loss` is called, once, on a thread for blocking work, with the data and
    /// the log probabilities of each datum's targets, row-major, and returns the loss with its
    /// gradients; [`autodiff::differentiate`](crate::autodiff::differentiate) finds those by itself.
    /// Then the data runs once more, under cross entropy with weights that have these gradients. The
    /// output is that of the second pass: its `loss:sum` is the custom loss, `surrogate_loss:sum`
    /// what the server made of the weights, and the function's metrics are among the others.
    ///
    /// Both passes have their place in the order from the start, so that later operations wait for
    /// the function.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::{CustomLoss, Datum, InvalidValue};
    ///
    /// // The mean of the squares, with its gradient by hand.
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
    /// Data without dense `target_tokens`, before anything is sent. [`Error::Loss`] when the function
    /// fails or its gradients do not fit. When that, or the first pass, fails, the client is
    /// poisoned: every later operation is refused with [`Error::Poisoned`].
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

    /// Adds the gradients of a loss of the session's own.
    ///
    /// A server that runs the loss does so in one pass. For others it is run here, in two passes with
    /// the output that [`forward_backward_custom`](Self::forward_backward_custom) describes.
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
    /// A loss of another session, or data without what it takes, before anything is sent. Then those
    /// of [`forward_backward`](Self::forward_backward), or where the loss is run here those of
    /// [`forward_backward_custom`](Self::forward_backward_custom).
    pub fn forward_backward_with(
        &self,
        data: impl Into<Arc<[Datum]>>,
        loss: &LossHandle,
    ) -> Pending<ForwardBackwardOutput> {
        let data = data.into();
        if let Err(error) = loss.check(self.inner.core.opened_session(), &data) {
            return Pending::refused(error);
        }
        let Some(id) = loss.loss_id() else {
            let loss = loss.shared();
            let run = move |data: &[Datum], logprobs: &[Vec<f32>]| loss.compute(data, logprobs);
            return custom::start(&self.inner, data, Box::new(run));
        };
        let by_id = Loss::new(LossFn::Custom).with("loss_id", id.as_str());
        if let Err(error) = by_id.check(&data) {
            return Pending::refused(error);
        }
        let named = (custom::OPERATION, custom::METHOD);
        passes::start(&self.inner, named, data, by_id, false)
    }

    /// Applies the gathered gradients and clears them.
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
    /// Constants outside their range, before anything is sent.
    pub fn optim_step(&self, params: impl Into<OptimParams>) -> Pending<OptimStepOutput> {
        let params = params.into();
        if let OptimParams::Adam(adam) = &params
            && let Err(error) = adam.check()
        {
            return Pending::refused(error);
        }
        self.operate(
            "TrainingClient.optim_step",
            |model, seq_id| OptimStep::new(model, seq_id, params),
            |result, _| Ok(result),
        )
    }

    /// The page of the training run in the hosted service's console, for people.
    ///
    #[doc = setup!(training)]
    /// assert!(training.console_url().contains(training.model_id().as_str()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn console_url(&self) -> String {
        console::training_run(self.model_id())
    }

    /// Starts an operation of one request, in its turn, and finishes its result.
    fn operate<O, T>(
        &self,
        method: &'static str,
        request: impl FnOnce(ModelId, u64) -> O,
        finish: impl FnOnce(O::Output, &Training) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T>
    where
        O: Operation<Output: Output> + Send + Sync + 'static,
        T: Send + 'static,
    {
        if let Err(error) = self.inner.check() {
            return Pending::refused(error);
        }
        let turn = self.inner.sequencer.reserve(1);
        let request = request(self.model_id().clone(), turn.ids().start);
        let inner = Arc::clone(&self.inner);
        let board = Board::new(method, &inner.line, WaitingFor::Turn);
        Pending::detached(board.clone(), async move {
            let result = inner.run(request, turn, &board).await?;
            finish(result, &inner)
        })
    }
}

impl Training {
    /// Refuses further work once the session is over, or a custom loss left a gap.
    fn check(&self) -> Result<(), Error> {
        self.core.check_open()?;
        Ok(self.sequencer.check()?)
    }

    async fn run<O>(&self, request: O, turn: Turn, board: &Board) -> Result<O::Output, Error>
    where
        O: Operation<Output: Output> + Send + Sync,
    {
        let started = Instant::now();
        turn.begins().await;
        self.check()?;
        board.set(WaitingFor::Acceptance);
        let link = self.core.link().await?;
        let call = Call::new(O::NAME, Class::Train)
            .with_caller(board.method())
            .with_replay(Replay::Safe);
        let submitted = link.api.call(&request, call).await?;
        drop(turn);
        Promise::of::<O>(submitted, started)
            .resolve(link, board)
            .await
    }
}

#[cfg(test)]
mod order;
#[cfg(test)]
mod tests;
