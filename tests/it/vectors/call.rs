//! Calls of our client's public API, as data.

mod admin;
mod rest;

use std::time::Duration;

use tinker_client::{
    Datum, ExportOptions, FinishReason, LoadOptions, Loss, LossGraph, ModelInput, OptimParams,
    SampleOptions, SamplingSource, SaveOptions, TrainingOptions,
};
use tinker_types::SamplerSaveKind;

pub(crate) use admin::AdminCall;
pub(crate) use rest::{Copy, Page, RestCall};

/// One call of the public API.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    /// Any call that opens the session.
    Open,
    Capabilities,
    NewModel {
        base: String,
        options: TrainingOptions,
    },
    LoadModel {
        options: LoadOptions,
        with_optimizer: bool,
    },
    NewSampler(SamplingSource),
    /// Joins a sampler by its handle; the copy replaces the original.
    CopySampler(String),
    /// Creates a custom loss of the session.
    NewLoss(LossGraph),
    /// Checks the access of the account.
    CheckAccess,
    Train {
        model: String,
        work: Work,
    },
    Sample {
        sampler: String,
        seq_id: u64,
        prompt: ModelInput,
        options: SampleOptions,
        /// Returns only the log probabilities of the prompt.
        logprobs_only: bool,
    },
    Close {
        reason: FinishReason,
        detail: Option<String>,
    },
    Rest(RestCall),
    /// `copy_weights` of the service client.
    CopyOfService(Copy),
    Admin(AdminCall),
}

/// A method of the training client.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    Pass(Pass),
    /// A pass with a loss computed by the client: see `custom_loss`.
    Custom {
        pass: Pass,
        fails: bool,
    },
    /// A pass with a custom loss of the session, by its id.
    PassWith {
        loss: String,
        data: Vec<Datum>,
    },
    Optim(OptimParams),
    SaveState(SaveOptions),
    SaveForSampler(SaveOptions),
    SaveExternal(ExportOptions),
    SaveAndSample(SamplerSaveKind),
}

/// A pass over data, in the chunks that were sent.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    pub(crate) forward_only: bool,
    pub(crate) loss: Loss,
    /// By sequence id.
    pub(crate) parts: Vec<(u64, Vec<Datum>)>,
}

impl Pass {
    /// Chunks of one call have consecutive sequence ids and the same loss.
    pub(crate) fn continues(&self, other: &Self) -> bool {
        let Some(&(seq_id, _)) = other.parts.first() else {
            return false;
        };
        let is_next = |&(own, _): &(u64, _)| own.abs_diff(seq_id) == 1;
        self.forward_only == other.forward_only
            && self.loss == other.loss
            && self.parts.iter().any(is_next)
    }

    /// The data in order.
    pub(crate) fn data(mut self) -> Vec<Datum> {
        self.parts.sort_by_key(|(seq_id, _)| *seq_id);
        self.parts.into_iter().flat_map(|(_, data)| data).collect()
    }
}

impl Call {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Open => "first use",
            Self::Capabilities => "server_capabilities",
            Self::NewModel { .. } => "create_lora_training_client",
            Self::LoadModel { .. } => "create_training_client_from_state",
            Self::NewSampler(_) => "create_sampling_client",
            Self::CopySampler(_) => "sampling_client_from_handle",
            Self::NewLoss(_) => "create_custom_loss",
            Self::CheckAccess => "check_access",
            Self::Train { work, .. } => match work {
                Work::Pass(pass) if pass.forward_only => "forward",
                Work::Pass(_) => "forward_backward",
                Work::Custom { .. } => "forward_backward_custom",
                Work::PassWith { .. } => "forward_backward_with",
                Work::Optim(_) => "optim_step",
                Work::SaveState(_) => "save_state",
                Work::SaveForSampler(_) => "save_weights_for_sampler",
                Work::SaveExternal(_) => "save_weights_external",
                Work::SaveAndSample(_) => "save_weights_and_get_sampling_client",
            },
            Self::Sample {
                logprobs_only: true,
                ..
            } => "compute_logprobs",
            Self::Sample { .. } => "sample",
            Self::Close { .. } => "close",
            Self::Rest(call) => call.name(),
            Self::CopyOfService(_) => "call(CopyWeights)",
            Self::Admin(call) => call.name(),
        }
    }

    /// Whether the call makes a client that later calls may need.
    pub(crate) fn makes_client(&self) -> bool {
        matches!(
            self,
            Self::NewModel { .. }
                | Self::LoadModel { .. }
                | Self::NewSampler(_)
                | Self::CopySampler(_)
                | Self::NewLoss(_)
        )
    }
}

/// The options of a recorded save.
pub(crate) fn save_options(
    name: &str,
    ttl_seconds: Option<u64>,
    notes: Option<std::collections::BTreeMap<String, String>>,
) -> SaveOptions {
    let mut options = SaveOptions::new(name);
    options.ttl = ttl_seconds.map(Duration::from_secs);
    options.user_metadata = notes.unwrap_or_default();
    options
}
