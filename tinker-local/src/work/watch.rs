//! Samples on their way, for somebody who watches.

use tokio::sync::mpsc::UnboundedSender;

use crate::backend::SampledTokens;

/// Some tokens of one sequence of a sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    /// Number of the sequence within its request.
    pub(crate) sequence: usize,
    pub(crate) tokens: Vec<u32>,
    pub(crate) logprobs: Vec<f32>,
}

/// Sends what is new of each sequence. Nobody holds it up: what is sent is no more than the sample itself.
#[derive(Debug)]
pub(crate) struct Watch {
    pieces: UnboundedSender<Piece>,
    /// Tokens sent of each sequence.
    sent: Vec<usize>,
}

impl Watch {
    pub(crate) fn new(pieces: UnboundedSender<Piece>, sequences: usize) -> Self {
        Self {
            pieces,
            sent: vec![0; sequences],
        }
    }

    /// Sends what is new of a sequence.
    pub(super) fn see(&mut self, sequence: usize, all: &SampledTokens) {
        let Some(sent) = self.sent.get_mut(sequence) else {
            return;
        };
        let (Some(tokens), Some(logprobs)) = (all.tokens.get(*sent..), all.logprobs.get(*sent..))
        else {
            return;
        };
        if tokens.is_empty() {
            return;
        }
        let piece = Piece {
            sequence,
            tokens: tokens.to_vec(),
            logprobs: logprobs.to_vec(),
        };
        *sent = all.tokens.len();
        let _nobody_watches = self.pieces.send(piece);
    }
}
