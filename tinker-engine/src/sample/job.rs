//! A checked sampling job.

use std::any::Any;
use std::sync::Arc;

use super::draw::Draw;
use super::prefix::PAGE;
use super::stop::StopWatch;
use crate::backend::{BackendError, SampleJob, Snapshot, StopRule};
use crate::model::{KeyValues, Lora, Model, ModelConfig};
use crate::train::check_tokens;

/// Largest number of sequences of a job; more would hold too much memory until the last has ended.
const MOST_SAMPLES: usize = 4096;

/// Bytes of the keys and values of a sequence of this many tokens.
pub(crate) fn cache_bytes(config: &ModelConfig, tokens: usize) -> usize {
    let pages = tokens.div_ceil(PAGE) * config.num_hidden_layers;
    (KeyValues::page_len(config) * size_of::<f32>()).saturating_mul(pages)
}

fn downcast(weights: Arc<dyn Snapshot>) -> Option<Arc<Lora>> {
    let weights: Arc<dyn Any + Send + Sync> = weights;
    weights.downcast().ok()
}

/// Mebibytes, rounded up.
fn mib(bytes: usize) -> usize {
    bytes.div_ceil(1 << 20)
}

/// A checked job: the part that all its sequences share.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) lora: Option<Arc<Lora>>,
    pub(super) prompt: Vec<u32>,
    pub(super) num_samples: usize,
    /// Most new tokens of a sequence, within the context.
    pub(super) limit: usize,
    /// Bytes of the keys and values that all sequences read: those of the prompt's full pages.
    pub(super) shared_bytes: usize,
    /// Bytes of the keys and values of one sequence, for as many tokens as it may grow to.
    pub(super) own_bytes: usize,
    pub(super) draw: Draw,
    pub(super) seed: u64,
    pub(super) stop: StopWatch,
    pub(super) prompt_logprobs: bool,
    /// Number of last positions of which log probabilities and likely tokens are reported; all if `None`.
    last_positions: Option<usize>,
    pub(super) topk_prompt: usize,
    pub(super) topk_sample: usize,
    pub(super) target_prompt: Vec<Vec<u32>>,
    pub(super) alternatives: usize,
}

