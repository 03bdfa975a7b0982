//! Batches of samples with bounded concurrency.

use futures_util::stream::{self, Stream, StreamExt};
use tinker_types::{ModelInput, SampleResponse};

use super::client::SamplingClient;
use crate::error::Error;
use crate::operation::pending::Pending;
use crate::sampling::options::SampleOptions;

/// A prompt of a batch, with options of its own or those of the batch. Prompts and pairs of prompt and options convert
/// into it.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchPrompt {
    prompt: ModelInput,
    options: Option<SampleOptions>,
}

impl From<ModelInput> for BatchPrompt {
    fn from(prompt: ModelInput) -> Self {
        Self {
            prompt,
            options: None,
        }
    }
}

impl From<Vec<u32>> for BatchPrompt {
    fn from(tokens: Vec<u32>) -> Self {
        ModelInput::from(tokens).into()
    }
}

impl<P: Into<ModelInput>, O: Into<SampleOptions>> From<(P, O)> for BatchPrompt {
    fn from((prompt, options): (P, O)) -> Self {
        Self {
            prompt: prompt.into(),
            options: Some(options.into()),
        }
    }
}

impl SamplingClient {
    /// Samples from each of many prompts, with at most `at_once` samples in flight; 0 counts as 1. Responses come in the
    /// order of the prompts; a prompt is taken from the iterator when a sample can start. A prompt may have options of its
    /// own: give a pair.
    ///
    /// An error concerns its own prompt only. Dropping the stream cancels the samples in flight.
    ///
    #[doc = setup!(sampling)]
    /// use futures_util::StreamExt;
    /// use tinker_client::SamplingParams;
    ///
    /// let prompts = (0..20).map(|n| vec![72, 97 + n]);
    /// let params = SamplingParams::default().with_max_tokens(4);
    /// let mut responses = sampling.sample_many(prompts, params, 8);
    /// let mut count = 0;
    /// while let Some(response) = responses.next().await {
    ///     count += response?.sequences.len();
    /// }
    /// assert_eq!(count, 20);
    /// # Ok(())
    /// # }
    /// ```
    pub fn sample_many<I, O>(
        &self,
        prompts: I,
        options: O,
        at_once: usize,
    ) -> impl Stream<Item = Result<SampleResponse, Error>> + Send + use<I, O>
    where
        I: IntoIterator<Item: Into<BatchPrompt>, IntoIter: Send>,
        O: Into<SampleOptions>,
    {
        stream::iter(self.samples(prompts, options.into())).buffered(at_once.max(1))
    }

