//! A sequence being generated, and one step of several of them.

use std::sync::Arc;

use super::draw::{DrawScratch, top};
use super::job::Spec;
use super::measure::Measure;
use super::scratch::Scratch;
use super::stop::StopWatch;
use crate::backend::{JobId, SampledTokens};
use crate::model::{
    Adapted, Caches, ForwardPass, Group, History, KeyValues, Lora, Model, Precision, Segment,
};
use crate::random::Random;
use crate::threads::PoolHandle;
use crate::vocabulary::Vocabulary;

/// A running sequence.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) job: JobId,
    /// Number of the sequence within its job.
    pub(super) index: usize,
    pub(super) spec: Arc<Spec>,
    /// Keys and values of its prompt's full pages, block by block, if it shares them.
    prompt: Arc<Vec<KeyValues>>,
    /// Keys and values of what follows, except of the last token.
    pub(super) own: Vec<KeyValues>,
    /// How it ended, once it has.
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
        let excluded = vocabulary.excluded();
        let random = &mut self.random;
        let token = self
            .spec
            .draw
            .choose_except(excluded, logits, random, scratch);
        self.output.tokens.push(token);
        let measure = Measure::of_draw(self.spec.draw.temperature, norm, scratch.normaliser());
        self.output
            .logprobs
            .push(measure.logprob(logits[token as usize]));
        if self.spec.topk_sample > 0 {
            self.output
                .topk
                .push(top(logits, measure, self.spec.topk_sample));
        }
        self.output.stopped = self.stop.ends_with(token, vocabulary);
        if self.output.stopped || self.output.tokens.len() >= self.spec.limit {
            self.over = Some(End::Done);
        }
    }

    /// Position of its last token.
    fn position(&self) -> usize {
        self.spec.prompt.len() + self.output.tokens.len() - 1
    }

    fn history(&mut self) -> History<'_> {
        let position = self.position();
        History {
            shared: &self.prompt,
            shared_len: self.spec.shared_len(),
            own: &mut self.own,
            position,
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

/// Generation reads the rounded weights of a model that has them; everything else reads the exact ones.
const PRECISION: Precision = Precision::Rounded;

/// Draws one token for each sequence. Sequences with the same adapter are adjacent, and none has ended.
pub(super) fn step(
    pool: PoolHandle<'_>,
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
        segments.push(Segment {
            start: row,
            len: 1,
            position: sequence.position(),
        });
        if row == 0 || live[row - 1].adapter_key() != sequence.adapter_key() {
            loras.push((row, sequence.spec.lora.clone()));
        }
    }
    debug_assert_eq!(
        tokens.len(),
        live.len(),
        "a running sequence has drawn its first token"
    );
    let groups: Vec<Adapted<'_>> = loras
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
    let pass = ForwardPass {
        pool,
        model,
        precision: PRECISION,
        groups: &groups,
        segments: &segments,
        keep: false,
    };
    let histories = live.iter_mut().map(Live::history).collect();
    pass.run(&tokens, Caches::Rows(histories), &mut scratch.tape);
    scratch.logits(&pass, 0..tokens.len(), |row, logits, norm, draw| {
        live[row].extend(logits, norm, vocabulary, draw);
    });
}
