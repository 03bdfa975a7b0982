//! Rule for runs that their server lost, as in a restart.

use crate::error::TrainError;

/// Number of losses in a row without a step that was not done before.
const MOST: u32 = 3;

/// The rule for continuations after [`TrainError::is_lost`]: at most three in a row between which no new step is finished, so
/// that a step that always fails ends the run, and a server that restarts twice does not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recoveries {
    /// Largest number of steps done at a loss.
    furthest: Option<usize>,
    /// Losses since then.
    in_a_row: u32,
}

impl Recoveries {
    /// Whether to continue from the last checkpoint after an error with `done` steps done.
    pub fn allows(&mut self, error: &TrainError, done: usize) -> bool {
        if !error.is_lost() {
            return false;
        }
        if self.furthest.is_none_or(|furthest| done > furthest) {
            (self.furthest, self.in_a_row) = (Some(done), 0);
        }
        self.in_a_row += 1;
        self.in_a_row <= MOST
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
    fn a_step_that_always_fails_ends_the_run() {
        let mut recoveries = Recoveries::default();
        let results =
            [7, 7, 6, 8, 7, 8, 8].map(|done| recoveries.allows(&TrainError::Restarted, done));
        assert_eq!(results, [true, true, true, true, true, true, false]);
    }
}
