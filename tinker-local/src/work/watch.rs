//! Sending of new tokens to token streams.

use tinker_types::StopReason;
use tinker_types::wire::stream::StreamTokens;
use tokio::sync::mpsc::UnboundedSender;

use tinker_engine::backend::SampledTokens;

/// Sends the new tokens of each sequence. The channel is unbounded: all that is sent is no larger than the sample.
#[derive(Debug)]
pub(crate) struct Watch {
    pieces: UnboundedSender<StreamTokens>,
    sent: Vec<Sent>,
}

/// The part of a sequence that was sent.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    tokens: usize,
    end: bool,
}

impl Watch {
    pub(crate) fn new(pieces: UnboundedSender<StreamTokens>, sequences: usize) -> Self {
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
        let mut piece = StreamTokens::new(sequence, tokens.to_vec(), logprobs.to_vec());
        if has_ended {
            piece.stop_reason = Some(if all.stopped {
                StopReason::Stop
            } else {
                StopReason::Length
            });
        }
        *sent = Sent {
            tokens: all.tokens.len(),
            end: has_ended,
        };
        let _nobody_watches = self.pieces.send(piece);
    }
}
