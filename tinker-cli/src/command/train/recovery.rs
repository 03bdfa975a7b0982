//! Continuation of a run that its server lost, as in a restart.

use tinker_client::{Error, ErrorCategory};

use super::record::Record;

/// Text of a 400 that `SkyRL` answers for a run that its restarted engine does not hold.
const NOT_LOADED: &str = "not loaded";

/// A server that may have gone back to an older state.
#[derive(Debug, thiserror::Error)]
#[error("it refused connections in between, and may have restarted with an older state")]
pub(super) struct Restarted;

/// A checkpoint to continue from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recovery {
    /// Number of steps in the checkpoint.
    pub(super) step: usize,
    pub(super) path: String,
}

/// The rule for continuations: at most one for each finished step, so that a step that always fails ends the run.
#[derive(Debug, Default)]
pub(super) struct Recoveries {
    /// Number of steps done at the last loss.
    last: Option<usize>,
}

impl Recoveries {
    /// The checkpoint to continue from after an error, if the server lost the run and there is one.
    pub(super) fn after(&mut self, error: &anyhow::Error, record: &Record) -> Option<Recovery> {
        let has_progress = self.last.is_none_or(|last| record.done > last);
        if !has_progress || !is_lost(error) {
            return None;
        }
        self.last = Some(record.done);
        let (step, path) = record.saved.clone()?;
        Some(Recovery { step, path })
    }
}

/// Whether the server has lost the run: gradients and weights since the last checkpoint are gone.
pub(super) fn is_lost(error: &anyhow::Error) -> bool {
    error.is::<Restarted>()
        || error
            .chain()
            .any(|cause| cause.downcast_ref::<Error>().is_some_and(of_client))
}

fn of_client(error: &Error) -> bool {
    match error {
        Error::Gone(_) | Error::Closed(_) => true,
        Error::Failed(failed) => failed.category() != ErrorCategory::User,
        Error::Status(error) => match error.status().as_u16() {
            404 | 410 => true,
            400 => error.detail().contains(NOT_LOADED),
            _ => false,
        },
        Error::Partly(partly) => of_client(partly.first()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(done: usize, saved: Option<usize>) -> Record {
        Record {
            done,
            saved: saved.map(|step| (step, format!("tinker://r/weights/{step}"))),
            ..Record::default()
        }
    }

    #[test]
    fn other_errors_end_the_run() {
        let error = anyhow::anyhow!("the disk is full");
        let after = Recoveries::default().after(&error, &record(7, Some(5)));
        assert_eq!(after, None);
    }
}
