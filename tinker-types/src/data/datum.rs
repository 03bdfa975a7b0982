//! Training examples.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::provenance::check_tiles;
use crate::{
    Advantages, InvalidValue, ModelInput, ProvenanceSpan, SampledSequence, SequenceId, TensorData,
};

/// A training example: a model input and the arrays its loss requires, for example target tokens and their weights.
///
/// Position `t` of the input predicts `target_tokens[t]`: input and targets are the same sequence, shifted by one.
/// The constructors apply the shift.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Datum {
    /// Input of the model, `T` positions.
    pub model_input: ModelInput,
    /// Arrays by name; the loss determines which are required, see [`Loss`](crate::Loss).
    #[serde(default)]
    pub loss_fn_inputs: BTreeMap<String, TensorData>,
    /// Spans that tile the input. Either both span lists are given or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model_input_spans: Vec<ProvenanceSpan>,
    /// Spans that tile `target_tokens`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loss_fn_input_spans: Vec<ProvenanceSpan>,
}

impl Datum {
    /// An example without loss inputs; add them with [`Datum::with_input`].
    pub fn new(model_input: ModelInput) -> Self {
        Self {
            model_input,
            ..Self::default()
        }
    }

    /// Adds a loss input.
    #[must_use]
    pub fn with_input(mut self, name: impl Into<String>, tensor: impl Into<TensorData>) -> Self {
        self.loss_fn_inputs.insert(name.into(), tensor.into());
        self
    }

    /// For cross entropy: learns `completion` after `prompt`. Weights are 0 on the prompt and 1 on the completion.
    ///
    /// An empty completion gives a datum without input, which [`Loss::check`](crate::Loss::check) refuses, as there is
    /// nothing to learn. For a prompt that is only read, use [`Datum::weighted`].
    pub fn supervised(prompt: &[u32], completion: &[u32]) -> Self {
        let prompt = if completion.is_empty() { &[] } else { prompt };
        let tokens = [prompt, completion].concat();
        let mut weights = vec![0.0; prompt.len()];
        weights.resize(tokens.len(), 1.0);
        Self::shifted(&tokens, weights)
    }

    /// For cross entropy: a token sequence, `[T]`, with a weight for each token, `[T]`. The first token is never
    /// predicted, so its weight has no effect.
    ///
    /// # Errors
    /// `weights` and `tokens` differ in length.
    pub fn weighted(tokens: &[u32], weights: &[f32]) -> Result<Self, InvalidValue> {
        same_length("weights", weights.len(), tokens.len())?;
        Ok(Self::shifted(tokens, weights.to_vec()))
    }

    /// For policy-gradient losses: `sampled` was sampled after `prompt` with `logprobs`, and each of its tokens has an
    /// advantage, all `[S]`. Prompt positions get zeros.
    ///
    /// # Errors
    /// `logprobs` or `advantages` differ in length from `sampled`.
    pub fn reinforced(
        prompt: &[u32],
        sampled: &[u32],
        logprobs: &[f32],
        advantages: &[f32],
    ) -> Result<Self, InvalidValue> {
        same_length("logprobs", logprobs.len(), sampled.len())?;
        same_length("advantages", advantages.len(), sampled.len())?;
        let padded = |values: &[f32]| {
            let mut all = vec![0.0; prompt.len()];
            all.extend_from_slice(values);
            all.get(1..).unwrap_or_default().to_vec()
        };
        let (input, targets) = shift(&[prompt, sampled].concat());
        Ok(Self::new(input)
            .with_input("target_tokens", targets)
            .with_input("logprobs", padded(logprobs))
            .with_input("advantages", padded(advantages)))
    }

