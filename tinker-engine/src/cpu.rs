//! CPU backend: the engine behind the [`Backend`] trait.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use crate::adapter::{Adapter, without_base_copies};
use crate::backend::{
    AdamStep, AdapterId, AdapterSpec, AdapterState, Backend, BackendError, BaseModelInfo, JobId,
    SampleJob, SampleOutput, SampledTokens, SamplingWeights, StopRule, TrainBatch, TrainOutput,
};
use crate::base::{ByteVocabulary, END, TOKENIZER};
use crate::model::{Lora, Model, ModelConfig, TensorFile, TensorSource, Weights};
use crate::sample::{Sampler, SamplerBounds, cache_bytes};
use crate::threads::ThreadPool;
use crate::train::{TrainingPool, train};
use crate::vocabulary::Vocabulary;

/// Trains LoRA adapters of one base model and samples from them, on the CPU.
///
/// Results depend on the requests alone, not on the number of threads, and not on what else is in memory or in a batch. On
/// another processor they may differ in the last digits.
#[derive(Debug)]
pub struct CpuBackend {
    info: BaseModelInfo,
    model: Model,
    adapters: BTreeMap<AdapterId, Adapter>,
    next: u64,
    training: TrainingPool,
    sampler: Sampler,
    vocabulary: Arc<dyn Vocabulary>,
    /// The vocabulary is the model's.
    has_vocabulary: bool,
    threads: Arc<ThreadPool>,
    bounds: SamplerBounds,
}

/// Default of [`CpuBackend::with_live_sequences`].
const LIVE_SEQUENCES: usize = 64;

/// Smallest default of [`CpuBackend::with_cache_bytes`].
const CACHE_BYTES: usize = 1 << 30;

/// Default of [`CpuBackend::with_prefix_cache`].
const PREFIX_BYTES: usize = 128 << 20;

impl CpuBackend {
    /// The built-in model, with one thread for each processor.
    ///
    /// # Errors
    /// The weights in the library are damaged.
    #[cfg(feature = "base-model")]
    pub fn builtin() -> Result<Self, BackendError> {
        let info = byte_level(&ModelConfig::tiny(), crate::base::NAME);
        let tensors = TensorFile::new(crate::base::WEIGHTS)?;
        Self::from_tensors(
            ModelConfig::tiny(),
            info,
            &tensors,
            Some(Arc::new(ByteVocabulary)),
        )
    }

    /// A model with random weights, for tests. Its end token is 256 if the vocabulary is larger than that.
    ///
    /// # Errors
    /// The configuration does not describe a model.
    pub fn random(config: ModelConfig, seed: u64) -> Result<Self, BackendError> {
        config.check()?;
        let bytes = Weights::random(&config, seed).to_f16_safetensors()?;
        let info = byte_level(&config, "tinker-local/random");
        let tensors = TensorFile::new(&bytes)?;
        Self::from_tensors(config, info, &tensors, Some(Arc::new(ByteVocabulary)))
    }

