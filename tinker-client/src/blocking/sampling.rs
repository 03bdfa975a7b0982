//! The blocking sampling client.

use futures_util::StreamExt;
use tinker_types::{ModelInput, SampleResponse};

use super::runtime::SharedRuntime;
use crate::error::Error;
use crate::{BatchPrompt, SampleOptions};

/// A [`SamplingClient`](crate::SamplingClient) whose methods wait.
#[derive(Debug, Clone)]
pub struct SamplingClient {
    inner: crate::SamplingClient,
    runtime: SharedRuntime,
}

impl SamplingClient {
    pub(super) fn new(inner: crate::SamplingClient, runtime: &SharedRuntime) -> Self {
        let runtime = runtime.clone();
        Self { inner, runtime }
    }

    /// Waits for any future of the async client, see
    /// [`ServiceClient::block_on`](super::ServiceClient::block_on).
    pub fn block_on<T>(&self, call: impl AsyncFnOnce(&crate::SamplingClient) -> T) -> T {
        self.runtime.wait(|| call(&self.inner))
    }

    /// Draws sequences from a prompt, see [`sample`](crate::SamplingClient::sample).
    ///
    /// # Errors
    /// Those of the async method.
    pub fn sample(
        &self,
        prompt: impl Into<ModelInput>,
        options: impl Into<SampleOptions>,
    ) -> Result<SampleResponse, Error> {
        let (prompt, options) = (prompt.into(), options.into());
        self.runtime.wait(|| self.inner.sample(prompt, options))
    }

    /// Samples from each of many prompts, with at most `at_once` samples in flight; see
    /// [`sample_many`](crate::SamplingClient::sample_many). Results come in the order of the prompts.
    pub fn sample_many<I>(
        &self,
        prompts: I,
        options: impl Into<SampleOptions>,
        at_once: usize,
    ) -> Vec<Result<SampleResponse, Error>>
    where
        I: IntoIterator<Item: Into<BatchPrompt>, IntoIter: Send>,
    {
        let options = options.into();
        self.runtime
            .wait(|| self.inner.sample_many(prompts, options, at_once).collect())
    }

    /// Log probability of each prompt token, see [`compute_logprobs`](crate::SamplingClient::compute_logprobs).
    ///
    /// # Errors
    /// Those of the async method.
    pub fn compute_logprobs(
        &self,
        prompt: impl Into<ModelInput>,
    ) -> Result<Vec<Option<f32>>, Error> {
        let prompt = prompt.into();
        self.runtime.wait(|| self.inner.compute_logprobs(prompt))
    }
}