    /// For policy-gradient losses: a sampled sequence after its prompt, which must be text. `advantages` is one value for
    /// the whole sequence, or one for each of its tokens. If the server reported the id of the sequence, the provenance
    /// of the tokens is recorded.
    ///
    /// ```
    /// use tinker_types::{Datum, SampledSequence, StopReason};
    ///
    /// let mut sequence = SampledSequence::new(StopReason::Stop, vec![3, 4]);
    /// sequence.logprobs = Some(vec![-0.5, -0.6]);
    /// let datum = Datum::from_sample(&[1, 2].into(), &sequence, 1.5)?;
    /// assert_eq!(datum.advantages(), Some(&[0.0, 1.5, 1.5][..]));
    /// # Ok::<(), tinker_types::InvalidValue>(())
    /// ```
    ///
    /// # Errors
    /// The prompt is not text, the sequence is empty or has no log probabilities, or the lengths differ.
    pub fn from_sample(
        prompt: &ModelInput,
        sequence: &SampledSequence,
        advantages: impl Into<Advantages>,
    ) -> Result<Self, InvalidValue> {
        let prompt = prompt.to_tokens().map_err(|e| e.within("prompt"))?;
        let sampled = &sequence.tokens;
        if sampled.is_empty() {
            let why = "is empty; leave out samples without tokens";
            return Err(InvalidValue::new("sequence.tokens", why));
        }
        let Some(logprobs) = &sequence.logprobs else {
            let why = "is missing; the loss needs the log probabilities of the sampling policy";
            return Err(InvalidValue::new("sequence.logprobs", why));
        };
        let advantages = match advantages.into() {
            Advantages::Sequence(value) => vec![value; sampled.len()],
            Advantages::Tokens(values) => values,
        };
        let datum = Self::reinforced(&prompt, sampled, logprobs, &advantages)?;
        match &sequence.sequence_id {
            Some(id) if !prompt.is_empty() => datum.with_provenance_of(id.clone(), prompt.len()),
            _ => Ok(datum),
        }
    }

    /// Targets, `[T]`, or `[T, K]` row by row; `None` if there are none, or if they are not dense int64.
    pub fn targets(&self) -> Option<&[i64]> {
        self.loss_fn_inputs.get("target_tokens")?.as_i64()
    }

    /// Weights of the targets, `[T]`, or `[T, K]` row by row; `None` if there are none, so that each target counts as 1, or
    /// if they are not dense float32.
    pub fn weights(&self) -> Option<&[f32]> {
        self.loss_fn_inputs.get("weights")?.as_f32()
    }

    /// Advantages of the targets, `[T]`, if there are any.
    pub fn advantages(&self) -> Option<&[f32]> {
        self.loss_fn_inputs.get("advantages")?.as_f32()
    }

    /// Number of targets that contribute to the loss: those whose weight and advantage are not 0. A datum without either
    /// learns each target.
    pub fn learned_tokens(&self) -> usize {
        let nonzero = |values: &[f32]| values.iter().filter(|value| **value != 0.0).count();
        let targets = || self.loss_fn_inputs.get("target_tokens");
        self.advantages()
            .or_else(|| self.weights())
            .map_or_else(|| targets().map_or(0, TensorData::cells), nonzero)
    }

    /// Records where the tokens came from: contiguous spans with one position for each input token, and one for each
    /// position of `target_tokens`.
    ///
    /// ```
    /// use tinker_types::{Datum, ProvenanceSpan};
    ///
    /// let datum = Datum::reinforced(&[1, 2], &[3, 4], &[-0.5, -0.6], &[1.0, 2.0])?;
    /// // Input: the prompt and the first sampled token. Targets: the second prompt token and both sampled ones.
    /// let input = vec![ProvenanceSpan::prompt("q", 0, 2), ProvenanceSpan::sampled("q", 0, 1)];
    /// let targets = vec![ProvenanceSpan::prompt("q", 1, 1), ProvenanceSpan::sampled("q", 0, 2)];
    /// let same = datum.clone().with_provenance(input, targets)?;
    /// assert_eq!(same, datum.with_provenance_of("q", 2)?);
    /// # Ok::<(), tinker_types::InvalidValue>(())
    /// ```
    ///
    /// # Errors
    /// As for [`check_provenance`](Self::check_provenance).
    pub fn with_provenance(
        mut self,
        model_input: Vec<ProvenanceSpan>,
        loss_fn_inputs: Vec<ProvenanceSpan>,
    ) -> Result<Self, InvalidValue> {
        self.model_input_spans = model_input;
        self.loss_fn_input_spans = loss_fn_inputs;
        self.check_provenance()?;
        Ok(self)
    }

