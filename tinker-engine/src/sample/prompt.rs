//! The prompt of a job, run once for all its sequences.

use std::ops::Range;
use std::sync::Arc;

use super::draw::{Draw, DrawScratch, top};
use super::job::Spec;
use super::prefix::PAGE;
use crate::model::{KeyValues, ModelConfig};
use crate::random::Random;

/// A prompt on its way: some of its rows have been run.
#[derive(Debug)]
pub(super) struct Filling {
    /// Keys and values, block by block.
    pub(super) caches: Vec<KeyValues>,
    /// Rows that have been run or were known.
    pub(super) rows: usize,
    /// Rows that were known.
    pub(super) known: usize,
    said: Said,
    last: Option<(Vec<f32>, f32)>,
}

/// What is left of a prompt.
#[derive(Debug)]
pub(super) struct Prompt {
    /// Keys and values, block by block, until the only sequence has taken them.
    pub(super) caches: Arc<Vec<KeyValues>>,
    /// Logits after the last token.
    pub(super) logits: Vec<f32>,
    /// Logarithm of their normaliser.
    pub(super) norm: f32,
    /// Tokens that were not run because their keys and values were known.
    pub(super) known: usize,
    pub(super) said: Said,
}

/// What a job reports of its prompt.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) logprobs: Option<Vec<f32>>,
    pub(super) topk: Option<Vec<Vec<(u32, f32)>>>,
    /// Row `i` is about position `i + 1`, here and below.
    pub(super) targets: Vec<Vec<f32>>,
    pub(super) alternatives: Vec<Vec<(u32, f32)>>,
}

/// What some rows say.
#[derive(Debug, Default)]
pub(super) struct Part {
    logprobs: Vec<f32>,
    topk: Vec<Vec<(u32, f32)>>,
    targets: Vec<Vec<f32>>,
    alternatives: Vec<Vec<(u32, f32)>>,
    last: Option<(Vec<f32>, f32)>,
}

/// Stream of the draws of alternatives at row 0, that of row 1 is one below; those of the sequences are
/// numbered from 0.
const ALTERNATIVES: u64 = u64::MAX;

impl Filling {
    /// Begins with the pages that are known.
    pub(super) fn new(config: &ModelConfig, spec: &Spec, pages: &[impl AsRef<[f32]>]) -> Self {
        let mut caches: Vec<_> = (0..config.num_hidden_layers)
            .map(|_| KeyValues::new(config, spec.prompt_room()))
            .collect();
        for (p, page) in pages.iter().enumerate() {
            let mut rest = page.as_ref();
            for cache in &mut caches {
                rest = cache.write_page(config, p, rest);
            }
        }
        // Of the positions up to the first row that is asked about nothing can be said.
        let silent = spec.first_row() + 1;
        let said = Said {
            logprobs: spec.prompt_logprobs.then(|| vec![f32::NAN; silent]),
            topk: (spec.topk_prompt > 0).then(|| vec![Vec::new(); silent]),
            ..Said::default()
        };
        let known = pages.len() * PAGE;
        Self {
            caches,
            rows: known,
            known,
            said,
            last: None,
        }
    }

    /// Adds what the next rows say.
    pub(super) fn add(&mut self, part: Part) {
        if let Some(logprobs) = &mut self.said.logprobs {
            logprobs.extend(part.logprobs);
        }
        if let Some(topk) = &mut self.said.topk {
            topk.extend(part.topk);
        }
        self.said.targets.extend(part.targets);
        self.said.alternatives.extend(part.alternatives);
        self.last = part.last.or(self.last.take());
    }

    /// The prompt, when its last row has been run.
    pub(super) fn finish(&mut self) -> Option<Prompt> {
        let (logits, norm) = self.last.take()?;
        Some(Prompt {
            caches: Arc::new(std::mem::take(&mut self.caches)),
            logits,
            norm,
            known: self.known,
            said: std::mem::take(&mut self.said),
        })
    }
}

impl Part {
    /// Takes in the logits of one row.
    pub(super) fn hear(
        &mut self,
        spec: &Spec,
        row: usize,
        logits: &[f32],
        norm: f32,
        scratch: &mut DrawScratch,
    ) {
        let Some(next) = spec.prompt.get(row + 1) else {
            self.last = Some((logits.to_vec(), norm));
            return;
        };
        let logprob = |token: u32| logits[token as usize] - norm;
        if spec.prompt_logprobs {
            self.logprobs.push(logprob(*next));
        }
        if spec.topk_prompt > 0 {
            self.topk.push(top(logits, norm, spec.topk_prompt));
        }
        if let Some(targets) = spec.target_prompt.get(row) {
            let logprobs = targets.iter().map(|token| logprob(*token));
            self.targets.push(logprobs.collect());
        }
        if spec.alternatives > 0 {
            let plain = Draw {
                temperature: spec.draw.temperature,
                top_k: None,
                top_p: 1.0,
            };
            let mut random = Random::new(spec.seed, ALTERNATIVES - row as u64);
            let drawn = (0..spec.alternatives).map(|_| {
                let token = plain.choose(logits, &mut random, scratch);
                (token, logprob(token))
            });
            self.alternatives.push(drawn.collect());
        }
    }
}

/// Of these rows, those whose logits are wanted.
pub(super) fn wanted(spec: &Spec, rows: &Range<usize>) -> Range<usize> {
    rows.start.max(spec.first_row())..rows.end
}

impl Prompt {
    /// What one more sequence shares with others, and what it has of its own.
    pub(super) fn branch(
        &mut self,
        config: &ModelConfig,
        spec: &Spec,
    ) -> (Arc<Vec<KeyValues>>, Vec<KeyValues>) {
        let n = spec.prompt.len();
        if spec.is_single() {
            let caches = std::mem::take(&mut self.caches);
            return (Arc::default(), Arc::unwrap_or_clone(caches));
        }
        let room = n - spec.shared_len() + spec.limit;
        let own = (self.caches.iter()).map(|cache| cache.tail(config, n, room));
        (Arc::clone(&self.caches), own.collect())
    }
}
