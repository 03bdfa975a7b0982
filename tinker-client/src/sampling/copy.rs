//! Numbers of sampler copies, which keep the sequence ids of copies in several processes apart.

use http::StatusCode;
use tinker_transport::Class;
use tinker_types::wire::SEQ_IDS_PER_COPY;
use tinker_types::{JoinSamplingSession, SamplingSessionId};
use tokio::sync::OnceCell;

use crate::error::Error;
use crate::session::connection::Connection;
use crate::wire::request::repeatable;

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

    /// The number of the copy that a sequence id belongs to.
    pub(super) fn of_seq_id(seq_id: u64) -> u64 {
        seq_id / SEQ_IDS_PER_COPY
    }

    /// The sequence id of the sample at this position.
    pub(super) async fn seq_id(
        &self,
        connection: &Connection,
        sampler: &SamplingSessionId,
        method: &'static str,
        position: u64,
    ) -> Result<u64, Error> {
        Ok(self.get(connection, sampler, method).await? * SEQ_IDS_PER_COPY + position)
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
    match Box::pin(connection.api.call(&request, call)).await {
        Ok(joined) => Ok(joined.client_counter),
        Err(Error::Status(error)) if error.status() == StatusCode::NOT_FOUND => {
            tracing::info!("the server does not number copies of samplers; drawing a number");
            Ok(drawn())
        }
        Err(error) => Err(error),
    }
}
