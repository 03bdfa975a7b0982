//! A sequence being generated, and one step of several of them.

use std::sync::Arc;

use super::draw::{DrawScratch, top};
use super::job::Spec;
use super::scratch::Scratch;
use super::stop::StopWatch;
use crate::backend::{JobId, SampledTokens};
use crate::model::{Caches, Group, History, KeyValues, Lora, Model, Precision, Segment, forward};
use crate::random::Random;
use crate::threads::Hands;
use crate::vocabulary::Vocabulary;

/// A sequence that is not over.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) job: JobId,
    /// Number of the sequence within its job.
    pub(super) index: usize,
    pub(super) spec: Arc<Spec>,
    /// Keys and values of its prompt's full pages, block by block, if it shares them.
    prompt: Arc<Vec<KeyValues>>,
    /// Those of all that follows but the last token.
    pub(super) own: Vec<KeyValues>,
    /// Over, by its stop rule, its length, or a fault of the weights.
    pub(super) over: Option<End>,
    pub(super) output: SampledTokens,
    stop: StopWatch,
    random: Random,
}

/// How a sequence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By rule or length.
    Done,
    /// The logits were not finite.
    NotFinite,
}

impl Live {
    pub(super) fn new(
        job: JobId,
        index: usize,
        spec: Arc<Spec>,
        prompt: Arc<Vec<KeyValues>>,
        own: Vec<KeyValues>,
    ) -> Self {
        Self {
            job,
            index,
            prompt,
            own,
            over: (spec.limit == 0).then_some(End::Done),
            output: SampledTokens {
                tokens: Vec::new(),
                logprobs: Vec::new(),
                topk: Vec::new(),
                stopped: false,
            },
            stop: spec.stop.clone(),
            random: Random::new(spec.seed, index as u64),
            spec,
        }
    }

    /// Draws the next token from logits.
    pub(super) fn extend(
        &mut self,
        logits: &[f32],
        norm: f32,
        vocabulary: &dyn Vocabulary,
        scratch: &mut DrawScratch,
    ) {
        if self.over.is_some() {
            return;
        }
        if !norm.is_finite() {
            self.over = Some(End::NotFinite);
            return;
        }
        let token = self.spec.draw.choose(logits, &mut self.random, scratch);
        self.output.tokens.push(token);
        self.output.logprobs.push(logits[token as usize] - norm);
        if self.spec.topk_sample > 0 {
            self.output
                .topk
                .push(top(logits, norm, self.spec.topk_sample));
        }
        self.output.stopped = self.stop.ends_with(token, vocabulary);
        if self.output.stopped || self.output.tokens.len() >= self.spec.limit {
            self.over = Some(End::Done);
        }
    }

    fn history(&mut self) -> History<'_> {
        History {
            shared: &self.prompt,
            shared_len: self.spec.shared_len(),
            own: &mut self.own,
        }
    }

    /// Sequences that use the same adapter have the same key.
    pub(super) fn adapter_key(&self) -> usize {
        self.spec
            .lora
            .as_ref()
            .map_or(0, |lora| Arc::as_ptr(lora) as usize)
    }
}

/// Of a model with rounded copies of its weights, generating reads those; all else reads the exact ones.
const PRECISION: Precision = Precision::Rounded;

/// One more token for each sequence. Sequences with the same adapter follow each other; none is over.
pub(super) fn step(
    hands: Hands<'_>,
    model: &Model,
    live: &mut [Live],
    vocabulary: &dyn Vocabulary,
    scratch: &mut Scratch,
) {
    let mut tokens = Vec::with_capacity(live.len());
    let mut segments = Vec::with_capacity(live.len());
    let mut loras: Vec<(usize, Option<Arc<Lora>>)> = Vec::new();
    for (row, sequence) in live.iter().enumerate() {
        let Some(last) = sequence.output.tokens.last() else {
            continue;
        };
        tokens.push(*last);
        let position = sequence.spec.prompt.len() + sequence.output.tokens.len() - 1;
        segments.push(Segment {
            start: row,
            len: 1,
            position,
        });
        if row == 0 || live[row - 1].adapter_key() != sequence.adapter_key() {
            loras.push((row, sequence.spec.lora.clone()));
        }
    }
    debug_assert_eq!(
        tokens.len(),
        live.len(),
        "a sequence in a step has drawn its first token"
    );
    let groups: Vec<Group<Option<&Lora>>> = loras
        .iter()
        .enumerate()
        .map(|(i, (start, lora))| {
            let end = loras.get(i + 1).map_or(live.len(), |(next, _)| *next);
            Group {
                rows: *start..end,
                with: lora.as_deref(),
            }
        })
        .collect();
    let Scratch { tape, scores, .. } = scratch;
    forward(
        hands,
        model,
        PRECISION,
        &groups,
        &tokens,
        &segments,
        Caches::Rows(live.iter_mut().map(Live::history).collect()),
        tape,
        scores,
        false,
    );
    let n = tokens.len();
    scratch.logits(
        hands,
        model,
        PRECISION,
        &groups,
        0,
        n,
        |row, logits, norm, draw| {
            live[row].extend(logits, norm, vocabulary, draw);
        },
    );
}
