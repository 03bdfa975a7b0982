//! The examined server, and what the checks have made on it.

use std::time::Duration;

use tinker_transport::Transport;
use tinker_types::{CheckpointPath, ServerCapabilities};

use super::finding::{Finding, told};
use crate::error::Error;
use crate::sampling::client::SamplingClient;
use crate::service::builder::LEAF_URL;
use crate::service::client::ServiceClient;
use crate::session::source::TransportSource;
use crate::training::client::TrainingClient;

/// Finds the tokenizer of a model, by its name and the id that the server reports: a description, or why it is not
/// usable.
pub type FindTokenizer = fn(&str, &str) -> Result<String, String>;

/// The state of an examination.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) service: ServiceClient,
    /// The requested base model, then the chosen one.
    pub(super) model: Option<String>,
    /// Tokens of the example: a prompt and its completion.
    pub(super) tokens: Vec<u32>,
    pub(super) tokenizer: Option<FindTokenizer>,
    pub(super) capabilities: Option<ServerCapabilities>,
    pub(super) training: Option<TrainingClient>,
    /// Log probabilities of the example before any step, `[tokens - 1]`.
    pub(super) before: Option<Vec<f32>>,
    /// The same after the step.
    pub(super) after: Option<Vec<f32>>,
    pub(super) state: Option<CheckpointPath>,
    pub(super) sampler: Option<SamplingClient>,
    pub(super) sampler_path: Option<CheckpointPath>,
    pub(super) copy: Option<CheckpointPath>,
    /// Time of one training step.
    pub(super) step_time: Option<Duration>,
    /// Name of the check whose failure makes later ones useless.
    pub(super) blocked_by: Option<&'static str>,
}

impl Subject {
    /// The transport with the configured credential, without the calls that open a connection.
    pub(super) fn raw(&self) -> &Transport {
        match self.service.state().source() {
            TransportSource::Stack { raw, .. } => raw,
            TransportSource::Finished(transport) => transport,
        }
    }

    /// Whether the server is in this process, without a network.
    pub(super) fn is_in_process(&self) -> bool {
        self.service.state().config().base_url == LEAF_URL
    }

    /// A failure that makes the rest useless.
    pub(super) fn stop(&mut self, check: &'static str, error: &Error, meaning: &str) -> Finding {
        self.blocked_by = Some(check);
        Finding::failed(told(error), meaning)
    }
}

/// Result of a feature that training and sampling do without.
pub(super) fn feature<T>(result: &Result<T, Error>, works: &str, lacks: &str) -> Finding {
    match result {
        Ok(_) => Finding::passed("works", works),
        Err(error) => Finding::limited(told(error), lacks),
    }
}
