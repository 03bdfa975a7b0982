//! One training pass over a few sequences: forward, loss and backward.

use super::attention::KeyValues;
use super::backward::{BackwardPass, BackwardScratch};
use super::forward::{Caches, ForwardPass, Segment, SegmentCaches};
use super::head::{HeadPass, HeadScratch, Objective};
use super::lora::Lora;
use super::packed::{Model, Precision};
use super::projection::{Grads, Group};
use super::tape::Tape;
use crate::threads::PoolHandle;

/// Buffers of a pass, reused from pass to pass.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    tape: Tape,
    cache: KeyValues,
    dx: Vec<f32>,
    head: HeadScratch,
    backward: BackwardScratch,
}

/// One cache for all segments: a training pass uses it for one segment in one block at a time.
struct SharedCache<'a>(&'a mut KeyValues);

impl SegmentCaches for SharedCache<'_> {
    fn cache(&mut self, _segment: usize, _block: usize) -> &mut KeyValues {
        self.0
    }
}

/// A training pass. Segments start at position 0.
pub(crate) struct TrainingPass<'a> {
    pub(crate) pool: PoolHandle<'a>,
    pub(crate) model: &'a Model,
    pub(crate) lora: Option<&'a Lora>,
    pub(crate) tokens: &'a [u32],
    pub(crate) segments: &'a [Segment],
    pub(crate) objective: &'a Objective<'a>,
}

impl TrainingPass<'_> {
    /// Fills `logprobs`, one per cell, adds to `grads` if there are any, and returns the loss.
    pub(crate) fn run(
        &self,
        workspace: &mut Workspace,
        logprobs: &mut [f32],
        mut grads: Option<&mut Grads<'_>>,
    ) -> f64 {
        let Workspace {
            tape,
            cache,
            dx,
            head,
            backward,
        } = workspace;
        let Self {
            pool,
            model,
            lora,
            tokens,
            segments,
            objective,
        } = *self;
        let longest = segments.iter().map(|s| s.len).max().unwrap_or(0);
        cache.reserve(&model.config, longest);
        let groups = [Group {
            rows: 0..tokens.len(),
            with: lora,
        }];
        let forward = ForwardPass {
            pool,
            model,
            precision: Precision::Exact,
            groups: &groups,
            segments,
            keep: grads.is_some(),
        };
        forward.run(tokens, Caches::Segments(&mut SharedCache(cache)), tape);
        let head_pass = HeadPass {
            pool,
            model,
            lora,
            objective,
        };
        let projection = &mut backward.projection;
        let grads_of_head = grads.as_deref_mut();
        let (loss, any) = head_pass.run(tape, logprobs, grads_of_head, dx, head, projection);
        if let (Some(grads), true) = (grads, any) {
            let dx = &mut dx[..tokens.len() * model.config.hidden_size];
            let pass = BackwardPass {
                pool,
                model,
                lora,
                segments,
            };
            pass.run(tokens, tape, dx, grads, backward);
        }
        loss
    }
}
