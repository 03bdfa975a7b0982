//! The engine as a [`Backend`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::adapter::Adapter;
use super::config::ModelConfig;
use super::crew::Crew;
use super::lora::Lora;
use super::model::Model;
use super::sample::{Sampler, Vocabulary};
use super::source::Tensors;
use super::team::Team;
use super::train::train;
use super::weights::{TensorFile, Weights};
use crate::backend::{
    AdamStep, AdapterId, AdapterSpec, AdapterState, Backend, BackendError, Frozen, JobId,
    ModelInfo, SampleJob, SampleOutput, SampledTokens, TrainBatch, TrainOutput,
};
use crate::base::{ByteTokenizer, END, TOKENIZER};

/// Trains LoRA adapters of one frozen base model and samples from them, on the processor.
///
/// Results depend on the requests alone: not on the number of threads, and not on what else is in
/// memory or in a batch. On another processor they may differ in the last digits.
#[derive(Debug)]
pub struct CpuBackend {
    info: ModelInfo,
    model: Model,
    adapters: BTreeMap<AdapterId, Adapter>,
    next: u64,
    crew: Crew,
    sampler: Sampler,
    vocabulary: Arc<dyn Vocabulary>,
    team: Arc<Team>,
    live_sequences: usize,
}

/// Sequences generated at the same time unless [`CpuBackend::with_live_sequences`] says otherwise.
const LIVE_SEQUENCES: usize = 64;

impl CpuBackend {
    /// The built-in model, with as many threads as the machine has processors.
    ///
    /// # Errors
    /// If the weights in the library are damaged.
    #[cfg(feature = "base-model")]
    pub fn builtin() -> Result<Self, BackendError> {
        Self::from_tensors(
            ModelConfig::tiny(),
            crate::base::NAME,
            &TensorFile::new(crate::base::WEIGHTS)?,
        )
    }

    /// A model with random weights: no use but for tests. Its end token is 256 if it has that many.
    ///
    /// # Errors
    /// If the configuration describes no model.
    pub fn random(config: ModelConfig, seed: u64) -> Result<Self, BackendError> {
        config.check()?;
        let bytes = Weights::random(&config, seed).to_f16_safetensors()?;
        Self::from_tensors(config, "tinker-local/random", &TensorFile::new(&bytes)?)
    }

    fn from_tensors(
        config: ModelConfig,
        name: &str,
        tensors: &dyn Tensors,
    ) -> Result<Self, BackendError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let team = Arc::new(Team::new(threads));
        let model = Model::from_tensors(config, tensors, &team)?;
        let config = &model.config;
        let mut info = ModelInfo::new(
            name,
            config.arch.name(),
            config.vocab_size,
            config.max_position_embeddings,
        );
        info.parameters = model.layout.table.len as u64;
        if config.vocab_size > END as usize {
            info.end_tokens = vec![END];
        }
        info.tokenizer = Some(TOKENIZER.to_owned());
        let vocabulary: Arc<dyn Vocabulary> = Arc::new(ByteTokenizer);
        Ok(Self {
            info,
            model,
            adapters: BTreeMap::new(),
            next: 0,
            crew: Crew::new(Arc::clone(&team)),
            sampler: Sampler::new(Arc::clone(&vocabulary), Arc::clone(&team), LIVE_SEQUENCES),
            vocabulary,
            team,
            live_sequences: LIVE_SEQUENCES,
        })
    }

    /// Uses this many threads inside a call, at least one. Results do not depend on it. Sampling jobs
    /// queued before are dropped.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.team = Arc::new(Team::new(threads));
        self.crew = Crew::new(Arc::clone(&self.team));
        self.restart_sampler()
    }

    /// Generates at most this many sequences at the same time, at least one; 64 by default. Each
    /// needs memory for its keys and values, for the built-in model 2 KiB a token. Sampling jobs
    /// queued before are dropped.
    #[must_use]
    pub fn with_live_sequences(mut self, most: usize) -> Self {
        self.live_sequences = most.max(1);
        self.restart_sampler()
    }

    fn restart_sampler(mut self) -> Self {
        self.sampler = Sampler::new(
            Arc::clone(&self.vocabulary),
            Arc::clone(&self.team),
            self.live_sequences,
        );
        self
    }

    fn add(&mut self, adapter: Adapter) -> AdapterId {
        let id = AdapterId(self.next);
        self.next += 1;
        self.adapters.insert(id, adapter);
        id
    }
}

fn unknown(adapter: AdapterId) -> BackendError {
    BackendError::user(format!(
        "there is no adapter {}; it may have been unloaded",
        adapter.0
    ))
}

impl Backend for CpuBackend {
    fn model(&self) -> &ModelInfo {
        &self.info
    }

    fn create(&mut self, spec: &AdapterSpec) -> Result<AdapterId, BackendError> {
        let adapter = Adapter::new(&self.model.config, spec)?;
        Ok(self.add(adapter))
    }

    fn remove(&mut self, adapter: AdapterId) {
        self.adapters.remove(&adapter);
    }

    fn train(
        &mut self,
        adapter: AdapterId,
        batch: &TrainBatch,
    ) -> Result<TrainOutput, BackendError> {
        let found = self
            .adapters
            .get_mut(&adapter)
            .ok_or_else(|| unknown(adapter))?;
        train(&self.model, found, batch, &mut self.crew)
    }

    fn step(
        &mut self,
        adapter: AdapterId,
        constants: &AdamStep,
    ) -> Result<Vec<(String, f64)>, BackendError> {
        let found = self
            .adapters
            .get_mut(&adapter)
            .ok_or_else(|| unknown(adapter))?;
        let norm = found.step(constants)?;
        Ok(vec![("grad_norm:mean".to_owned(), norm)])
    }

    fn export(
        &self,
        adapter: AdapterId,
        with_optimizer: bool,
    ) -> Result<AdapterState, BackendError> {
        Ok(self
            .adapters
            .get(&adapter)
            .ok_or_else(|| unknown(adapter))?
            .export(with_optimizer))
    }

    fn import(&mut self, state: &AdapterState) -> Result<AdapterId, BackendError> {
        let adapter = Adapter::import(&self.model.config, state)?;
        Ok(self.add(adapter))
    }

    fn freeze(&self, adapter: AdapterId) -> Result<Frozen, BackendError> {
        Ok(Frozen(
            self.adapters
                .get(&adapter)
                .ok_or_else(|| unknown(adapter))?
                .packed(),
        ))
    }

    fn thaw(&self, state: &AdapterState) -> Result<Frozen, BackendError> {
        let lora: Arc<Lora> = Adapter::import(&self.model.config, state)?.packed();
        Ok(Frozen(lora))
    }

    fn submit(&mut self, job: SampleJob) -> Result<JobId, BackendError> {
        self.sampler.submit(&self.model, &self.info.end_tokens, job)
    }

    fn cancel(&mut self, job: JobId) {
        self.sampler.cancel(job);
    }

    fn advance(&mut self) -> Vec<(JobId, Result<SampleOutput, BackendError>)> {
        self.sampler.advance(&self.model)
    }

    fn live_jobs(&self) -> usize {
        self.sampler.live_jobs()
    }

    fn peek(&self, job: JobId, see: &mut dyn FnMut(usize, &SampledTokens)) {
        self.sampler.peek(job, see);
    }
}

#[cfg(test)]
mod tests;
