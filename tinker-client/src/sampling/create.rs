//! Creation of samplers.

use std::sync::Arc;

use tinker_transport::Class;
use tinker_types::{CheckpointPath, GetSampler, InvalidValue, SamplingSessionId};

use super::client::SamplingClient;
use super::copy::CopyNumber;
use super::opening::make;
use super::sampler::Sampler;
use crate::error::Error;
use crate::operation::{group::Group, pending::Pending, tracker::Tracker, waiting::WaitingFor};
use crate::sampling::source::SamplingSource;
use crate::session::{connection::Connection, state::ClientState};
use crate::wire::{api::found, request::repeatable};

/// Creates the next sampler of the session.
pub(crate) fn create(state: &Arc<ClientState>, source: SamplingSource) -> Pending<SamplingClient> {
    if let Err(error) = check_source(&source) {
        return Pending::refused(error);
    }
    if let Err(error) = state.check_open() {
        return Pending::refused(error);
    }
    let state = Arc::clone(state);
    let session = state.session();
    let number = session.next_sampler();
    let method = "ServiceClient.create_sampling_client";
    let group = Group::new(format!("creation of sampler {number}"), state.events());
    let tracker = Tracker::new(method, &group, WaitingFor::Session);
    Pending::detached(tracker.clone(), async move {
        let (session, id) = make(&state, (session, number), &source, &tracker).await?;
        let base_model = match &source {
            SamplingSource::BaseModel(name) => Some(name.clone()),
            SamplingSource::Checkpoint(_) => {
                let connection = state.connection().await?;
                base_model_of(connection, &id, method).await?
            }
        };
        let sampler = Sampler::new(&state, session, id, CopyNumber::Original);
        Ok(SamplingClient::of(sampler, Some(source), base_model))
    })
}

/// The base model of a sampler made from a checkpoint; `None` from a server without the route.
async fn base_model_of(
    connection: &Connection,
    id: &SamplingSessionId,
    method: &'static str,
) -> Result<Option<String>, Error> {
    let call = repeatable::<GetSampler>(Class::Rest).with_caller(method);
    let request = GetSampler::new(id.clone());
    let sampler = found(connection.api.call(&request, call).await)?;
    Ok(sampler.map(|sampler| sampler.base_model))
}

fn check_source(source: &SamplingSource) -> Result<(), InvalidValue> {
    match source {
        SamplingSource::BaseModel(name) if name.is_empty() => Err(InvalidValue::new(
            "source",
            "is empty; use the name of a base model or a tinker:// path",
        )),
        SamplingSource::BaseModel(_) => Ok(()),
        SamplingSource::Checkpoint(path) => {
            let parsed = CheckpointPath::parse_for_sampling(path);
            parsed.map(|_| ()).map_err(|error| error.within("source"))
        }
    }
}
