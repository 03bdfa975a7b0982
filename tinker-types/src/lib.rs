#![doc = include_str!("../README.md")]

mod capability;
mod chunk;
mod datum;
mod endpoint;
mod error;
mod id;
mod input;
mod lora;
mod loss;
mod model;
mod optimizer;
mod problem;
mod promise;
mod provenance;
mod sample;
mod sampling;
mod secret;
mod sequence;
mod session;
mod tensor;
mod training;
mod uri;
mod weights;

#[cfg(feature = "proto")]
pub mod proto;
#[cfg(feature = "schema")]
pub mod schema;

pub use capability::{
    ClientConfig, ClientConfigRequest, DynamicConfig, DynamicConfigRequest, GetServerCapabilities,
    ServerCapabilities, SupportedModel,
};
pub use chunk::{AssetPointer, Chunk, Dmel, EncodedText, Image, ImageFormat};
pub use datum::Datum;
pub use endpoint::{Endpoint, Method, Operation, RequestType};
pub use error::InvalidValue;
pub use id::{LossId, ModelId, RequestId, SamplingSessionId, SequenceId, SessionId};
pub use input::ModelInput;
pub use lora::LoraConfig;
pub use loss::{Loss, LossFn, LossInput, LossValue};
pub use model::{CreateModel, GetInfo, ModelCreated, ModelData, ModelInfo};
pub use optimizer::{AdamParams, DimuonParams, OpenFamily, OptimParams, OptimizerConfig};
pub use problem::{ErrorCategory, Problem};
pub use promise::{CancelFuture, QueueState, RetrieveFuture, Retrieved, Submitted, Waiting};
pub use provenance::{ProvenanceSpan, Span};
pub use sample::{AltTokens, SampleRequest, SampleResponse, TokenLogprob};
pub use sampling::{SamplingParams, Stop};
pub use secret::AccessToken;
pub use sequence::{SampledSequence, StopReason};
pub use session::{
    CreateSamplingSession, CreateSession, FinishReason, FinishSession, GetSampler, SamplerInfo,
    SamplingSessionCreated, SessionCreated, SessionHeartbeat,
};
pub use tensor::{DType, Elements, TensorData};
pub use training::{ForwardBackward, ForwardBackwardOutput, OptimStep, OptimStepOutput};
pub use uri::{CheckpointKind, CheckpointPath};
pub use weights::{
    LoadTarget, LoadWeights, SamplerSaveKind, SaveWeights, SaveWeightsForSampler, SavedForSampler,
    SavedWeights, WeightsInfo, WeightsInfoRequest, WeightsLoaded,
};
