//! Making a sampler.

use std::sync::Arc;

use http::StatusCode;
use tinker_transport::{Call, Class, Replay};
use tinker_types::{
    CheckpointPath, CreateSamplingSession, Endpoint, GetSampler, InvalidValue, SamplingSessionId,
};

use super::SamplingClient;
use crate::board::Board;
use crate::core::Core;
use crate::error::Error;
use crate::line::Line;
use crate::link::Link;
use crate::options::SamplingSource;
use crate::pending::Pending;
use crate::waiting::WaitingFor;

/// Makes the session's next sampler.
pub(crate) fn create(core: &Arc<Core>, source: SamplingSource) -> Pending<SamplingClient> {
    if let Err(error) = check_source(&source) {
        return Pending::refused(error);
    }
    if let Err(error) = core.check_open() {
        return Pending::refused(error);
    }
    let core = Arc::clone(core);
    let number = core.next_sampler();
    let method = "ServiceClient.create_sampling_client";
    let line = Line::new(format!("creation of sampler {number}"), core.news());
    let board = Board::new(method, &line, WaitingFor::Session);
    Pending::detached(board.clone(), async move {
        let (session, link) = core.session().await?;
        let session = session.clone();
        board.set(WaitingFor::Acceptance);
        let mut request = CreateSamplingSession::new(session.clone(), number);
        let base_model = match source {
            SamplingSource::BaseModel(name) => {
                request.base_model = Some(name.clone());
                Some(name)
            }
            SamplingSource::Checkpoint(path) => {
                request.model_path = Some(path);
                None
            }
        };
        let call = Call::new(CreateSamplingSession::NAME, Class::Session)
            .with_caller(method)
            .with_replay(Replay::Safe);
        let id = link.api.call(&request, call).await?.sampling_session_id;
        let base_model = match base_model {
            Some(name) => Some(name),
            None => base_model_of(link, &id, method).await?,
        };
        Ok(SamplingClient::new(&core, session, id, base_model))
    })
}

/// The base model of a sampler made from a checkpoint; servers without the route don't say.
async fn base_model_of(
    link: &Link,
    id: &SamplingSessionId,
    method: &'static str,
) -> Result<Option<String>, Error> {
    let call = Call::new(GetSampler::NAME, Class::Rest)
        .with_caller(method)
        .with_replay(Replay::Safe);
    match link.api.call(&GetSampler::new(id.clone()), call).await {
        Ok(info) => Ok(Some(info.base_model)),
        Err(Error::Status(error)) if error.status() == StatusCode::NOT_FOUND => Ok(None),
        Err(error) => Err(error),
    }
}

fn check_source(source: &SamplingSource) -> Result<(), InvalidValue> {
    match source {
        SamplingSource::BaseModel(name) if name.is_empty() => Err(InvalidValue::new(
            "source",
            "is empty; name a base model or a tinker:// path",
        )),
        SamplingSource::BaseModel(_) => Ok(()),
        SamplingSource::Checkpoint(path) => {
            let parsed: Result<CheckpointPath, _> = path.parse();
            parsed.map(|_| ()).map_err(|error| error.within("source"))
        }
    }
}