    /// Records the provenance of an example made by [`Datum::reinforced`]: a prompt of `prompt_tokens` tokens, followed
    /// by the tokens of one sampled sequence.
    ///
    /// # Errors
    /// An empty prompt, one that is longer than the input, or an error of [`check_provenance`](Self::check_provenance).
    pub fn with_provenance_of(
        self,
        sequence_id: impl Into<SequenceId>,
        prompt_tokens: usize,
    ) -> Result<Self, InvalidValue> {
        let (id, read) = (sequence_id.into(), self.model_input.length()?);
        let sampled = read
            .checked_sub(prompt_tokens)
            .filter(|_| prompt_tokens > 0);
        let sampled = sampled.ok_or_else(|| {
            let why =
                format!("is {prompt_tokens}; for an input of {read} tokens, give 1 to {read}");
            InvalidValue::new("prompt_tokens", why)
        })?;
        let (prompt, sampled) = (prompt_tokens as u64, sampled as u64);
        let input = vec![
            ProvenanceSpan::prompt(id.clone(), 0, prompt),
            ProvenanceSpan::sampled(id.clone(), 0, sampled),
        ];
        let targets = vec![
            ProvenanceSpan::prompt(id.clone(), 1, prompt - 1),
            ProvenanceSpan::sampled(id, 0, sampled + 1),
        ];
        self.with_provenance(input, targets)
    }

    /// Checks the recorded provenance, if any.
    ///
    /// # Errors
    /// One of the two span lists is missing, a span has no sequence id, or spans do not cover the input or the
    /// `target_tokens` exactly.
    pub fn check_provenance(&self) -> Result<(), InvalidValue> {
        let (input, targets) = (&self.model_input_spans, &self.loss_fn_input_spans);
        if input.is_empty() != targets.is_empty() {
            let missing = if input.is_empty() {
                "model_input_spans"
            } else {
                "loss_fn_input_spans"
            };
            let why = "is missing; give both span lists or none";
            return Err(InvalidValue::new(missing, why));
        }
        if input.is_empty() {
            return Ok(());
        }
        // Only the server may know the length of an image.
        let read = self.model_input.length().ok();
        check_tiles(input, read, "input tokens").map_err(|e| e.within("model_input_spans"))?;
        let predicted = self
            .loss_fn_inputs
            .get("target_tokens")
            .map(TensorData::positions);
        check_tiles(targets, predicted, "targets").map_err(|e| e.within("loss_fn_input_spans"))
    }

    fn shifted(tokens: &[u32], mut weights: Vec<f32>) -> Self {
        let (input, targets) = shift(tokens);
        weights.drain(..weights.len().min(1));
        Self::new(input)
            .with_input("target_tokens", targets)
            .with_input("weights", weights)
    }

    /// Estimated size in bytes, as the official client computes it to split batches: 4 for each text token, the raw
    /// bytes of other chunks, and the stored numbers of each tensor.
    pub fn estimated_bytes(&self) -> usize {
        let chunks = self.model_input.chunks.iter().map(|chunk| match chunk {
            crate::Chunk::Text(text) => text.tokens.len() * 4,
            crate::Chunk::Image(image) => image.data.len(),
            crate::Chunk::ImagePointer(pointer) => pointer.location.len(),
            crate::Chunk::Dmel(audio) => audio.dmel.len(),
            crate::Chunk::Unknown { value, .. } => value.to_string().len(),
        });
        chunks.sum::<usize>()
            + self
                .loss_fn_inputs
                .values()
                .map(TensorData::wire_bytes)
                .sum::<usize>()
    }
}

/// Input without the last token, targets without the first.
fn shift(tokens: &[u32]) -> (ModelInput, Vec<i64>) {
    let targets = tokens
        .iter()
        .skip(1)
        .map(|&token| i64::from(token))
        .collect();
    (
        ModelInput::from_tokens(&tokens[..tokens.len().saturating_sub(1)]),
        targets,
    )
}

