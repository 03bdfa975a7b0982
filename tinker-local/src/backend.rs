//! The one seam between the HTTP half and an engine: a small trait and the plain batches that
//! cross it. Nothing here knows HTTP, and nothing behind it does.
//!
//! A backend is owned by one worker thread, which calls it with one request at a time; it may use
//! as many threads as it likes inside a call. Every method checks its input before it touches any
//! state: a refused request leaves weights, gradients and caches exactly as they were.

use std::sync::Arc;

pub use crate::error::{BackendError, Fault};

/// Names one trainable adapter inside one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AdapterId(pub u64);

/// Names one sampling job inside one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// What a backend serves.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The name users give as `base_model`.
    pub name: String,
    /// Family of the architecture, for example `qwen3`.
    pub arch: String,
    /// Number of token ids; ids run from 0 to one below it.
    pub vocab_size: usize,
    /// Longest sequence, prompt and generated tokens together.
    pub context: usize,
    /// Parameters of the base model.
    pub parameters: u64,
    /// Tokens that end a sequence unless a request says otherwise.
    pub end_tokens: Vec<u32>,
    /// Name of the tokenizer, for clients that pick theirs by it.
    pub tokenizer: Option<String>,
    /// The folder it was loaded from, if it was.
    pub folder: Option<std::path::PathBuf>,
}

impl ModelInfo {
    /// Describes a model; `end_tokens` starts empty, `tokenizer` and `folder` unset.
    pub fn new(
        name: impl Into<String>,
        arch: impl Into<String>,
        vocab_size: usize,
        context: usize,
    ) -> Self {
        Self {
            name: name.into(),
            arch: arch.into(),
            vocab_size,
            context,
            parameters: 0,
            end_tokens: Vec::new(),
            tokenizer: None,
            folder: None,
        }
    }
}

/// Shape of a new adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterSpec {
    /// LoRA rank, at least 1.
    pub rank: usize,
    /// Seed of the initial `A` matrices (`B` starts at zero).
    pub seed: u64,
    /// Adapt the attention projections.
    pub attention: bool,
    /// Adapt the MLP projections.
    pub mlp: bool,
    /// Adapt the output head.
    pub unembed: bool,
}

/// A loss with a public definition, with its constants. Each is a sum over tokens and data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LossKind {
    /// `-sum w lp`.
    CrossEntropy,
    /// `-sum r A`, with `r = exp(lp - q)`.
    ImportanceSampling,
    /// `-sum min(r A, clamp(r, low, high) A)`.
    Ppo {
        /// Lower bound of the ratio.
        low: f32,
        /// Upper bound of the ratio.
        high: f32,
    },
    /// `-sum stopgrad(clamp(r, low, high)) lp A`.
    Cispo {
        /// Lower bound of the ratio.
        low: f32,
        /// Upper bound of the ratio.
        high: f32,
    },
    /// `-sum (lp A - beta/2 (lp - q)^2)`.
    Dro {
        /// Strength of the quadratic penalty.
        beta: f32,
    },
}

/// One training example. `T` is the number of input tokens; position `t` of the input predicts
/// `targets[t]`, so a caller shifts by one. Arrays of `[T, K]` are row-major.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainDatum {
    /// Input token ids, `[T]`.
    pub tokens: Vec<u32>,
    /// Target token ids, `[T, K]`.
    pub targets: Vec<u32>,
    /// Targets per position, `K`: 1 unless a whole distribution is distilled (cross entropy only).
    pub targets_per_position: usize,
    /// Weight of each cell, `[T, K]`; cross entropy.
    pub weights: Option<Vec<f32>>,
    /// Log probability of each target under the policy that sampled it, `[T]`.
    pub logprobs: Option<Vec<f32>>,
    /// Advantage of each target, `[T]`.
    pub advantages: Option<Vec<f32>>,
    /// Lower ratio bound of each token instead of the loss's constant, `[T]`.
    pub clip_low: Option<Vec<f32>>,
    /// Upper ratio bound of each token instead of the loss's constant, `[T]`.
    pub clip_high: Option<Vec<f32>>,
}

