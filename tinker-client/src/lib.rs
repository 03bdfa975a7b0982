#![doc = include_str!("../README.md")]

#[macro_use]
mod example;

mod admin;
mod api;
mod ask;
mod batch;
mod blocking;
mod board;
mod budget;
mod builder;
mod cancel;
mod codec;
mod combine;
mod config;
mod copy;
mod core;
mod credentials;
mod custom;
mod download;
mod flags;
mod format;
mod guest;
mod heartbeat;
mod identity;
mod line;
mod link;
mod news;
mod observe;
mod options;
mod pages;
mod pass;
mod patience;
mod pending;
mod poller;
mod promise;
mod rest;
mod sampling;
mod sequencer;
mod service;
mod telemetry;
mod training;
mod waiting;

pub mod autodiff;
pub mod console;
pub mod error;

#[cfg(test)]
mod testing;

pub use admin::AdminClient;
pub use builder::ServiceClientBuilder;
pub use config::{Config, ENVIRONMENT, OFFICIAL_BASE_URL, Variable};
pub use credentials::{Credentials, CredentialsFile, KeyOrigin, StoredKey};
pub use custom::{CustomLoss, LossGraph, LossHandle};
pub use download::Downloaded;
pub use error::Error;
pub use identity::PROTOCOL_VERSION;
pub use observe::{ClientEvent, ClientObserver, ClientObservers, PromiseStep};
pub use options::{
    CopyOptions, DownloadOptions, DownloadProgress, ExportOptions, LoadOptions, SampleOptions,
    SamplingSource, SaveOptions, TrainingOptions,
};
pub use pages::Pages;
pub use pending::Pending;
pub use rest::RestClient;
pub use sampling::{SampleEvent, SampleStream, SamplerHandle, SamplingClient};
pub use service::ServiceClient;
pub use training::TrainingClient;
pub use waiting::{Waiting, WaitingFor};

/// Conversations as tokens: tokenizers, chat templates and loss weights. Part of [`data`].
#[cfg(feature = "chat")]
pub mod chat {
    pub use tinker_data::{ChatError, Message, Renderer, Role, Template, Tokenizer};
}

#[cfg(feature = "chat")]
pub use tinker_data as data;
pub use tinker_transport as transport;
pub use tinker_transport::{Logger, Metrics};
pub use tinker_types as types;
pub use tinker_types::{
    AccessScope, AdamParams, Checkpoint, CheckpointPath, Chunk, Datum, DimuonParams, ErrorCategory,
    FinishReason, ForwardBackwardOutput, InvalidValue, LoraConfig, Loss, LossFn, ModelId,
    ModelInfo, ModelInput, OptimParams, OptimStepOutput, OptimizerConfig, QueueState,
    SampleResponse, SampledSequence, SamplingParams, SavedExternal, SavedWeights,
    ServerCapabilities, SessionId, Stop, StopReason, TensorData,
};
