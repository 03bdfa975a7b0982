//! Which copy of a sampler this is: copies in several processes must not use the same numbers.

use http::StatusCode;
use tinker_transport::{Call, Class, Replay};
use tinker_types::wire::SEQ_IDS_PER_COPY;
use tinker_types::{Endpoint, JoinSamplingSession, SamplingSessionId};
use tokio::sync::OnceCell;

use crate::error::Error;
use crate::link::Link;

/// The number of a copy, and so where its sequence ids begin.
#[derive(Debug)]
pub(super) enum CopyNumber {
    /// 0: the client that made the sampler.
    Original,
    /// Drawn or asked for when it is first needed.
    Copy(OnceCell<u64>),
}

impl CopyNumber {
    pub(super) fn of_copy() -> Self {
        Self::Copy(OnceCell::new())
    }

    /// The number; a copy asks the server for it, or draws one, as the server wants.
    pub(super) async fn get(
        &self,
        link: &Link,
        sampler: &SamplingSessionId,
        method: &'static str,
    ) -> Result<u64, Error> {
        match self {
            Self::Original => Ok(0),
            Self::Copy(number) => number
                .get_or_try_init(|| join(link, sampler, method))
                .await
                .copied(),
        }
    }

    /// The number of the copy that a sequence id is of.
    pub(super) fn of_seq_id(seq_id: u64) -> u64 {
        seq_id / SEQ_IDS_PER_COPY
    }

    /// The sequence id of its sample of this position.
    pub(super) async fn seq_id(
        &self,
        link: &Link,
        sampler: &SamplingSessionId,
        method: &'static str,
        position: u64,
    ) -> Result<u64, Error> {
        Ok(self.get(link, sampler, method).await? * SEQ_IDS_PER_COPY + position)
    }
}

async fn join(
    link: &Link,
    sampler: &SamplingSessionId,
    method: &'static str,
) -> Result<u64, Error> {
    // Two copies of a thousand draw the same number once in two thousand times.
    let drawn = || fastrand::u64(1..=SEQ_IDS_PER_COPY);
    if !link.flags.fixed().sample_join_sampling_session {
        return Ok(drawn());
    }
    let call = Call::new(JoinSamplingSession::NAME, Class::Session)
        .with_caller(method)
        .with_replay(Replay::Safe);
    let request = JoinSamplingSession::new(sampler.clone());
    match Box::pin(link.api.call(&request, call)).await {
        Ok(joined) => Ok(joined.client_counter),
        Err(Error::Status(error)) if error.status() == StatusCode::NOT_FOUND => {
            tracing::info!("the server numbers no copies of samplers; a number is drawn");
            Ok(drawn())
        }
        Err(error) => Err(error),
    }
}
