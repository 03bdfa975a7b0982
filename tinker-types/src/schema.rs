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
    CancelFuture,
    ClientConfig,
    ClientConfigRequest,
    CreateModel,
    CreateSamplingSession,
    CreateSession,
    Datum,
    DimuonParams,
    DynamicConfig,
    DynamicConfigRequest,
    FinishSession,
    ForwardBackwardOutput,
    GetInfo,
    LoadWeights,
    LoraConfig,
    ModelCreated,
    ModelInfo,
    ModelInput,
    OptimStep,
    OptimStepOutput,
    OptimizerConfig,
    Problem,
    RetrieveFuture,
    SampleRequest,
    SampleResponse,
    SampledSequence,
    SamplerInfo,
    SamplingParams,
    SamplingSessionCreated,
    SaveWeights,
    SaveWeightsForSampler,
    SavedForSampler,
    SavedWeights,
    ServerCapabilities,
    SessionCreated,
    SessionHeartbeat,
    Submitted,
    TensorData,
    Waiting,
    WeightsInfo,
    WeightsInfoRequest,
    WeightsLoaded,
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
