//! Opening of samplers on the server.

use std::sync::Arc;

use tinker_transport::Class;
use tinker_types::{CreateSamplingSession, Endpoint, SamplingSessionId};

use crate::error::Error;
use crate::operation::{tracker::Tracker, waiting::WaitingFor};
use crate::sampling::source::SamplingSource;
use crate::session::{lost, record::Session, state::ClientState};
use crate::wire::request::repeatable;

/// Number of lost sessions after which a creation fails.
const RENEWALS: u32 = 3;

/// Creates a sampler, in a new session if its session turns out to be lost.
pub(super) async fn make(
    state: &Arc<ClientState>,
    (mut session, mut number): (Arc<Session>, u64),
    source: &SamplingSource,
    tracker: &Tracker,
) -> Result<(Arc<Session>, SamplingSessionId), Error> {
    for _ in 0..RENEWALS {
        match make_in(state, (&session, number), source, tracker).await {
            Err(Error::SessionLost(_)) => {}
            made => return made.map(|id| (session, id)),
        }
        tracker.set(WaitingFor::Session);
        session = state.session();
        number = session.next_sampler();
    }
    let id = make_in(state, (&session, number), source, tracker).await?;
    Ok((session, id))
}

async fn make_in(
    state: &Arc<ClientState>,
    (session, number): (&Arc<Session>, u64),
    source: &SamplingSource,
    tracker: &Tracker,
) -> Result<SamplingSessionId, Error> {
    let (id, connection) = state.open(session).await?;
    lost::check(session, CreateSamplingSession::NAME)?;
    tracker.set(WaitingFor::Acceptance);
    let mut request = CreateSamplingSession::new(id.clone(), number);
    match source {
        SamplingSource::BaseModel(name) => request.base_model = Some(name.clone()),
        SamplingSource::Checkpoint(path) => request.model_path = Some(path.clone()),
    }
    let call = tracker.identify(repeatable::<CreateSamplingSession>(Class::Session));
    match connection.api.call(&request, call).await {
        Ok(created) => Ok(created.sampling_session_id),
        Err(error) => Err(Box::pin(lost::explained(session, connection, error)).await),
    }
}
