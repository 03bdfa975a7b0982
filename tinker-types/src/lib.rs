#![doc = include_str!("../README.md")]

mod audit;
mod billing;
mod capability;
mod checkpoint;
mod chunk;
mod credential;
mod datum;
mod error;
mod event;
mod external;
mod graph;
mod input;
mod lora;
mod loss;
mod model;
mod optimizer;
mod page;
mod poll;
mod problem;
mod promise;
mod provenance;
mod run;
mod sample;
mod sampling;
mod search;
mod secret;
mod sequence;
mod session;
mod submitted;
mod tensor;
mod time;
mod training;
mod uri;
mod weights;
pub mod wire;

#[cfg(feature = "proto")]
pub mod proto;
#[cfg(feature = "schema")]
pub mod schema;

pub use audit::{AuditEntry, AuditLog, AuditScope, GetAuditLog};
pub use billing::{
    BillingUsage, CheckpointStorage, GetBillingUsage, GetCheckpointStorage, StorageEntry, Usage,
    UsageEvent, UsageSession,
};
pub use capability::{
    ClientConfig, ClientConfigRequest, DynamicConfig, DynamicConfigRequest, GetHealth,
    GetServerCapabilities, Health, ServerCapabilities, SupportedModel,
};
pub use checkpoint::{
    Checkpoint, CheckpointArchiveUrl, CheckpointType, Checkpoints, CopyWeights, DeleteCheckpoint,
    ExternalWeightsUrls, GetCheckpointArchiveUrl, GetExternalWeightsUrls, ListCheckpoints,
    ListRunCheckpoints, PublishCheckpoint, SetCheckpointTtl, UnpublishCheckpoint, WeightsCopied,
};
pub use chunk::{AssetPointer, Chunk, Dmel, EncodedText, Image, ImageFormat};
pub use credential::{
    ApiKeyInfo, DeleteApiKey, ExchangeToken, ExchangedToken, GetApiKey, KeyDetails, OrgDetails,
    UserDetails, Whoami,
};
pub use datum::Datum;
pub use error::InvalidValue;
pub use event::{Event, EventKind, SendTelemetry, Severity, TelemetryAccepted};
pub use external::{SaveWeightsExternal, SavedExternal};
pub use graph::{CreateCustomLoss, CustomLossCreated, Graph, GraphInput, GraphNode};
pub use input::ModelInput;
pub use lora::LoraConfig;
pub use loss::{Loss, LossFn, LossInput, LossValue};
pub use model::{CreateModel, GetInfo, ModelCreated, ModelData, ModelInfo};
pub use optimizer::{AdamParams, DimuonParams, OpenFamily, OptimParams, OptimizerConfig};
pub use page::{AccessScope, Cursor};
pub use poll::{
    Completion, Completions, JoinSamplingSession, PollTarget, RetrieveFutures,
    SamplingSessionJoined,
};
pub use problem::{ErrorCategory, Problem};
pub use promise::{CancelFuture, QueueState, RetrieveFuture, Retrieved, Waiting};
pub use provenance::{ProvenanceSpan, Span};
pub use run::{GetTrainingRun, ListTrainingRuns, TrainingRun, TrainingRuns};
pub use sample::{AltTokens, SampleRequest, SampleResponse, TokenLogprob};
pub use sampling::{SamplingParams, Stop};
pub use search::{
    AssignSessionProject, ExportSessionTrace, FailedPart, FinishWord, FoundSessions, GetSession,
    ListSessions, SearchCursor, SearchSessions, SessionInfo, SessionOwner, SessionStatus,
    SessionSummary, Sessions, StatusFilter, TraceExport,
};
pub use secret::AccessToken;
pub use sequence::{SampledSequence, StopReason};
pub use session::{
    CreateSamplingSession, CreateSession, FinishReason, FinishSession, GetSampler, SamplerInfo,
    SamplingSessionCreated, SessionCreated, SessionHeartbeat,
};
pub use submitted::Submitted;
pub use tensor::{DType, Elements, TensorData};
pub use training::{ForwardBackward, ForwardBackwardOutput, OptimStep, OptimStepOutput};
pub use uri::{CheckpointKind, CheckpointPath};
pub use weights::{
    LoadTarget, LoadWeights, SamplerSaveKind, SaveWeights, SaveWeightsForSampler, SavedForSampler,
    SavedWeights, WeightsInfo, WeightsInfoRequest, WeightsLoaded,
};
pub use wire::{
    Endpoint, LossId, Method, ModelId, Operation, RequestId, RequestType, SamplingSessionId,
    SequenceId, SessionId,
};
