//! Traces of sessions.

use std::time::Duration;

use tinker_types::{SessionId, TraceExport};

use super::call::Call;
use super::external::{check_link, link};
use super::response::{self, Response};
use crate::clock;
use crate::refusal::Refusal;

/// Lifetime of a link.
const LINK_LIFETIME: Duration = Duration::from_hours(1);

const FOLDER: &str = "traces";

/// Returns a link to the trace, which is made when it is fetched.
pub(super) fn export(call: &Call<'_>, session: &str) -> Result<Response, Refusal> {
    known(call, &SessionId::from(session))?;
    let ends = clock::calendar_after(LINK_LIFETIME);
    let url = link(call, &[FOLDER, session], ends);
    Ok(response::json(&TraceExport::Ready { url }))
}

/// The recorded operations of a session since the start of the engine.
pub(super) fn file(call: &Call<'_>, session: String) -> Result<Response, Refusal> {
    check_link(call, &[FOLDER, &session])?;
    Ok(response::json(
        &call.operations.promises.trace(&SessionId::from(session)),
    ))
}

fn known(call: &Call<'_>, session: &SessionId) -> Result<(), Refusal> {
    match call.operations.catalog().session(session) {
        Some(_) => Ok(()),
        None => Err(Refusal::not_found(format!(
            "session {session} is not known to this server"
        ))),
    }
}