fn same_length(name: &str, have: usize, want: usize) -> Result<(), InvalidValue> {
    if have == want {
        return Ok(());
    }
    Err(InvalidValue::new(
        name,
        format!("has {have} values for {want} tokens; give one for each"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervised_datum_is_shifted_and_weighted_on_the_completion() {
        let datum = Datum::supervised(&[1, 2], &[3, 4]);
        assert_eq!(datum.model_input.to_tokens().unwrap(), [1, 2, 3]);
        assert_eq!(
            datum.loss_fn_inputs["target_tokens"].as_i64().unwrap(),
            [2, 3, 4]
        );
        assert_eq!(
            datum.loss_fn_inputs["weights"].as_f32().unwrap(),
            [0.0, 1.0, 1.0]
        );
    }

    #[test]
    fn a_reinforced_datum_has_zeros_on_the_prompt() {
        let datum = Datum::reinforced(&[1, 2], &[3, 4], &[-0.5, -0.6], &[1.0, 2.0]).unwrap();
        assert_eq!(
            datum.loss_fn_inputs["logprobs"].as_f32().unwrap(),
            [0.0, -0.5, -0.6]
        );
        assert_eq!(
            datum.loss_fn_inputs["advantages"].as_f32().unwrap(),
            [0.0, 1.0, 2.0]
        );
        assert!(Datum::reinforced(&[1], &[2], &[], &[1.0]).is_err());
    }

    #[test]
    fn a_sample_becomes_a_datum() {
        let mut sequence = SampledSequence::new(crate::StopReason::Stop, vec![3, 4]);
        let prompt = ModelInput::from([1, 2]);
        let error = |sequence: &SampledSequence, advantages: Advantages| {
            let datum = Datum::from_sample(&prompt, sequence, advantages);
            datum.unwrap_err().to_string()
        };
        assert!(error(&sequence, 1.0.into()).starts_with("sequence.logprobs: is missing"));
        sequence.logprobs = Some(vec![-0.5, -0.6]);
        assert!(error(&sequence, vec![1.0].into()).contains("has 1 values for 2 tokens"));
        let datum = Datum::from_sample(&prompt, &sequence, vec![1.0, 0.0]).unwrap();
        let by_hand = Datum::reinforced(&[1, 2], &[3, 4], &[-0.5, -0.6], &[1.0, 0.0]);
        assert_eq!(datum, by_hand.unwrap());
        assert_eq!(datum.learned_tokens(), 1);
        sequence.sequence_id = Some("q".into());
        let recorded = Datum::from_sample(&prompt, &sequence, 1.0).unwrap();
        assert_eq!(recorded.model_input_spans.len(), 2);
        sequence.tokens.clear();
        assert!(error(&sequence, 1.0.into()).starts_with("sequence.tokens: is empty"));
        let supervised = Datum::supervised(&[1, 2], &[3, 4]);
        assert_eq!(supervised.weights(), Some(&[0.0, 1.0, 1.0][..]));
        assert_eq!(supervised.learned_tokens(), 2);
    }

    #[test]
    fn a_record_of_tokens_is_whole_or_refused() {
        let datum = Datum::reinforced(&[1, 2], &[3, 4], &[-0.5, -0.6], &[1.0, 2.0]).unwrap();
        assert!(datum.check_provenance().is_ok());
        let recorded = datum.clone().with_provenance_of("q", 2).unwrap();
        let mut half = recorded.clone();
        half.loss_fn_input_spans.clear();
        let mut short = recorded.clone();
        short.model_input_spans.pop();
        let mut long = recorded.clone();
        long.loss_fn_input_spans
            .push(ProvenanceSpan::sampled("q", 0, 1));
        for (bad, message) in [
            (half, "loss_fn_input_spans: is missing"),
            (
                short,
                "model_input_spans: cover 2 positions for 3 input tokens",
            ),
            (long, "loss_fn_input_spans: cover 4 positions for 3 targets"),
        ] {
            let error = bad.check_provenance().unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        for prompt in [0, 4] {
            assert!(datum.clone().with_provenance_of("q", prompt).is_err());
        }
        assert!(datum.with_provenance_of("", 2).is_err());
    }
}
