//! The clients of a replay.

use std::collections::BTreeMap;

use tinker_client::{LossHandle, SamplingClient, ServiceClient, TrainingClient};

/// The clients of a replay.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) service: ServiceClient,
    /// The origin of the REST and the admin client, which are separate clients in the official SDK.
    pub(crate) apart: ServiceClient,
    pub(crate) models: BTreeMap<String, TrainingClient>,
    pub(crate) samplers: BTreeMap<String, SamplingClient>,
    pub(crate) losses: BTreeMap<String, LossHandle>,
}
