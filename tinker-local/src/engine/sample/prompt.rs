//! The prompt of a job, run once for all its sequences.

use super::super::attention::KeyValues;
use super::super::forward::{Caches, Segment, forward};
use super::super::linear::Group;
use super::super::model::Model;
use super::super::random::Random;
use super::draw::{Draw, top};
use super::job::Spec;
use super::scratch::Scratch;

/// What is left of a prompt.
#[derive(Debug)]
pub(super) struct Prompt {
    /// Keys and values, block by block.
    pub(super) caches: Vec<KeyValues>,
    /// Logits after the last token.
    pub(super) logits: Vec<f32>,
    /// Logarithm of their normaliser.
    pub(super) norm: f32,
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

/// Stream of the draws of alternatives; those of the sequences are numbered from 0.
const ALTERNATIVES: u64 = u64::MAX;

struct Blocks<'a>(&'a mut [KeyValues]);

impl Caches for Blocks<'_> {
    fn cache(&mut self, _segment: usize, block: usize) -> &mut KeyValues {
        &mut self.0[block]
    }
}

impl Prompt {
    /// Runs the prompt of a job. The caches have room for a whole sequence.
    pub(super) fn run(model: &Model, spec: &Spec, scratch: &mut Scratch) -> Self {
        let config = &model.config;
        let n = spec.prompt.len();
        let capacity = n + spec.limit;
        let mut caches: Vec<_> = model
            .blocks
            .iter()
            .map(|_| KeyValues::new(config, capacity))
            .collect();
        let groups = [Group {
            rows: 0..n,
            with: spec.lora.as_deref(),
        }];
        let segments = [Segment {
            start: 0,
            len: n,
            position: 0,
        }];
        let Scratch { tape, scores, .. } = scratch;
        forward(
            model,
            &groups,
            &spec.prompt,
            &segments,
            &mut Blocks(&mut caches),
            tape,
            scores,
            false,
        );

        let first = if spec.asks_about_prompt() { 0 } else { n - 1 };
        let plain = Draw {
            temperature: spec.draw.temperature,
            top_k: None,
            top_p: 1.0,
        };
        let mut random = Random::new(spec.seed, ALTERNATIVES);
        let mut logprobs = vec![f32::NAN];
        let mut topk = vec![Vec::new()];
        let mut said = Said::default();
        let mut last = (Vec::new(), f32::NAN);
        scratch.logits(
            model,
            &groups,
            first,
            n - first,
            |row, logits, norm, draw| {
                let Some(next) = spec.prompt.get(row + 1) else {
                    last = (logits.to_vec(), norm);
                    return;
                };
                let logprob = |token: u32| logits[token as usize] - norm;
                logprobs.push(logprob(*next));
                topk.push(top(logits, norm, spec.topk_prompt));
                if let Some(targets) = spec.target_prompt.get(row) {
                    said.targets
                        .push(targets.iter().map(|token| logprob(*token)).collect());
                }
                if spec.alternatives > 0 {
                    let drawn = (0..spec.alternatives).map(|_| {
                        let token = plain.choose(logits, &mut random, draw);
                        (token, logprob(token))
                    });
                    said.alternatives.push(drawn.collect());
                }
            },
        );
        said.logprobs = spec.prompt_logprobs.then_some(logprobs);
        said.topk = (spec.topk_prompt > 0).then_some(topk);
        Self {
            caches,
            logits: last.0,
            norm: last.1,
            said,
        }
    }

    /// Copies of the caches for one more sequence.
    pub(super) fn branch(&self, model: &Model, spec: &Spec) -> Vec<KeyValues> {
        let capacity = spec.prompt.len() + spec.limit;
        self.caches
            .iter()
            .map(|cache| cache.branch(&model.config, spec.prompt.len(), capacity))
            .collect()
    }
}
