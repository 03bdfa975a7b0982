//! Retry policy of samples.

use std::time::Duration;

use tinker_transport::policy::{Disposition, Effort, Outcome, Policy, Standard, Verdict};

/// Repeats a sample after lost connections and throttling; server errors are returned at once. A caller with
/// thousands of samples in flight is in a better position to decide whether to repeat one of them.
#[derive(Debug)]
pub(crate) struct SamplePolicy(pub(crate) Standard);

impl Policy for SamplePolicy {
    fn verdict(&self, effort: &Effort, disposition: &Disposition) -> Verdict {
        let is_server_error = matches!(disposition.outcome, Outcome::Transient(_));
        if is_server_error && disposition.should_retry != Some(true) {
            return Verdict::Stop;
        }
        self.0.verdict(effort, disposition)
    }

    fn remaining_time(&self, effort: &Effort) -> Option<Duration> {
        self.0.remaining_time(effort)
    }
}