/// The data of one `forward` or `forward_backward`.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainBatch {
    /// The examples.
    pub data: Vec<TrainDatum>,
    /// The loss over them.
    pub loss: LossKind,
    /// Leave the gradients alone and only report.
    pub forward_only: bool,
}

/// What a training pass returns.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOutput {
    /// Log probability of each target, `[T, K]` for each datum, in order.
    pub logprobs: Vec<Vec<f32>>,
    /// The loss, summed over the batch.
    pub loss_sum: f64,
    /// Further metrics, named `name:reduction`.
    pub metrics: Vec<(String, f64)>,
}

/// Constants of one AdamW step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest global gradient norm; 0 leaves gradients as they are.
    pub grad_clip_norm: f64,
}

/// A tensor with the name it has in a PEFT file.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// For example `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`.
    pub name: String,
    /// Row-major shape.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Arc<[f32]>,
}

/// An optimizer's memory, parallel to the tensors of its adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState {
    /// Steps taken.
    pub step: u64,
    /// First moments, in the order of [`AdapterState::tensors`].
    pub first: Vec<Arc<[f32]>>,
    /// Second moments, in the same order.
    pub second: Vec<Arc<[f32]>>,
}

/// An adapter as plain data: what a checkpoint holds.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterState {
    /// How the adapter was made.
    pub spec: AdapterSpec,
    /// LoRA scaling numerator; the update is `alpha / rank * B A`.
    pub alpha: f32,
    /// The weights.
    pub tensors: Vec<NamedTensor>,
    /// The optimizer's memory, if it was asked for.
    pub optimizer: Option<OptimizerState>,
}

impl AdapterState {
    /// Bytes of its arrays.
    pub(crate) fn bytes(&self) -> usize {
        let weights: usize = self.tensors.iter().map(|tensor| tensor.data.len()).sum();
        let moments = if self.optimizer.is_some() { 2 } else { 0 };
        weights * size_of::<f32>() * (1 + moments)
    }
}

/// Which weights a sampling job uses.
#[derive(Debug, Clone)]
pub enum SampleWeights {
    /// The base model.
    Base,
    /// A frozen adapter, as [`Backend::freeze`] or [`Backend::thaw`] gave it.
    Frozen(Frozen),
}

/// Weights that no longer change, ready to sample from. Cheap to clone; freed when the last clone drops.
#[derive(Clone)]
pub struct Frozen(pub Arc<dyn std::any::Any + Send + Sync>);

impl std::fmt::Debug for Frozen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Frozen")
    }
}

/// When a sequence ends, apart from its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopRule {
    /// At the model's own end tokens.
    Default,
    /// At none: only the length ends it.
    Never,
    /// At one of these tokens. The stop token is the sequence's last token.
    Tokens(Vec<u32>),
    /// As soon as the generated text contains one of these. The tokens that completed it are kept.
    Text(Vec<String>),
}

/// One sampling request.
#[derive(Debug, Clone)]
pub struct SampleJob {
    /// Weights to sample from.
    pub weights: SampleWeights,
    /// Prompt token ids, at least one.
    pub prompt: Vec<u32>,
    /// Sequences to draw from the same prompt.
    pub num_samples: usize,
    /// Most tokens of a sequence; `None` is up to the context length.
    pub max_tokens: Option<usize>,
    /// Divides the logits; 0 takes the most likely token.
    pub temperature: f32,
    /// Keep this many of the most likely tokens; `None` keeps all.
    pub top_k: Option<usize>,
    /// Keep the smallest set of likely tokens whose probability reaches this; 1 keeps all.
    pub top_p: f32,
    /// Makes the draw repeatable, whatever else is in the batch.
    pub seed: Option<u64>,
    /// When to stop.
    pub stop: StopRule,
    /// Report the log probability of each prompt token.
    pub prompt_logprobs: bool,
    /// Report log probabilities and likely tokens of the last `n` prompt positions only; those before are as
    /// position 0. A prompt whose beginning is not asked about can be taken from a cache.
    pub prompt_logprobs_last_n: Option<usize>,
    /// Report this many of the most likely tokens at each prompt position.
    pub topk_prompt_logprobs: usize,
    /// Report the log probabilities of these tokens: row `i` is about prompt position `i + 1`. No rows
    /// for none, else one for each prompt token after the first.
    pub target_prompt_logprobs: Vec<Vec<u32>>,
    /// Draw this many tokens for each prompt position after the first, at the job's temperature.
    pub prompt_alternatives: usize,
    /// Report this many of the most likely tokens at each sampled position.
    pub topk_sample_logprobs: usize,
}

