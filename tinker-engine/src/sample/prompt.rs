//! Prompt of a job, run once for all its sequences.

use std::ops::Range;
use std::sync::Arc;

use super::draw::{Draw, DrawScratch, top};
use super::job::Spec;
use super::measure::Measure;
use super::prefix::PAGE;
use crate::model::{KeyValues, ModelConfig};
use crate::random::Random;

/// A prompt in progress: some of its rows have been run.
#[derive(Debug)]
pub(super) struct Filling {
    /// Keys and values, block by block.
    pub(super) caches: Vec<KeyValues>,
    /// Number of rows that have been run or were cached.
    pub(super) rows: usize,
    /// Number of rows that were cached.
    pub(super) cached: usize,
    report: PromptReport,
    last: Option<(Vec<f32>, f32)>,
}

/// A prompt that has been run.
#[derive(Debug)]
pub(super) struct Prompt {
    /// Keys and values, block by block, until the only sequence has taken them.
    pub(super) caches: Arc<Vec<KeyValues>>,
    /// Logits after the last token.
    pub(super) logits: Vec<f32>,
    /// Logarithm of their normaliser.
    pub(super) norm: f32,
    /// Number of tokens whose keys and values were cached.
    pub(super) cached: usize,
    pub(super) report: PromptReport,
}

/// Results about the prompt.
#[derive(Debug, Default)]
pub(super) struct PromptReport {
    pub(super) logprobs: Option<Vec<f32>>,
    pub(super) topk: Option<Vec<Vec<(u32, f32)>>>,
    /// Row `i` predicts position `i + 1`, here and below.
    pub(super) targets: Vec<Vec<f32>>,
    pub(super) alternatives: Vec<Vec<(u32, f32)>>,
}

/// Results of some rows.
#[derive(Debug, Default)]
pub(super) struct Part {
    logprobs: Vec<f32>,
    topk: Vec<Vec<(u32, f32)>>,
    targets: Vec<Vec<f32>>,
    alternatives: Vec<Vec<(u32, f32)>>,
    last: Option<(Vec<f32>, f32)>,
}

/// Random stream of the alternatives at row 0; row `i` uses the stream `i` below it. Sequences use the streams from 0 up.
const ALTERNATIVES: u64 = u64::MAX;

impl Filling {
    /// Starts with the cached pages.
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
        // Positions up to the first row that is needed have no results.
        let unreported = spec.first_row() + 1;
        let report = PromptReport {
            logprobs: spec.prompt_logprobs.then(|| vec![f32::NAN; unreported]),
            topk: (spec.topk_prompt > 0).then(|| vec![Vec::new(); unreported]),
            ..PromptReport::default()
        };
        let cached = pages.len() * PAGE;
        Self {
            caches,
            rows: cached,
            cached,
            report,
            last: None,
        }
    }

    /// Appends the results of the next rows.
    pub(super) fn add(&mut self, part: Part) {
        if let Some(logprobs) = &mut self.report.logprobs {
            logprobs.extend(part.logprobs);
        }
        if let Some(topk) = &mut self.report.topk {
            topk.extend(part.topk);
        }
        self.report.targets.extend(part.targets);
        self.report.alternatives.extend(part.alternatives);
        self.last = part.last.or(self.last.take());
    }

    /// The prompt, once its last row has been run.
    pub(super) fn finish(&mut self) -> Option<Prompt> {
        let (logits, norm) = self.last.take()?;
        Some(Prompt {
            caches: Arc::new(std::mem::take(&mut self.caches)),
            logits,
            norm,
            cached: self.cached,
            report: std::mem::take(&mut self.report),
        })
    }
}

impl Part {
    /// Records the results of one row from its logits, `[vocab]`.
    pub(super) fn record(
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
            self.topk
                .push(top(logits, Measure::Plain { norm }, spec.topk_prompt));
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

/// The rows whose logits are needed.
pub(super) fn wanted(spec: &Spec, rows: &Range<usize>) -> Range<usize> {
    rows.start.max(spec.first_row())..rows.end
}

impl Prompt {
    /// Caches of one more sequence: those it shares with others, and those it owns.
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