impl Spec {
    /// Checks a job. `fresh_seed` is used if it has none; `most_bytes` is the bound of all keys and values.
    pub(super) fn new(
        model: &Model,
        end_tokens: &[u32],
        job: SampleJob,
        fresh_seed: u64,
        most_bytes: usize,
    ) -> Result<Self, BackendError> {
        let refuse = |what: String| Err(BackendError::user(what));
        let config = &model.config;
        let (n, context) = (job.prompt.len(), config.max_position_embeddings);
        if n == 0 {
            return refuse("prompt is empty; give at least one token".to_owned());
        }
        if n > context {
            return refuse(format!(
                "prompt has {n} tokens; this model's context is {context}"
            ));
        }
        check_tokens(config, "prompt", &job.prompt).map_err(BackendError::user)?;
        if job.num_samples == 0 || job.num_samples > MOST_SAMPLES {
            return refuse(format!(
                "num_samples is {}; 1 to {MOST_SAMPLES} can be asked for at once",
                job.num_samples
            ));
        }
        if !(job.temperature >= 0.0 && job.temperature.is_finite()) {
            return refuse(format!(
                "temperature is {}; it must be a finite number, at least 0",
                job.temperature
            ));
        }
        if !(job.top_p > 0.0 && job.top_p <= 1.0) {
            return refuse(format!(
                "top_p is {}; it must be above 0 and at most 1",
                job.top_p
            ));
        }
        if job.top_k == Some(0) {
            return refuse("top_k is 0; leave it out (or give -1) to keep all tokens".to_owned());
        }
        let rows = job.target_prompt_logprobs.len();
        if rows != 0 && rows != n - 1 {
            return refuse(format!(
                "target_prompt_logprobs has {rows} rows; a prompt of {n} tokens takes {}",
                n - 1
            ));
        }
        for (row, tokens) in job.target_prompt_logprobs.iter().enumerate() {
            check_tokens(config, &format!("target_prompt_logprobs[{row}]"), tokens)
                .map_err(BackendError::user)?;
        }
        if let StopRule::Text(texts) = &job.stop
            && texts.iter().any(String::is_empty)
        {
            return refuse("stop holds an empty text, which every text contains".to_owned());
        }
        let bytes = |tokens: usize| cache_bytes(config, tokens);
        let mut limit = job.max_tokens.unwrap_or(context).min(context - n);
        if job.max_tokens.is_none() {
            // As many as fit, at least one.
            let room = most_bytes / bytes(PAGE) * PAGE;
            limit = limit.min(room.saturating_sub(n).max(1));
        }
        if bytes(n + limit) > most_bytes {
            let (wants, most) = (mib(bytes(n + limit)), mib(most_bytes));
            return refuse(format!(
                "a prompt of {n} tokens and {limit} new ones take {wants} MiB of keys and values, and this engine has \
                 {most} MiB for them: ask for fewer max_tokens or give a shorter prompt, or raise the engine's bound \
                 (`cache_bytes`, or `tinker serve --max-cache`)"
            ));
        }
        let lora = match job.weights.map(|weights| downcast(weights.0)) {
            None => None,
            Some(Some(lora)) if lora.fits(model) => Some(lora),
            Some(_) => {
                return Err(BackendError::server(
                    "the sampling weights were made for another model",
                ));
            }
        };
        Ok(Self {
            lora,
            prompt: job.prompt,
            num_samples: job.num_samples,
            limit,
            shared_bytes: bytes(n / PAGE * PAGE),
            own_bytes: bytes(n % PAGE + limit),
            draw: Draw {
                temperature: job.temperature,
                top_k: job.top_k,
                top_p: job.top_p,
            },
            seed: job.seed.unwrap_or(fresh_seed),
            stop: StopWatch::new(&job.stop, end_tokens),
            prompt_logprobs: job.prompt_logprobs,
            last_positions: job.prompt_logprobs_last_n,
            topk_prompt: job.topk_prompt_logprobs,
            topk_sample: job.topk_sample_logprobs,
            target_prompt: job.target_prompt_logprobs,
            alternatives: job.prompt_alternatives,
        })
    }

    /// Whether it has one sequence, which then owns all keys and values.
    pub(super) fn is_single(&self) -> bool {
        self.num_samples == 1
    }

    /// Number of prompt positions whose keys and values all sequences read: those of its full pages.
    pub(super) fn shared_len(&self) -> usize {
        if self.is_single() {
            0
        } else {
            self.prompt.len() / PAGE * PAGE
        }
    }

    /// Number of positions that the prompt's caches have room for.
    pub(super) fn prompt_room(&self) -> usize {
        self.prompt.len() + if self.is_single() { self.limit } else { 0 }
    }

    /// First row of the prompt whose logits are needed. Row `i` predicts position `i + 1`; the last row begins the
    /// sequences.
    pub(super) fn first_row(&self) -> usize {
        let last = self.prompt.len() - 1;
        if !self.target_prompt.is_empty() || self.alternatives > 0 {
            0
        } else if self.prompt_logprobs || self.topk_prompt > 0 {
            last.saturating_sub(self.last_positions.unwrap_or(last))
        } else {
            last
        }
    }

    /// Number of pages of `page` tokens that this prompt could reuse from another one that has been run.
    pub(super) fn shares_pages(&self, other: &Self, page: usize) -> usize {
        let is_same = match (&self.lora, &other.lora) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        if !is_same {
            return 0;
        }
        let mine = self.prompt[..self.first_row()].chunks_exact(page);
        let theirs = other.prompt.chunks_exact(page);
        mine.zip(theirs)
            .take_while(|(mine, theirs)| mine == theirs)
            .count()
    }
}
