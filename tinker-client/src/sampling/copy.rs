//! Numbers of sampler copies, which keep the sequence ids of copies in several processes apart.

use tinker_transport::Class;
use tinker_types::wire::SEQ_IDS_PER_COPY;
use tinker_types::{JoinSamplingSession, SamplingSessionId};
use tokio::sync::OnceCell;

use crate::error::Error;
use crate::session::connection::Connection;
use crate::wire::{api::found, request::repeatable};

/// The number of a copy, which determines its range of sequence ids.
#[derive(Debug)]
pub(super) enum CopyNumber {
    /// 0: the client that made the sampler.
    Original,
    /// Drawn at random or requested from the server on first use.
    Copy(OnceCell<u64>),
}

impl CopyNumber {
    pub(super) fn of_copy() -> Self {
        Self::Copy(OnceCell::new())
    }

    /// The number. A copy requests it from the server or draws it at random, depending on a server flag.
    pub(super) async fn get(
        &self,
        connection: &Connection,
        sampler: &SamplingSessionId,
        method: &'static str,
    ) -> Result<u64, Error> {
        match self {
            Self::Original => Ok(0),
            Self::Copy(number) => number
                .get_or_try_init(|| join(connection, sampler, method))
                .await
                .copied(),
        }
    }
}

async fn join(
    connection: &Connection,
    sampler: &SamplingSessionId,
    method: &'static str,
) -> Result<u64, Error> {
    // Among a thousand copies, two draw the same number with a probability of 1 in 2000.
    let drawn = || fastrand::u64(1..=SEQ_IDS_PER_COPY);
    if !connection.flags.fixed().sample_join_sampling_session {
        return Ok(drawn());
    }
    let call = repeatable::<JoinSamplingSession>(Class::Session).with_caller(method);
    let request = JoinSamplingSession::new(sampler.clone());
    if let Some(joined) = found(Box::pin(connection.api.call(&request, call)).await)? {
        return Ok(joined.client_counter);
    }
    tracing::info!("the server does not number copies of samplers; drawing a number");
    Ok(drawn())
}
