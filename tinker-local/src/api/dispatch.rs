//! From a request to the endpoint that answers it.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::Body;

use super::answer::Answer;
use super::refusal::Refusal;
use super::route::Route;
use super::{
    body, checkpoint, config, future, model, sampler, sampling, session, training, weights,
};
use crate::shared::Shared;

/// A request whose body is read.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: Option<&'a str>,
    pub(super) body: Bytes,
}

/// Answers a request. Whatever goes wrong is an answer too. Any key, or none, is accepted: whoever reaches a local
/// engine may use it.
pub(crate) async fn answer<B>(shared: Arc<Shared>, request: Request<B>) -> Answer
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    match route(&shared, request).await {
        Ok(answer) => answer,
        Err(refusal) => {
            tracing::debug!(status = refusal.status.as_u16(), detail = %refusal.detail, "refused");
            refusal.into()
        }
    }
}

async fn route<B>(shared: &Arc<Shared>, request: Request<B>) -> Result<Answer, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let route = Route::find(&head.method, head.uri.path())?;
    let body = body::read(&head.headers, body, shared.limits.body_bytes).await?;
    shared.end_silent_sessions();
    let call = Call {
        shared,
        headers: &head.headers,
        query: head.uri.query(),
        body,
    };
    match route {
        Route::ClientConfig => Ok(config::client(shared)),
        Route::DynamicConfig => Ok(config::dynamic()),
        Route::AuthToken => Err(config::no_tokens()),
        Route::Health => Ok(config::health()),
        Route::Capabilities => Ok(config::capabilities(shared)),
        Route::Telemetry => Ok(config::telemetry()),
        Route::CreateSession => session::create(&call).await,
        Route::Heartbeat => session::heartbeat(&call),
        Route::FinishSession(id) => session::finish(&call, id),
        Route::CreateSampler => sampler::create(&call).await,
        Route::Sampler(id) => sampler::info(&call, id),
        Route::CreateModel => model::create(&call),
        Route::ModelInfo => model::info(&call),
        Route::LoadWeights => weights::load(&call).await,
        Route::ForwardBackward => training::forward_backward(&call),
        Route::OptimStep => training::optim_step(&call),
        Route::SaveWeights => weights::save(&call),
        Route::SaveForSampler => weights::save_for_sampler(&call),
        Route::WeightsInfo => weights::info(&call).await,
        Route::Sample => sampling::sample(&call),
        Route::Retrieve => future::retrieve(&call).await,
        Route::Cancel => future::cancel(&call),
        Route::Checkpoints => checkpoint::list(&call).await,
        Route::RunCheckpoints(id) => checkpoint::list_run(&call, id).await,
    }
}
