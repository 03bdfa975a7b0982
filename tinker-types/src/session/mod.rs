//! Sessions, samplers and training runs.

mod lifecycle;
mod run;
mod search;

pub use lifecycle::{
    CreateSamplingSession, CreateSession, FinishReason, FinishSession, GetSampler, SamplerInfo,
    SamplingSessionCreated, SessionCreated, SessionHeartbeat,
};
pub use run::{GetTrainingRun, ListTrainingRuns, TrainingRun, TrainingRuns};
pub use search::{
    AssignSessionProject, ExportSessionTrace, FailedPart, FinishStatus, FoundSessions, GetSession,
    ListSessions, SearchCursor, SearchSessions, SessionInfo, SessionOwner, SessionStatus,
    SessionSummary, Sessions, StatusFilter, TraceExport,
};
