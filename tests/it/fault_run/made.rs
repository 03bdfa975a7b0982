//! A finished run.

use std::sync::Arc;

use tinker_client::transport::Metrics;

use super::counted::Counts;
use super::faults::Faults;
use super::run::Run;

/// Results and costs of a run.
pub(crate) struct Made {
    pub(crate) run: Run,
    pub(crate) counts: Arc<Counts>,
    pub(crate) metrics: Metrics,
    pub(crate) faults: Option<Faults>,
}
