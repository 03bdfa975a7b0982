//! Reply to a sampling request.

use std::sync::Arc;

use tinker_engine::backend::{BackendError, SampleOutput};
use tinker_types::SessionId;
use tinker_types::proto::encode_sample;
use tracing::Span;

use super::watch::Watch;
use crate::convert::Report;
use crate::state::{Outcome, Payload, PromiseWriter};
use crate::usage::{Kind, Ledger};

/// The part of a sampling request that turns the output of its job into results.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(super) report: Report,
    /// Counts the tokens for the session.
    pub(super) usage: Arc<Ledger>,
    pub(super) session: SessionId,
    /// Tokens of the prompt.
    pub(super) prompt: usize,
    pub(super) promise: PromiseWriter,
    /// Dropped after `promise`, so that the outcome is known when it is gone.
    pub(super) watch: Option<Watch>,
    pub(super) span: Span,
}

impl Reply {
    /// Settles the promise and counts the tokens. The span is closed before, so that a trace is complete when the result
    /// arrives.
    pub(super) fn settle(self, result: Result<SampleOutput, BackendError>) {
        let Self {
            prompt,
            report,
            usage,
            session,
            promise,
            mut watch,
            span,
        } = self;
        let outcome: Outcome = span.in_scope(|| {
            let output = result?;
            if let Some(watch) = &mut watch {
                for (number, sequence) in output.sequences.iter().enumerate() {
                    watch.see(number, sequence, true);
                }
            }
            let cached = output.cache_hit_tokens.min(prompt);
            let sampled = output.sequences.iter().map(|s| s.tokens.len()).sum();
            usage.add(&session, Kind::Prefill, prompt - cached);
            usage.add(&session, Kind::Cached, cached);
            usage.add(&session, Kind::Sampled, sampled);
            let response = report.response(output)?;
            Ok(Payload::Sample(encode_sample(&response)))
        });
        drop(span);
        promise.settle(outcome);
    }
}
