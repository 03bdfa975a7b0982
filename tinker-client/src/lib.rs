#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod example;

#[cfg(feature = "blocking")]
pub mod blocking;
mod config;
mod custom_loss;
pub mod doctor;
mod download;
pub mod error;
pub mod flow;
pub mod hub;
mod observe;
mod operation;
#[cfg(feature = "profiles")]
pub mod profile;
mod promise;
mod rest;
mod retry;
mod sampling;
mod service;
mod session;
mod telemetry;
pub mod testing;
mod training;
mod wire;

#[cfg(test)]
mod fixture;

pub use config::credentials::{Credentials, CredentialsFile, KeyOrigin, StoredKey};
pub use config::dialect::{Dialect, ForwardOnly, Wire};
pub use config::poll_waits::PollWaits;
pub use config::{Config, ENVIRONMENT, HUB_ENVIRONMENT, OFFICIAL_BASE_URL, Variable, cache_folder};
pub use custom_loss::autodiff;
pub use custom_loss::graph::LossGraph;
pub use custom_loss::handle::LossHandle;
pub use custom_loss::value::CustomLoss;
pub use download::Downloaded;
pub use download::options::{DownloadOptions, DownloadProgress};
pub use error::Error;
pub use observe::event::{ClientEvent, PromiseStep};
pub use observe::observer::{ClientObserver, ClientObservers};
pub use operation::pending::Pending;
pub use operation::waiting::{Waiting, WaitingFor};
pub use rest::account::AccountClient;
pub use rest::checkpoints::CheckpointClient;
pub use rest::copy_options::CopyOptions;
pub use rest::list_options::ListOptions;
pub use rest::pages::Pages;
pub use rest::runs::RunClient;
pub use rest::sessions::SessionClient;
pub use sampling::client::SamplingClient;
pub use sampling::event::SampleEvent;
pub use sampling::handle::SamplerHandle;
pub use sampling::many::BatchPrompt;
pub use sampling::options::SampleOptions;
pub use sampling::source::SamplingSource;
pub use sampling::stream::SampleStream;
pub use service::builder::ServiceClientBuilder;
pub use service::call::RawCall;
pub use service::client::ServiceClient;
pub use session::learned::ServerFacts;
pub use training::client::TrainingClient;
pub use training::options::export::ExportOptions;
pub use training::options::load::LoadOptions;
pub use training::options::save::SaveOptions;
pub use training::options::training::TrainingOptions;
pub use training::step::TrainStepOutput;
pub use wire::console;
pub use wire::request::PROTOCOL_VERSION;

/// Conversations as tokens: tokenizers, chat templates and loss weights. Part of [`data`].
#[cfg(feature = "chat")]
pub mod chat {
    pub use tinker_data::{ChatError, Learn, Message, Renderer, Role, Template, Tokenizer};
}

#[cfg(feature = "chat")]
pub use tinker_data as data;
pub use tinker_transport as transport;
pub use tinker_transport::{ClientCertificate, Logger, Metrics, Proxy};
pub use tinker_types as types;
pub use tinker_types::proto::{ArrayView, SampleView, SequenceView, TopkView};
pub use tinker_types::{
    AccessScope, AdamParams, Advantages, Checkpoint, CheckpointPath, Chunk, Datum, DimuonParams,
    ErrorCategory, FinishReason, ForwardBackwardOutput, InvalidValue, LoraConfig, Loss, LossFn,
    ModelId, ModelInfo, ModelInput, OptimParams, OptimStepOutput, OptimizerConfig, QueueState,
    SampleResponse, SampledSequence, SamplingParams, SavedExternal, SavedWeights,
    ServerCapabilities, SessionId, Stop, StopReason, TensorData, group_advantages,
};
