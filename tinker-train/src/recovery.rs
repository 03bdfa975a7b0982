//! Rule for runs that their server lost, as in a restart.

use crate::error::TrainError;

/// The rule for continuations after [`TrainError::is_lost`]: at most one for each finished step, so that a step that
/// always fails ends the run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recoveries {
    /// Number of steps done at the last loss.
    last: Option<usize>,
}

impl Recoveries {
    /// Whether to continue from the last checkpoint after an error with `done` steps done.
    pub fn allows(&mut self, error: &TrainError, done: usize) -> bool {
        let has_progress = self.last.is_none_or(|last| done > last);
        if !has_progress || !error.is_lost() {
            return false;
        }
        self.last = Some(done);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_errors_end_the_run() {
        let error = TrainError::Refused("no".to_owned());
        assert!(!Recoveries::default().allows(&error, 7));
    }

    #[test]
    fn a_step_that_fails_twice_ends_the_run() {
        let mut recoveries = Recoveries::default();
        let results = [7, 7, 6, 8].map(|done| recoveries.allows(&TrainError::Restarted, done));
        assert_eq!(results, [true, false, false, true]);
    }
}
