//! Handling of a request, from injected faults to the handler of its endpoint.

use std::error::Error;
use std::sync::Arc;

use http::Request;
use http_body::Body;

use super::call::{self, Call};
use super::response::{self, Response};
use super::route::{self, Route};
use super::{
    account, audit, billing, body, checkpoint, config, external, future, model, poll, run,
    sampling, search, session, tarball, trace, training, weights,
};
use crate::behavior::FaultKind;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Answers a request. Errors are responses as well. Any key, or none, is accepted unless tokens are required: everyone
/// who can reach a local engine may use it.
pub(crate) async fn respond<B>(shared: Arc<Shared>, request: Request<B>) -> Response
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (fault, delay) = {
        let mut behavior = shared.behavior();
        let path = route::below_prefix(request.uri().path());
        (behavior.next_fault(path), behavior.delay)
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let result = match fault {
        Some(FaultKind::Dropped) => return response::broken(),
        Some(FaultKind::Status {
            status,
            retry_after,
        }) => Err(Refusal::on_purpose(status, retry_after)),
        Some(FaultKind::AnswerLost) | None => route(&shared, request).await,
    };
    if fault == Some(FaultKind::AnswerLost) {
        return response::broken();
    }
    match result {
        Ok(response) => response,
        Err(refusal) => {
            tracing::debug!(status = refusal.status.as_u16(), detail = %refusal.detail, "refused");
            refusal.into()
        }
    }
}

async fn route<B>(shared: &Arc<Shared>, request: Request<B>) -> Result<Response, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let route = Route::find(&head.method, head.uri.path())?;
    let (json_only, wants_token) = {
        let behavior = shared.behavior();
        (behavior.json_only, behavior.token_lifetime.is_some())
    };
    if json_only && !route.is_older() {
        return Err(route::unknown(&head.method, head.uri.path()));
    }
    if wants_token && !route.is_open() {
        account::check_token(shared, &head.headers)?;
    }
    // Held until the request is answered: a request that waits for a result keeps its body.
    let mut admitted = shared.intake.enter()?;
    let body = body::read(
        &head.headers,
        body,
        &shared.operations.limits,
        &mut admitted,
    )
    .await?;
    shared.operations.end_silent_sessions();
    let call = Call {
        shared,
        operations: &shared.operations,
        headers: &head.headers,
        query: head.uri.query(),
        origin: call::origin(&head),
        json_only,
        body,
    };
    match route {
        Route::ClientConfig => Ok(config::client(shared)),
        Route::DynamicConfig => Ok(config::dynamic(shared)),
        Route::AuthToken => account::exchange(shared),
        Route::ApiKey => Ok(account::key()),
        Route::Health => Ok(config::health()),
        Route::Capabilities => Ok(config::capabilities(&shared.operations)),
        Route::Telemetry => Ok(config::telemetry()),
        Route::CreateSession => session::create(&call).await,
        Route::Heartbeat => session::heartbeat(&call),
        Route::FinishSession(id) => session::finish(&call, id),
        Route::Sessions => search::list(&call),
        Route::Session(id) => search::info(&call, id),
        Route::SessionProject(id) => session::assign_project(&call, id),
        Route::SearchSessions => search::search(&call).await,
        Route::TraceExport(id) => trace::export(&call, &id),
        Route::CreateSampler => sampling::create_sampler(&call).await,
        Route::JoinSampler => sampling::join_sampler(&call),
        Route::Sampler(id) => sampling::sampler_info(&call, id),
        Route::CreateModel => model::create(&call),
        Route::UnloadModel => model::unload(&call),
        Route::ModelInfo => model::info(&call),
        Route::LoadWeights => weights::load(&call).await,
        Route::CreateLoss => training::create_loss(&call),
        Route::ForwardBackward => training::forward_backward(&call),
        Route::OptimStep => training::optim_step(&call),
        Route::SaveWeights => weights::save(&call),
        Route::SaveForSampler => weights::save_for_sampler(&call),
        Route::SaveExternal => weights::save_external(&call),
        Route::WeightsInfo => weights::info(&call).await,
        Route::CopyWeights => checkpoint::copy(&call).await,
        Route::Sample => sampling::sample(&call),
        Route::StreamSample => sampling::stream(&call),
        Route::Retrieve => future::retrieve(&call).await,
        Route::RetrieveMany => poll::retrieve(&call).await,
        Route::Cancel => future::cancel(&call),
        Route::Runs => run::list(&call).await,
        Route::Run(id) => run::info(&call, id).await,
        Route::RunCheckpoints(id) => run::checkpoints(&call, id).await,
        Route::Checkpoints => checkpoint::list(&call).await,
        Route::DeleteCheckpoint(place) => checkpoint::delete(&call, &place).await,
        Route::Publish(place) => checkpoint::set_public(&call, &place, true).await,
        Route::Unpublish(place) => checkpoint::set_public(&call, &place, false).await,
        Route::Lifetime(place) => checkpoint::set_lifetime(&call, &place).await,
        Route::ExternalUrls(place) => external::urls(&call, &place).await,
        Route::TarballUrl(place) => tarball::url(&call, &place).await,
        Route::Audit => audit::list(&call),
        Route::Usage => billing::usage(&call),
        Route::Storage => billing::storage(&call).await,
        Route::File(place, name) => external::file(&call, &place, &name).await,
        Route::Tarball(place) => tarball::file(&call, &place).await,
        Route::TraceFile(session) => trace::file(&call, session),
    }
}
