//! Traces of sessions.

use std::time::Duration;

use tinker_types::{SessionId, TraceExport};

use super::answer::{self, Answer};
use super::call::Call;
use super::external::{check_link, link};
use crate::clock;
use crate::refusal::Refusal;

/// How long a link works.
const LINK_LIFETIME: Duration = Duration::from_hours(1);

const FOLDER: &str = "traces";

/// A trace is made when it is fetched, so that it is always ready.
pub(super) fn export(call: &Call<'_>, session: &str) -> Result<Answer, Refusal> {
    known(call, &SessionId::from(session))?;
    let ends = clock::calendar_after(LINK_LIFETIME);
    let url = link(call, &[FOLDER, session], ends);
    Ok(answer::json(&TraceExport::Ready { url }))
}

/// What the engine did for a session since it was started, as far as it remembers.
pub(super) fn file(call: &Call<'_>, session: String) -> Result<Answer, Refusal> {
    check_link(call, &[FOLDER, &session])?;
    Ok(answer::json(
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