/// One sampled sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledTokens {
    /// Generated token ids.
    pub tokens: Vec<u32>,
    /// Log probability of each under the untempered, unfiltered model.
    pub logprobs: Vec<f32>,
    /// Most likely tokens at each position, when asked for.
    pub topk: Vec<Vec<(u32, f32)>>,
    /// Ended by a stop rule; otherwise by length.
    pub stopped: bool,
}

/// What a sampling job returns.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleOutput {
    /// The sequences, in order.
    pub sequences: Vec<SampledTokens>,
    /// Log probability of each prompt token given those before it; NaN at position 0.
    pub prompt_logprobs: Option<Vec<f32>>,
    /// Most likely tokens at each prompt position; empty at position 0.
    pub topk_prompt_logprobs: Option<Vec<Vec<(u32, f32)>>>,
    /// Log probabilities of the tokens of [`SampleJob::target_prompt_logprobs`], row by row.
    pub target_prompt_logprobs: Vec<Vec<f32>>,
    /// The draws of [`SampleJob::prompt_alternatives`] with their log probabilities, row by row.
    pub prompt_alternatives: Vec<Vec<(u32, f32)>>,
    /// Prompt tokens that were taken from a cache.
    pub cache_hit_tokens: usize,
}

/// A model that trains adapters and samples from them.
pub trait Backend: Send {
    /// What it serves.
    fn model(&self) -> &ModelInfo;

    /// Makes a fresh adapter; its first output equals the base model's.
    fn create(&mut self, spec: &AdapterSpec) -> Result<AdapterId, BackendError>;

    /// Forgets an adapter. Unknown ids are ignored.
    fn remove(&mut self, adapter: AdapterId);

    /// Runs the batch forward and, unless it is forward-only, adds its gradients to the adapter's.
    fn train(
        &mut self,
        adapter: AdapterId,
        batch: &TrainBatch,
    ) -> Result<TrainOutput, BackendError>;

    /// Applies the gathered gradients and clears them. Returns metrics, `grad_norm:mean` among them.
    fn step(
        &mut self,
        adapter: AdapterId,
        constants: &AdamStep,
    ) -> Result<Vec<(String, f64)>, BackendError>;

    /// Copies an adapter out. Gathered gradients are not part of it.
    fn export(
        &self,
        adapter: AdapterId,
        with_optimizer: bool,
    ) -> Result<AdapterState, BackendError>;

    /// Makes an adapter from a copy. Refuses shapes and names that do not fit the model.
    fn import(&mut self, state: &AdapterState) -> Result<AdapterId, BackendError>;

    /// A snapshot of an adapter to sample from; training on does not change it.
    fn freeze(&self, adapter: AdapterId) -> Result<Frozen, BackendError>;

    /// The same from a checkpoint.
    fn thaw(&self, state: &AdapterState) -> Result<Frozen, BackendError>;

    /// Queues a sampling job after checking it.
    fn submit(&mut self, job: SampleJob) -> Result<JobId, BackendError>;

    /// Drops a job. Unknown ids are ignored.
    fn cancel(&mut self, job: JobId);

    /// Generates one token for every live sequence and returns the jobs that ended.
    fn advance(&mut self) -> Vec<(JobId, Result<SampleOutput, BackendError>)>;

    /// Jobs that have not ended.
    fn live_jobs(&self) -> usize;

    /// Shows what a job that has not ended has generated so far: number of the sequence, its tokens up to
    /// now, and whether these are all. A backend that can't tell shows nothing, and its samples arrive whole.
    fn peek(&self, job: JobId, see: &mut dyn FnMut(usize, &SampledTokens, bool)) {
        let _ = (job, see);
    }
}