    /// A backend of these tensors. Without a vocabulary, stop texts are refused.
    pub(crate) fn from_tensors(
        config: ModelConfig,
        mut info: BaseModelInfo,
        tensors: &dyn TensorSource,
        vocabulary: Option<Arc<dyn Vocabulary>>,
    ) -> Result<Self, BackendError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = Arc::new(ThreadPool::new(threads));
        let model = Model::from_tensors(config, tensors, &threads)?;
        info.parameters = model.layout.table.len as u64;
        let has_vocabulary = vocabulary.is_some();
        let vocabulary = vocabulary.unwrap_or_else(|| Arc::new(ByteVocabulary));
        let context = cache_bytes(&model.config, model.config.max_position_embeddings);
        let weights = model.layout.table.len * size_of::<f32>();
        let bounds = SamplerBounds {
            live_sequences: LIVE_SEQUENCES,
            cache_bytes: CACHE_BYTES.max(weights).max(context),
            prefix_bytes: PREFIX_BYTES,
        };
        let sampler = Sampler::new(Arc::clone(&vocabulary), Arc::clone(&threads), bounds);
        Ok(Self {
            info,
            model,
            adapters: BTreeMap::new(),
            next: 0,
            training: TrainingPool::new(Arc::clone(&threads)),
            sampler,
            vocabulary,
            has_vocabulary,
            threads,
            bounds,
        })
    }

    /// Sets the number of threads inside a call, at least 1; by default one for each processor. Results do not depend on
    /// it. Sampling jobs queued before are dropped.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = Arc::new(ThreadPool::new(threads));
        self.training = TrainingPool::new(Arc::clone(&self.threads));
        self.restart_sampler()
    }

    /// Sets the largest number of sequences generated at the same time, at least 1; 64 by default. Sampling jobs queued
    /// before are dropped.
    #[must_use]
    pub fn with_live_sequences(mut self, most: usize) -> Self {
        self.bounds.live_sequences = most.max(1);
        self.restart_sampler()
    }

    /// Bounds the keys and values of running sequences and their prompts, in bytes. Each sequence counts for as many
    /// tokens as it may grow to (2 KiB a token with the built-in model), and waits until there is room. Samples of one
    /// prompt share its keys and values, except those of its last 31 tokens at most, and the shared part counts once. A
    /// job larger than the bound is refused; one without `max_tokens` gets as many tokens as fit. Otherwise results do not
    /// depend on the bound.
    ///
    /// By default it is what the weights of a 16-bit model take in memory (4 bytes a parameter), but at least 1 GiB and at
    /// least the size of a sequence of the whole context. Sampling jobs queued before are dropped.
    #[must_use]
    pub fn with_cache_bytes(mut self, bytes: usize) -> Self {
        self.bounds.cache_bytes = bytes;
        self.restart_sampler()
    }

    /// Sets the size of the prefix cache in bytes; 128 MiB by default, and 0 disables it. It keeps keys and values of
    /// prompts, so that a prompt that begins like an earlier one with the same weights is not run whole. Results do not
    /// depend on it. Sampling jobs queued before are dropped.
    #[must_use]
    pub fn with_prefix_cache(mut self, bytes: usize) -> Self {
        self.bounds.prefix_bytes = bytes;
        self.restart_sampler()
    }

    /// Generates with weights rounded to 8 bits, symmetric, with one scale for each row of a matrix. This halves the memory
    /// traffic for a token, which bounds the speed of a large model with few sequences; the copies take a quarter more
    /// memory. Tokens and log probabilities of a sample, except the first token's, are then those of the rounded model.
    /// Training, prompts and their log probabilities, and the adapters stay exact, and results still depend on the requests
    /// alone.
    #[must_use]
    pub fn with_int8_decode(mut self) -> Self {
        self.model.round(&self.threads);
        self
    }

    fn restart_sampler(mut self) -> Self {
        let (vocabulary, threads) = (Arc::clone(&self.vocabulary), Arc::clone(&self.threads));
        self.sampler = Sampler::new(vocabulary, threads, self.bounds);
        self
    }

    fn adapter(&self, state: &AdapterState) -> Result<Adapter, BackendError> {
        Adapter::import(
            &self.model.config,
            &*without_base_copies(&self.model, state)?,
        )
    }

    fn add(&mut self, adapter: Adapter) -> AdapterId {
        let id = AdapterId(self.next);
        self.next += 1;
        self.adapters.insert(id, adapter);
        id
    }
}

/// Description of a byte-level model.
fn byte_level(config: &ModelConfig, name: &str) -> BaseModelInfo {
    let (vocab_size, context) = (config.vocab_size, config.max_position_embeddings);
    let mut info = BaseModelInfo::new(name, config.arch.name(), vocab_size, context);
    if config.vocab_size > END as usize {
        info.end_tokens = vec![END];
    }
    info.tokenizer = Some(TOKENIZER.to_owned());
    info
}

/// The adapter that was looked up.
fn known<T>(found: Option<T>, id: AdapterId) -> Result<T, BackendError> {
    found.ok_or_else(|| {
        let id = id.0;
        BackendError::user(format!(
            "there is no adapter {id}; it may have been unloaded"
        ))
    })
}

impl Backend for CpuBackend {
    fn model(&self) -> &BaseModelInfo {
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
        let found = known(self.adapters.get_mut(&adapter), adapter)?;
        train(&self.model, found, batch, &mut self.training)
    }

    fn step(
        &mut self,
        adapter: AdapterId,
        constants: &AdamStep,
    ) -> Result<Vec<(String, f64)>, BackendError> {
        let norm = known(self.adapters.get_mut(&adapter), adapter)?.step(constants)?;
        Ok(vec![("grad_norm:mean".to_owned(), norm)])
    }

    fn export(
        &self,
        adapter: AdapterId,
        with_optimizer: bool,
    ) -> Result<AdapterState, BackendError> {
        Ok(known(self.adapters.get(&adapter), adapter)?.export(with_optimizer))
    }

    fn import(&mut self, state: &AdapterState) -> Result<AdapterId, BackendError> {
        let adapter = self.adapter(state)?;
        Ok(self.add(adapter))
    }

    fn snapshot(&self, adapter: AdapterId) -> Result<SamplingWeights, BackendError> {
        let found = known(self.adapters.get(&adapter), adapter)?;
        Ok(SamplingWeights(found.snapshot()))
    }

    fn restore(&self, state: &AdapterState) -> Result<SamplingWeights, BackendError> {
        Ok(SamplingWeights(self.adapter(state)?.snapshot()))
    }

    fn read_weights(&self, from: &mut dyn Read) -> Result<SamplingWeights, BackendError> {
        let lora = Lora::read(from).map_err(|error| {
            BackendError::server(format!("the sampling weights cannot be read: {error}"))
        })?;
        Ok(SamplingWeights(Arc::new(lora)))
    }

    fn submit(&mut self, job: SampleJob) -> Result<JobId, BackendError> {
        if matches!(job.stop, StopRule::Text(_)) && !self.has_vocabulary {
            return Err(BackendError::user(
                "stop holds text, but the model's folder has no tokenizer.json to find text in; give token ids instead",
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
