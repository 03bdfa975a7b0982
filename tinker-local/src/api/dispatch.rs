//! Handling of a request, from injected faults to the handler of its endpoint.

use std::error::Error;
use std::sync::Arc;

use http::Request;
use http_body::Body;

use super::call::{self, Call};
use super::response::{self, Response};
use super::route::{self, Handler};
use super::target::Target;
use super::{body, credential};
use crate::behavior::FaultKind;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Answers a request. Errors are responses as well.
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
        Some(FaultKind::AnswerLost) | None => handle(&shared, request).await,
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

async fn handle<B>(shared: &Arc<Shared>, request: Request<B>) -> Result<Response, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let unknown = || route::unknown(&head.method, head.uri.path());
    let target = Target::parse(head.uri.path()).ok_or_else(unknown)?;
    let (route, parameters) = target.route(&head.method, head.uri.path())?;
    let (json_only, wants_token) = {
        let behavior = shared.behavior();
        (behavior.json_only, behavior.token_lifetime.is_some())
    };
    if json_only && route.is_newer {
        return Err(unknown());
    }
    let tenant = credential::tenant(shared, &head.headers, route.credential, wants_token)?;
    // Held until the request is answered: a request that waits for a result keeps its body.
    let mut admitted = shared.intake.enter()?;
    let limits = &shared.operations.limits;
    let most = if route.takes_file {
        limits.arriving_bytes
    } else {
        limits.body_bytes
    };
    let body = body::read(&head.headers, body, (most, limits.body_time), &mut admitted).await?;
    shared.operations.end_silent_sessions();
    let call = Call {
        shared,
        operations: &shared.operations,
        headers: &head.headers,
        target: &target,
        parameters,
        query: head.uri.query(),
        origin: call::origin(&head),
        json_only,
        tenant,
        body,
    };
    match route.handler {
        Handler::Now(handler) => handler(&call),
        Handler::Later(handler) => handler(&call).await,
    }
}
