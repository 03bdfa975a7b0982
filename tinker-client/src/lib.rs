#![doc = include_str!("../README.md")]

mod api;
mod batch;
mod blocking;
mod budget;
mod builder;
mod cancel;
mod codec;
mod combine;
mod config;
mod core;
mod flags;
mod format;
mod heartbeat;
mod identity;
mod link;
mod options;
mod pass;
mod patience;
mod pending;
mod promise;
mod queue;
mod sampling;
mod sequencer;
mod service;
mod training;
mod waiting;

#[cfg(feature = "chat")]
pub mod chat;
pub mod error;

#[cfg(test)]
mod testing;

pub use builder::ServiceClientBuilder;
pub use config::{Config, ENVIRONMENT, OFFICIAL_BASE_URL, Variable};
pub use error::Error;
pub use identity::PROTOCOL_VERSION;
pub use options::{LoadOptions, SampleOptions, SamplingSource, SaveOptions, TrainingOptions};
pub use pending::Pending;
pub use sampling::SamplingClient;
pub use service::ServiceClient;
pub use training::TrainingClient;
pub use waiting::{Waiting, WaitingFor};

pub use tinker_transport as transport;
pub use tinker_types as types;
pub use tinker_types::{
    AdamParams, CheckpointPath, Chunk, Datum, DimuonParams, ErrorCategory, FinishReason,
    ForwardBackwardOutput, InvalidValue, LoraConfig, Loss, LossFn, ModelId, ModelInfo, ModelInput,
    OptimParams, OptimStepOutput, OptimizerConfig, QueueState, SampleResponse, SampledSequence,
    SamplingParams, SavedWeights, ServerCapabilities, SessionId, Stop, StopReason, TensorData,
};
