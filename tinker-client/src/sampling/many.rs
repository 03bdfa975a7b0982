//! Batches of samples with bounded concurrency.

use std::num::NonZeroUsize;

use futures_util::stream::{self, Stream, StreamExt};
use tinker_types::{ModelInput, SampleResponse};

use super::client::SamplingClient;
use crate::error::Error;
use crate::sampling::options::SampleOptions;

impl SamplingClient {
    /// Samples from each of many prompts, with at most `at_once` samples in flight. Responses come in the order of the
    /// prompts; a prompt is taken from the iterator when a sample can start.
    ///
    /// An error concerns its own prompt only. Dropping the stream cancels the samples in flight.
    ///
    #[doc = setup!(sampling)]
    /// use std::num::NonZeroUsize;
    /// use futures_util::StreamExt;
    /// use tinker_client::{ModelInput, SamplingParams};
    ///
    /// let prompts = (0..20).map(|n| ModelInput::from_tokens([72, 97 + n]));
    /// let params = SamplingParams::default().with_max_tokens(4);
    /// let eight = NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN);
    /// let mut responses = sampling.sample_many(prompts, params, eight);
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
        at_once: NonZeroUsize,
    ) -> impl Stream<Item = Result<SampleResponse, Error>> + Send + use<I, O>
    where
        I: IntoIterator<Item = ModelInput, IntoIter: Send>,
        O: Into<SampleOptions>,
    {
        let (client, options) = (self.clone(), options.into());
        let samples = prompts.into_iter();
        let samples = samples.map(move |prompt| client.sample(prompt, options.clone()));
        stream::iter(samples).buffered(at_once.get())
    }

    /// Like [`sample_many`](Self::sample_many), but with responses in the order of completion, each with the position of
    /// its prompt.
    ///
    #[doc = setup!(sampling)]
    /// use std::num::NonZeroUsize;
    /// use futures_util::StreamExt;
    /// use tinker_client::{ModelInput, SamplingParams};
    ///
    /// let prompts = [[72, 105], [72, 111]].map(ModelInput::from_tokens);
    /// let params = SamplingParams::default().with_max_tokens(4);
    /// let mut responses = sampling.sample_as_completed(prompts, params, NonZeroUsize::MIN);
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
        at_once: NonZeroUsize,
    ) -> impl Stream<Item = (usize, Result<SampleResponse, Error>)> + Send + use<I, O>
    where
        I: IntoIterator<Item = ModelInput, IntoIter: Send>,
        O: Into<SampleOptions>,
    {
        let (client, options) = (self.clone(), options.into());
        let samples = prompts
            .into_iter()
            .enumerate()
            .map(move |(position, prompt)| {
                let sample = client.sample(prompt, options.clone());
                async move { (position, sample.await) }
            });
        stream::iter(samples).buffer_unordered(at_once.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SamplingParams;
    use crate::testing::{FakeServer, Reply};
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
        let three = NonZeroUsize::new(3).unwrap();
        let taken = Arc::new(AtomicUsize::new(0));
        let token = |result: Result<SampleResponse, Error>| {
            result.ok().map(|response| response.sequences[0].tokens[0])
        };
        let (_, client) = slow_first().await;
        let stream = client.sample_many(prompts(6, &taken), SamplingParams::default(), three);
        let ordered: Vec<_> = stream.map(token).collect().await;
        assert_eq!(ordered, [Some(0), None, Some(2), Some(3), Some(4), Some(5)]);

        let (_, client) = slow_first().await;
        let stream =
            client.sample_as_completed(prompts(6, &taken), SamplingParams::default(), three);
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
        let two = NonZeroUsize::new(2).unwrap();
        let mut stream = client.sample_many(prompts(50, &taken), SamplingParams::default(), two);
        assert!(stream.next().await.unwrap().is_ok());
        assert!(taken.load(Ordering::Relaxed) <= 4);
        drop(stream);
        assert!(server.seen_at("asample").len() <= 4);
    }
}
