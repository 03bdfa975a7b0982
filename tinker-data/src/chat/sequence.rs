//! A sequence of tokens with the weight of each.

use tinker_types::Datum;

use super::rule::Rule;
use crate::error::ChatError;
use crate::tokenizer::Tokenizer;

/// Tokens of an example, and the weight of each in the loss.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sequence {
    pub(super) tokens: Vec<u32>,
    pub(super) weights: Vec<f32>,
    pub(super) rule: Rule,
    /// Number of seams between prompts and answers that a token would have crossed.
    pub(super) merged: usize,
}

impl Sequence {
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            tokens: Vec::new(),
            weights: Vec::new(),
            rule,
            merged: 0,
        }
    }

    /// Appends tokens of one weight.
    pub(super) fn extend(&mut self, tokens: &[u32], weight: f32) {
        self.tokens.extend_from_slice(tokens);
        self.weights.resize(self.tokens.len(), weight);
    }
}

/// Tokens of the whole sequence and the weight of each, from which a datum can be made again. `None` for a datum that
/// holds more, or whose targets are not its input shifted by one.
pub(crate) fn parts(datum: &Datum) -> Option<(Vec<u32>, Vec<f32>)> {
    let inputs = &datum.loss_fn_inputs;
    let targets = inputs.get("target_tokens")?.as_i64()?;
    let mut tokens = datum.model_input.to_tokens().ok()?;
    tokens.push(u32::try_from(*targets.last()?).ok()?);
    let mut weights = vec![0.0];
    weights.extend_from_slice(inputs.get("weights")?.as_f32()?);
    let again = Datum::weighted(&tokens, &weights).ok()?;
    (again == *datum).then_some((tokens, weights))
}

/// An example as a datum for cross entropy.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EncodedExample {
    /// Input, target tokens and weights.
    pub datum: Datum,
    /// Tokens of the whole sequence.
    pub tokens: usize,
    /// Tokens that are learned: those with a weight above 0.
    pub learned: usize,
    /// How the learned tokens were found.
    pub rule: Rule,
    /// Number of seams between a prompt and its answer that a token would have crossed. The answer was encoded apart
    /// from the prompt, as it is sampled.
    pub merged_seams: usize,
}

impl EncodedExample {
    /// Whether the sequence begins with a control token that is repeated: a start token in the text, after the one that
    /// the tokenizer adds.
    pub(crate) fn starts_twice(&self, tokenizer: &Tokenizer) -> bool {
        let input = self.datum.model_input.to_tokens().unwrap_or_default();
        matches!(input[..], [first, second, ..] if first == second && tokenizer.is_control(first))
    }

    /// A datum that is encoded already.
    pub(crate) fn given(datum: Datum) -> Self {
        let weights = datum.loss_fn_inputs.get("weights");
        let weights = weights
            .and_then(|tensor| tensor.as_f32())
            .unwrap_or_default();
        Self {
            // Input and targets are the sequence shifted by one, so each is one token shorter.
            tokens: weights.len() + 1,
            learned: weights.iter().filter(|weight| **weight > 0.0).count(),
            datum,
            rule: Rule::Given,
            merged_seams: 0,
        }
    }

    /// An example from its [`parts`].
    pub(crate) fn from_parts(
        tokens: Vec<u32>,
        weights: Vec<f32>,
        rule: Rule,
        merged_seams: usize,
    ) -> Result<Self, ChatError> {
        Self::new(&Sequence {
            tokens,
            weights,
            rule,
            merged: merged_seams,
        })
    }

    /// The first `most` tokens; `None` if none of them is learned, or if the datum holds more than tokens and weights.
    pub(crate) fn cut(&self, most: usize) -> Option<Self> {
        let (mut tokens, mut weights) = parts(&self.datum)?;
        tokens.truncate(most);
        weights.truncate(most);
        Self::from_parts(tokens, weights, self.rule, self.merged_seams)
            .ok()
            .filter(|shorter| shorter.learned > 0)
    }

    pub(super) fn new(sequence: &Sequence) -> Result<Self, ChatError> {
        let Sequence {
            tokens, weights, ..
        } = sequence;
        let datum = Datum::weighted(tokens, weights).map_err(|error| {
            ChatError::new("tokens and weights do not match").with_source(error)
        })?;
        Ok(Self {
            datum,
            tokens: tokens.len(),
            // The first token is never predicted.
            learned: weights
                .iter()
                .skip(1)
                .filter(|weight| **weight > 0.0)
                .count(),
            rule: sequence.rule,
            merged_seams: sequence.merged,
        })
    }
}
