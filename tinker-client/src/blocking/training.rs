//! The blocking training client.

use std::sync::Arc;

use tinker_types::{
    CheckpointPath, Datum, ForwardBackwardOutput, Loss, ModelId, OptimParams, OptimStepOutput,
    SavedWeights,
};

use super::runtime::SharedRuntime;
use super::sampling::SamplingClient;
use crate::error::Error;
use crate::{SaveOptions, TrainStepOutput};

/// A [`TrainingClient`](crate::TrainingClient) whose methods wait.
#[derive(Debug, Clone)]
pub struct TrainingClient {
    inner: crate::TrainingClient,
    runtime: SharedRuntime,
}

impl TrainingClient {
    pub(super) fn new(inner: crate::TrainingClient, runtime: &SharedRuntime) -> Self {
        let runtime = runtime.clone();
        Self { inner, runtime }
    }

    /// Id of the model, which is also the id of the training run.
    pub fn model_id(&self) -> &ModelId {
        self.inner.model_id()
    }

    /// Waits for any future of the async client, see
    /// [`ServiceClient::block_on`](super::ServiceClient::block_on).
    pub fn block_on<T>(&self, call: impl AsyncFnOnce(&crate::TrainingClient) -> T) -> T {
        self.runtime.wait(|| call(&self.inner))
    }

    /// Runs a forward pass, see [`forward`](crate::TrainingClient::forward).
    ///
    /// # Errors
    /// Those of the async method.
    pub fn forward(
        &self,
        data: impl Into<Arc<[Datum]>>,
        loss: Loss,
    ) -> Result<ForwardBackwardOutput, Error> {
        let data = data.into();
        self.runtime.wait(|| self.inner.forward(data, loss))
    }

    /// Runs a forward and a backward pass, see [`forward_backward`](crate::TrainingClient::forward_backward).
    ///
    /// # Errors
    /// Those of the async method.
    pub fn forward_backward(
        &self,
        data: impl Into<Arc<[Datum]>>,
        loss: Loss,
    ) -> Result<ForwardBackwardOutput, Error> {
        let data = data.into();
        self.runtime
            .wait(|| self.inner.forward_backward(data, loss))
    }

    /// Applies the accumulated gradients, see [`optim_step`](crate::TrainingClient::optim_step).
    ///
    /// # Errors
    /// Those of the async method.
    pub fn optim_step(&self, params: impl Into<OptimParams>) -> Result<OptimStepOutput, Error> {
        let params = params.into();
        self.runtime.wait(|| self.inner.optim_step(params))
    }

    /// Runs a pass and applies its gradients, with both in flight at once; see
    /// [`train_step`](crate::TrainingClient::train_step).
    ///
    /// # Errors
    /// Those of the async method.
    pub fn train_step(
        &self,
        data: impl Into<Arc<[Datum]>>,
        loss: Loss,
        params: impl Into<OptimParams>,
    ) -> Result<TrainStepOutput, Error> {
        let (data, params) = (data.into(), params.into());
        self.runtime
            .wait(|| self.inner.train_step(data, loss, params))
    }

    /// Saves weights and optimizer state, see [`save_state`](crate::TrainingClient::save_state).
    ///
    /// # Errors
    /// Those of the async method.
    pub fn save_state(&self, options: impl Into<SaveOptions>) -> Result<SavedWeights, Error> {
        let options = options.into();
        self.runtime.wait(|| self.inner.save_state(options))
    }

    /// Saves weights for sampling under a name, see
    /// [`save_weights_for_sampler`](crate::TrainingClient::save_weights_for_sampler).
    ///
    /// # Errors
    /// Those of the async method.
    pub fn save_weights_for_sampler(
        &self,
        options: impl Into<SaveOptions>,
    ) -> Result<CheckpointPath, Error> {
        let options = options.into();
        self.runtime
            .wait(|| self.inner.save_weights_for_sampler(options))
    }

    /// A sampler with the present weights, see
    /// [`save_weights_and_get_sampling_client`](crate::TrainingClient::save_weights_and_get_sampling_client).
    ///
    /// # Errors
    /// Those of the async method.
    pub fn save_weights_and_get_sampling_client(&self) -> Result<SamplingClient, Error> {
        let save = || self.inner.save_weights_and_get_sampling_client();
        Ok(SamplingClient::new(self.runtime.wait(save)?, &self.runtime))
    }
}
