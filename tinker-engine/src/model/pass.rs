//! One pass over a few sequences: forth, loss, and back.

use super::attention::KeyValues;
use super::backward::{BackwardScratch, backward};
use super::forward::{Caches, Segment, SegmentCaches, forward};
use super::head::{HeadScratch, Objective, head};
use super::linear::{Grads, Group};
use super::lora::Lora;
use super::packed::{Model, Precision};
use super::tape::Tape;
use crate::threads::Hands;

/// Everything a pass needs, kept from pass to pass.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    tape: Tape,
    cache: KeyValues,
    scores: Vec<f32>,
    dx: Vec<f32>,
    head: HeadScratch,
    back: BackwardScratch,
}

/// One cache for all: a training pass uses it for one segment in one block, then never again.
struct Passing<'a>(&'a mut KeyValues);

impl SegmentCaches for Passing<'_> {
    fn cache(&mut self, _segment: usize, _block: usize) -> &mut KeyValues {
        self.0
    }
}

impl Workspace {
    /// Fills `logprobs`, one per cell, adds to `grads` if there are any, and returns the loss.
    /// Segments start at position 0.
    #[expect(clippy::too_many_arguments, reason = "what one pass works on")]
    pub(crate) fn pass(
        &mut self,
        hands: Hands<'_>,
        model: &Model,
        lora: Option<&Lora>,
        tokens: &[u32],
        segments: &[Segment],
        objective: &Objective<'_>,
        logprobs: &mut [f32],
        mut grads: Option<&mut Grads<'_>>,
    ) -> f64 {
        let Self {
            tape,
            cache,
            scores,
            dx,
            head: head_scratch,
            back,
        } = self;
        let longest = segments.iter().map(|s| s.len).max().unwrap_or(0);
        cache.reserve(&model.config, longest);
        let groups = [Group {
            rows: 0..tokens.len(),
            with: lora,
        }];
        let keep = grads.is_some();
        forward(
            hands,
            model,
            Precision::Exact,
            &groups,
            tokens,
            segments,
            Caches::Segments(&mut Passing(cache)),
            tape,
            scores,
            keep,
        );
        let (loss, any) = head(
            hands,
            model,
            lora,
            tape,
            objective,
            logprobs,
            grads.as_deref_mut(),
            dx,
            head_scratch,
            back,
        );
        if let (Some(grads), true) = (grads, any) {
            let dx = &mut dx[..tokens.len() * model.config.hidden_size];
            backward(hands, model, lora, tokens, segments, tape, dx, grads, back);
        }
        loss
    }
}