    /// Like [`sample_many`](Self::sample_many), but with responses in the order of completion, each with the position of
    /// its prompt.
    ///
    #[doc = setup!(sampling)]
    /// use futures_util::StreamExt;
    /// use tinker_client::SamplingParams;
    ///
    /// let params = SamplingParams::default().with_max_tokens(4);
    /// let prompts = [([72, 105], params.clone()), ([72, 111], params.clone().with_seed(1))];
    /// let mut responses = sampling.sample_as_completed(prompts, params, 2);
    /// while let Some((position, response)) = responses.next().await {
    ///     println!("{position}: {:?}", response?.sequences[0].tokens);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn sample_as_completed<I, O>(
        &self,
        prompts: I,
        options: O,
        at_once: usize,
    ) -> impl Stream<Item = (usize, Result<SampleResponse, Error>)> + Send + use<I, O>
    where
        I: IntoIterator<Item: Into<BatchPrompt>, IntoIter: Send>,
        O: Into<SampleOptions>,
    {
        let samples = self.samples(prompts, options.into()).enumerate();
        let samples = samples.map(|(position, sample)| async move { (position, sample.await) });
        stream::iter(samples).buffer_unordered(at_once.max(1))
    }

    fn samples<I>(
        &self,
        prompts: I,
        options: SampleOptions,
    ) -> impl Iterator<Item = Pending<SampleResponse>> + Send + use<I>
    where
        I: IntoIterator<Item: Into<BatchPrompt>, IntoIter: Send>,
    {
        let client = self.clone();
        prompts.into_iter().map(move |prompt| {
            let prompt: BatchPrompt = prompt.into();
            let options = prompt.options.unwrap_or_else(|| options.clone());
            client.sample(prompt.prompt, options)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SamplingParams;
    use crate::fixture::{FakeServer, Reply};
    use serde_json::json;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// A server whose first sample takes long; the second is refused.
    async fn slow_first() -> (FakeServer, SamplingClient) {
        let server = FakeServer::new();
        server.on("retrieve_future", |seen| {
            let is_first = seen.json()["request_id"] == "sample-0";
            is_first.then(|| {
                let mut sample = SampleResponse::default();
                sample.sequences = vec![tinker_types::SampledSequence::new(
                    tinker_types::StopReason::Stop,
                    vec![0],
                )];
                let body = tinker_types::proto::encode_sample(&sample);
                Reply::protobuf(body).after(Duration::from_secs(20))
            })
        });
        server.on("asample", |seen| {
            let refused = seen.json()["seq_id"] == 1;
            refused.then(|| Reply::status(422, json!({"detail": "no"})))
        });
        let client = server.sampling().await;
        (server, client)
    }

    fn prompts(
        count: u32,
        taken: &Arc<AtomicUsize>,
    ) -> impl Iterator<Item = ModelInput> + Send + use<> {
        let taken = Arc::clone(taken);
        (0..count).map(move |n| {
            taken.fetch_add(1, Ordering::Relaxed);
            ModelInput::from_tokens([n])
        })
    }

    #[tokio::test(start_paused = true)]
    async fn responses_come_in_order_or_as_they_come() {
        let taken = Arc::new(AtomicUsize::new(0));
        let token = |result: Result<SampleResponse, Error>| {
            result.ok().map(|response| response.sequences[0].tokens[0])
        };
        let (_, client) = slow_first().await;
        let stream = client.sample_many(prompts(6, &taken), SamplingParams::default(), 3);
        let ordered: Vec<_> = stream.map(token).collect().await;
        assert_eq!(ordered, [Some(0), None, Some(2), Some(3), Some(4), Some(5)]);

        let (_, client) = slow_first().await;
        let stream = client.sample_as_completed(prompts(6, &taken), SamplingParams::default(), 3);
        let completed: Vec<_> = stream
            .map(|(at, result)| (at, token(result)))
            .collect()
            .await;
        assert_eq!(completed.len(), 6);
        assert_eq!(completed.last(), Some(&(0, Some(0))));
        assert!(completed.contains(&(1, None)) && completed.contains(&(5, Some(5))));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_prompts_are_taken_than_there_is_room_for() {
        let (server, client) = slow_first().await;
        let taken = Arc::new(AtomicUsize::new(0));
        let mut stream = client.sample_many(prompts(50, &taken), SamplingParams::default(), 2);
        assert!(stream.next().await.unwrap().is_ok());
        assert!(taken.load(Ordering::Relaxed) <= 4);
        drop(stream);
        assert!(server.seen_at("asample").len() <= 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_prompt_may_have_options_of_its_own() {
        let server = FakeServer::new();
        let client = server.sampling().await;
        let params = |tokens| SamplingParams::default().with_max_tokens(tokens);
        let prompts: Vec<BatchPrompt> = vec![vec![1].into(), ([2], params(5)).into()];
        let responses = client.sample_many(prompts, params(9), 0);
        assert!(
            responses
                .all(|response| async move { response.is_ok() })
                .await
        );
        let limits: Vec<_> = server
            .seen_at("asample")
            .iter()
            .map(|seen| seen.json()["sampling_params"]["max_tokens"].clone())
            .collect();
        assert_eq!(limits, [9, 5]);
    }
}
