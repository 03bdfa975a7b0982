//! The engine as a [`Backend`].

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::adapter::{Adapter, left_out};
use crate::backend::{
    AdamStep, AdapterId, AdapterSpec, AdapterState, Backend, BackendError, Frozen, JobId,
    ModelInfo, SampleJob, SampleOutput, SampledTokens, StopRule, TrainBatch, TrainOutput,
};
use crate::base::{ByteTokenizer, END, TOKENIZER};
use crate::model::{Lora, Model, ModelConfig, TensorFile, TensorSource, Weights};
use crate::sample::{Sampler, cache_bytes};
use crate::threads::Team;
use crate::train::{Crew, train};
use crate::vocabulary::Vocabulary;

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
    /// The vocabulary is the model's own.
    knows_text: bool,
    team: Arc<Team>,
    live_sequences: usize,
    cache_bytes: usize,
    prefix_bytes: usize,
}

/// Sequences generated at the same time unless [`CpuBackend::with_live_sequences`] says otherwise.
const LIVE_SEQUENCES: usize = 64;

/// Bytes of keys and values of live sequences that are there for every model.
const CACHE_BYTES: usize = 1 << 30;

/// Bytes of the prefix cache unless [`CpuBackend::with_prefix_cache`] says otherwise.
const PREFIX_BYTES: usize = 128 << 20;

impl CpuBackend {
    /// The built-in model, with as many threads as the machine has processors.
    ///
    /// # Errors
    /// If the weights in the library are damaged.
    #[cfg(feature = "base-model")]
    pub fn builtin() -> Result<Self, BackendError> {
        let info = byte_level(&ModelConfig::tiny(), crate::base::NAME);
        let tensors = TensorFile::new(crate::base::WEIGHTS)?;
        Self::from_tensors(
            ModelConfig::tiny(),
            info,
            &tensors,
            Some(Arc::new(ByteTokenizer)),
        )
    }

    /// A model with random weights: no use but for tests. Its end token is 256 if it has that many.
    ///
    /// # Errors
    /// If the configuration describes no model.
    pub fn random(config: ModelConfig, seed: u64) -> Result<Self, BackendError> {
        config.check()?;
        let bytes = Weights::random(&config, seed).to_f16_safetensors()?;
        let info = byte_level(&config, "tinker-local/random");
        let tensors = TensorFile::new(&bytes)?;
        Self::from_tensors(config, info, &tensors, Some(Arc::new(ByteTokenizer)))
    }

    /// Without a vocabulary nothing is known of the text of its tokens.
    pub(crate) fn from_tensors(
        config: ModelConfig,
        mut info: ModelInfo,
        tensors: &dyn TensorSource,
        vocabulary: Option<Arc<dyn Vocabulary>>,
    ) -> Result<Self, BackendError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let team = Arc::new(Team::new(threads));
        let model = Model::from_tensors(config, tensors, &team)?;
        info.parameters = model.layout.table.len as u64;
        let knows_text = vocabulary.is_some();
        let vocabulary = vocabulary.unwrap_or_else(|| Arc::new(ByteTokenizer));
        let context = cache_bytes(&model.config, model.config.max_position_embeddings);
        let weights = model.layout.table.len * size_of::<f32>();
        let cache_bytes = CACHE_BYTES.max(weights).max(context);
        let sampler = Sampler::new(
            Arc::clone(&vocabulary),
            Arc::clone(&team),
            LIVE_SEQUENCES,
            cache_bytes,
            PREFIX_BYTES,
        );
        Ok(Self {
            info,
            model,
            adapters: BTreeMap::new(),
            next: 0,
            crew: Crew::new(Arc::clone(&team)),
            sampler,
            vocabulary,
            knows_text,
            team,
            live_sequences: LIVE_SEQUENCES,
            cache_bytes,
            prefix_bytes: PREFIX_BYTES,
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

    /// Generates at most this many sequences at the same time, at least one; 64 by default. Sampling jobs queued before
    /// are dropped.
    #[must_use]
    pub fn with_live_sequences(mut self, most: usize) -> Self {
        self.live_sequences = most.max(1);
        self.restart_sampler()
    }

    /// Keeps the keys and values of sequences that are being generated, and of prompts that are being run for them, in
    /// at most this many bytes. Each sequence counts for as many tokens as it may grow to (for the built-in model 2 KiB a
    /// token), and waits until there is room; the samples of one prompt share all of it but its last 31 tokens at most,
    /// which counts once. A job that asks for more than all of it is refused; one without
    /// `max_tokens` gets as many as there is room for. Results do not depend on it otherwise.
    ///
    /// By default as many as the weights of a 16-bit model take in memory (4 for each parameter), but at least 1 GiB, and
    /// at least what a sequence of the whole context takes. Sampling jobs queued before are dropped.
    #[must_use]
    pub fn with_cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self.restart_sampler()
    }

    /// Keeps keys and values of prompts in at most this many bytes, so that a prompt that begins like an
    /// earlier one with the same weights is not run whole; 128 MiB by default, and 0 keeps none. Results do
    /// not depend on it. Sampling jobs queued before are dropped.
    #[must_use]
    pub fn with_prefix_cache(mut self, bytes: usize) -> Self {
        self.prefix_bytes = bytes;
        self.restart_sampler()
    }

    /// Generates with weights rounded to 8 bits, symmetric, with a scale for each row of a matrix: half of the memory
    /// to read for a token, which is what a large model with few sequences waits for. The copies take a quarter more
    /// memory. The tokens and log probabilities of a sample are then those of the rounded model, the first token's
    /// apart. Training, prompts and their log probabilities, and the adapters stay exact, and results depend on the
    /// requests alone as ever.
    #[must_use]
    pub fn with_int8_decode(mut self) -> Self {
        self.model.round(&self.team);
        self
    }

    fn restart_sampler(mut self) -> Self {
        self.sampler = Sampler::new(
            Arc::clone(&self.vocabulary),
            Arc::clone(&self.team),
            self.live_sequences,
            self.cache_bytes,
            self.prefix_bytes,
        );
        self
    }

    fn adapter(&self, state: &AdapterState) -> Result<Adapter, BackendError> {
        Adapter::import(&self.model.config, &*left_out(&self.model, state)?)
    }

    fn add(&mut self, adapter: Adapter) -> AdapterId {
        let id = AdapterId(self.next);
        self.next += 1;
        self.adapters.insert(id, adapter);
        id
    }
}

/// What is known of a model that reads bytes.
fn byte_level(config: &ModelConfig, name: &str) -> ModelInfo {
    let (vocab_size, context) = (config.vocab_size, config.max_position_embeddings);
    let mut info = ModelInfo::new(name, config.arch.name(), vocab_size, context);
    if config.vocab_size > END as usize {
        info.end_tokens = vec![END];
    }
    info.tokenizer = Some(TOKENIZER.to_owned());
    info
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
        let adapter = self.adapter(state)?;
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
        let lora: Arc<Lora> = self.adapter(state)?.packed();
        Ok(Frozen(lora))
    }

    fn submit(&mut self, job: SampleJob) -> Result<JobId, BackendError> {
        if matches!(job.stop, StopRule::Text(_)) && !self.knows_text {
            return Err(BackendError::user(
                "stop holds text, but the model's folder has no tokenizer.json that would tell where it ends; give token \
                 ids instead",
            ));
        }
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

    fn peek(&self, job: JobId, see: &mut dyn FnMut(usize, &SampledTokens, bool)) {
        self.sampler.peek(job, see);
    }
}

#[cfg(test)]
mod tests;
