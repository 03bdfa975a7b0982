//! Sampling jobs and their results.

use std::sync::Arc;

/// Names one sampling job inside one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Which weights a sampling job uses.
#[derive(Debug, Clone)]
pub enum SampleWeights {
    /// The base model.
    Base,
    /// A frozen adapter, as [`Backend::freeze`](super::Backend::freeze) or [`Backend::thaw`](super::Backend::thaw) gave it.
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
