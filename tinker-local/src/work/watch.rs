//! Sending of new tokens to token streams.

use tinker_types::StopReason;
use tokio::sync::mpsc::UnboundedSender;

use crate::backend::SampledTokens;

/// New tokens of one sequence of a sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    /// Index of the sequence within its request.
    pub(crate) sequence: usize,
    pub(crate) tokens: Vec<u32>,
    pub(crate) logprobs: Vec<f32>,
    /// Why the sequence ended, if these are its last tokens.
    pub(crate) ended: Option<StopReason>,
}

/// Sends the new tokens of each sequence. The channel is unbounded: all that is sent is no larger than the sample.
#[derive(Debug)]
pub(crate) struct Watch {
    pieces: UnboundedSender<Piece>,
    sent: Vec<Sent>,
}

/// The part of a sequence that was sent.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    tokens: usize,
    end: bool,
}

impl Watch {
    pub(crate) fn new(pieces: UnboundedSender<Piece>, sequences: usize) -> Self {
        Self {
            pieces,
            sent: vec![Sent::default(); sequences],
        }
    }

    /// Sends the new tokens of a sequence, and its end once it has ended.
    pub(super) fn see(&mut self, sequence: usize, all: &SampledTokens, has_ended: bool) {
        let Some(sent) = self.sent.get_mut(sequence) else {
            return;
        };
        let first = sent.tokens;
        let (Some(tokens), Some(logprobs)) = (all.tokens.get(first..), all.logprobs.get(first..))
        else {
            return;
        };
        if tokens.is_empty() && (sent.end || !has_ended) {
            return;
        }
        let reason = if all.stopped {
            StopReason::Stop
        } else {
            StopReason::Length
        };
        let piece = Piece {
            sequence,
            tokens: tokens.to_vec(),
            logprobs: logprobs.to_vec(),
            ended: has_ended.then_some(reason),
        };
        *sent = Sent {
            tokens: all.tokens.len(),
            end: has_ended,
        };
        let _nobody_watches = self.pieces.send(piece);
    }
}
