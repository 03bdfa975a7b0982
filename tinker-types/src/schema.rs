//! JSON Schemas of the messages that travel as JSON.

use schemars::Schema;

use crate as types;

macro_rules! schemas {
    ($($name:ident),* $(,)?) => {
        /// Every schema, by type name, in alphabetical order.
        pub fn all() -> Vec<(&'static str, Schema)> {
            let mut all = vec![$((stringify!($name), schemars::schema_for!(types::$name))),*];
            all.sort_by_key(|(name, _)| *name);
            all
        }
    };
}

schemas!(
    AdamParams,
    ApiKeyInfo,
    AuditLog,
    BillingUsage,
    CancelFuture,
    Checkpoint,
    CheckpointArchiveUrl,
    CheckpointStorage,
    Checkpoints,
    ClientConfig,
    GetClientConfig,
    Completions,
    CopyWeights,
    CreateCustomLoss,
    CreateModel,
    CreateSamplingSession,
    CreateSession,
    CustomLossCreated,
    Datum,
    DimuonParams,
    DynamicConfig,
    GetDynamicConfig,
    ExchangeToken,
    ExchangedToken,
    ExternalWeightsUrls,
    FinishSession,
    FinishWeightsUpload,
    ForwardBackwardOutput,
    FoundCheckpoints,
    FoundSessions,
    GetInfo,
    Health,
    JoinSamplingSession,
    LoadWeights,
    LoraConfig,
    ModelCreated,
    ModelInfo,
    ModelInput,
    OptimStep,
    OptimStepOutput,
    OptimizerConfig,
    ErrorBody,
    RetrieveFuture,
    RetrieveFutures,
    SampleRequest,
    SampleResponse,
    SampledSequence,
    SamplerInfo,
    SamplingParams,
    SamplingSessionCreated,
    SamplingSessionJoined,
    SaveWeights,
    SaveWeightsExternal,
    SaveWeightsForSampler,
    SavedExternal,
    SavedForSampler,
    SavedWeights,
    SearchCheckpoints,
    SearchSessions,
    SendTelemetry,
    ServerCapabilities,
    SessionCreated,
    SessionHeartbeat,
    SessionInfo,
    Sessions,
    StartWeightsUpload,
    Submitted,
    TelemetryAccepted,
    TensorData,
    TraceExport,
    TrainingRun,
    TrainingRuns,
    QueueStatus,
    WeightsCopied,
    WeightsInfo,
    GetWeightsInfo,
    WeightsLoaded,
    WeightsUpload,
    WeightsUploaded,
    Whoami,
);

#[cfg(test)]
mod tests {
    #[test]
    fn a_schema_names_its_required_fields() {
        let (_, schema) = super::all()
            .into_iter()
            .find(|(name, _)| *name == "SampleRequest")
            .unwrap();
        let required = schema.get("required").unwrap().to_string();
        assert!(
            required.contains("sampling_session_id") && !required.contains("sampling_params"),
            "{required}"
        );
    }
}
