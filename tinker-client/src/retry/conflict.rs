//! Retry policies for conflicts (409).

use std::time::Duration;

use http::StatusCode;
use tinker_transport::policy::{Disposition, Effort, Outcome, Policy, Standard, Verdict};

/// The standard policy with a limit of half a minute for a 409. A longer conflict is about the request, for example a
/// name that is taken, and minutes of repeats would only hide it.
#[derive(Debug)]
pub(crate) struct ConflictsPass;

const CONFLICT_LIMIT: Duration = Duration::from_secs(30);

impl Policy for ConflictsPass {
    fn verdict(&self, effort: &Effort, disposition: &Disposition) -> Verdict {
        let is_conflict = disposition.outcome == Outcome::Transient(StatusCode::CONFLICT);
        if is_conflict {
            return Standard::new()
                .with_time_limit(CONFLICT_LIMIT)
                .verdict(effort, disposition);
        }
        Standard::new().verdict(effort, disposition)
    }

    fn remaining_time(&self, effort: &Effort) -> Option<Duration> {
        Standard::new().remaining_time(effort)
    }
}

/// Treats a 409 as final: for a request that sets a state it means that the state is set already, for a save that its
/// name is taken.
#[derive(Debug)]
pub(crate) struct ConflictIsFinal(pub(crate) Standard);

impl Policy for ConflictIsFinal {
    fn verdict(&self, effort: &Effort, disposition: &Disposition) -> Verdict {
        if disposition.outcome == Outcome::Transient(StatusCode::CONFLICT) {
            return Verdict::Stop;
        }
        self.0.verdict(effort, disposition)
    }

    fn remaining_time(&self, effort: &Effort) -> Option<Duration> {
        self.0.remaining_time(effort)
    }
}

/// The policy of a pass while the form that the server accepts is not known: a 500 may be the answer to the wrong form,
/// so it is returned at once.
#[derive(Debug)]
pub(crate) struct FormUnsettled;

impl Policy for FormUnsettled {
    fn verdict(&self, effort: &Effort, disposition: &Disposition) -> Verdict {
        match disposition.outcome {
            Outcome::Transient(StatusCode::INTERNAL_SERVER_ERROR | StatusCode::NOT_IMPLEMENTED) => {
                Verdict::Stop
            }
            _ => ConflictsPass.verdict(effort, disposition),
        }
    }

    fn remaining_time(&self, effort: &Effort) -> Option<Duration> {
        ConflictsPass.remaining_time(effort)
    }
}
