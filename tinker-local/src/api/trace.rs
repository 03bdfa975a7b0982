//! Traces of sessions.

use std::time::Duration;

use tinker_types::wire::route;
use tinker_types::{SessionId, TraceExport};

use super::call::Call;
use super::external::{check_link, link};
use super::response::{self, Response};
use crate::clock;
use crate::refusal::Refusal;

/// Lifetime of a link.
const LINK_LIFETIME: Duration = Duration::from_hours(1);

/// Returns a link to the trace, which is made when it is fetched.
pub(super) fn export(call: &Call<'_>) -> Result<Response, Refusal> {
    let session = SessionId::from(call.parameter());
    if !call.is_own(&session) || call.operations.catalog().session(&session).is_none() {
        return Err(Refusal::not_found(format!(
            "session {session} is not known to this server"
        )));
    }
    let ends = clock::calendar_after(LINK_LIFETIME);
    let url = link(call, route::TRACE, &call.parameters, ends);
    Ok(response::json(&TraceExport::Ready { url }))
}

/// The recorded operations of a session since the start of the engine.
pub(super) fn file(call: &Call<'_>) -> Result<Response, Refusal> {
    check_link(call)?;
    let session = SessionId::from(call.parameter());
    Ok(response::json(&call.operations.promises.trace(&session)))
}
