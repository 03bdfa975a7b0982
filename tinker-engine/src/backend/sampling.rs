//! Sampling jobs and their results.

use std::any::Any;
use std::io::{self, Write};
use std::sync::Arc;

/// Identifies a sampling job within one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Snapshot of an adapter's weights to sample from. Cheap to clone; freed when the last clone drops.
#[derive(Clone)]
pub struct SamplingWeights(pub Arc<dyn Snapshot>);

/// The content of [`SamplingWeights`].
pub trait Snapshot: Any + Send + Sync {
    /// Bytes of memory that it takes.
    fn bytes(&self) -> usize;

    /// Writes it in the form that [`Backend::read_weights`](super::Backend::read_weights) of the same backend reads.
    ///
    /// # Errors
    /// The bytes cannot be written.
    fn write(&self, to: &mut dyn Write) -> io::Result<()>;
}

impl std::fmt::Debug for SamplingWeights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SamplingWeights")
    }
}

/// When a sequence ends before it has reached its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopRule {
    /// At the model's end tokens.
    Default,
    /// Never.
    Never,
    /// At one of these tokens. The stop token is the sequence's last token.
    Tokens(Vec<u32>),
    /// As soon as the generated text contains one of these, and at the model's end tokens. The tokens that completed a
    /// text are kept.
    Text(Vec<String>),
}

/// One sampling request.
#[derive(Debug, Clone)]
pub struct SampleJob {
    /// The adapter to sample from, as [`Backend::snapshot`](super::Backend::snapshot) or
    /// [`Backend::restore`](super::Backend::restore) gave it; `None` samples from the base model.
    pub weights: Option<SamplingWeights>,
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
    /// Seed that makes the draw repeatable, whatever else is in the batch; random if `None`.
    pub seed: Option<u64>,
    /// When to stop.
    pub stop: StopRule,
    /// Report the log probability of each prompt token.
    pub prompt_logprobs: bool,
    /// Report log probabilities and likely tokens of the last `n` prompt positions only; those before are as position 0.
    /// A beginning without reports can come from the prefix cache.
    pub prompt_logprobs_last_n: Option<usize>,
    /// Report this many of the most likely tokens at each prompt position; 0 for none.
    pub topk_prompt_logprobs: usize,
    /// Report the log probabilities of these tokens; row `i` is about prompt position `i + 1`. Empty for none, else one row
    /// for each prompt token after the first.
    pub target_prompt_logprobs: Vec<Vec<u32>>,
    /// Draw this many tokens for each prompt position after the first, at the job's temperature; 0 for none.
    pub prompt_alternatives: usize,
    /// Report this many of the most likely tokens at each sampled position; 0 for none.
    pub topk_sample_logprobs: usize,
}

/// One sampled sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledTokens {
    /// Generated token ids.
    pub tokens: Vec<u32>,
    /// Log probability of each token among all tokens, `[T]`: that of the softmax of `logits / temperature`, so `top_k` and
    /// `top_p` do not change it. At temperature 0 it is that at 1.
    pub logprobs: Vec<f32>,
    /// Most likely tokens at each position with their log probabilities under the same distribution, if requested.
    pub topk: Vec<Vec<(u32, f32)>>,
    /// Whether a stop rule ended it; otherwise its length did.
    pub stopped: bool,
}

/// Result of a sampling job.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleOutput {
    /// The sequences, in order.
    pub sequences: Vec<SampledTokens>,
    /// Log probability of each prompt token given those before it, at temperature 1; NaN at position 0. The other fields
    /// about the prompt are at temperature 1 as well.
    pub prompt_logprobs: Option<Vec<f32>>,
    /// Most likely tokens at each prompt position; empty at position 0.
    pub topk_prompt_logprobs: Option<Vec<Vec<(u32, f32)>>>,
    /// Log probabilities of the tokens of [`SampleJob::target_prompt_logprobs`], row by row.
    pub target_prompt_logprobs: Vec<Vec<f32>>,
    /// The draws of [`SampleJob::prompt_alternatives`] with their log probabilities, row by row.
    pub prompt_alternatives: Vec<Vec<(u32, f32)>>,
    /// Number of prompt tokens taken from the prefix cache.
    pub cache_hit_tokens: usize,
}
