//! Encoded examples as text, with what is learned.

use tinker_types::Datum;

use super::encode::{encode, not_encodable};
use super::error::LineError;
use super::example::Example;
use super::prompt::Prompt;
use super::row::Row;
use crate::chat::{EncodedExample, Renderer};
use crate::error::ChatError;

/// Consecutive tokens of an encoded example that are learned alike.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Span {
    /// Their text; control tokens have their written form.
    pub text: String,
    /// The tokens.
    pub tokens: Vec<u32>,
    /// Their weight in the loss; 0 if they are not learned.
    pub weight: f32,
}

impl Row {
    /// The sequences of the example for supervised training, with their text in spans of one weight. A pair has those of
    /// both sides, and a problem its prompt.
    ///
    /// # Errors
    /// An example that cannot be encoded or shown.
    pub fn spans(
        &self,
        renderer: &Renderer,
    ) -> Result<Vec<(EncodedExample, Vec<Span>)>, LineError> {
        let encoded = match &self.example {
            Example::Preference { chosen, rejected } => {
                encode(renderer, chosen).and_then(|mut both| {
                    both.extend(encode(renderer, rejected)?);
                    Ok(both)
                })
            }
            Example::Problem { prompt, .. } => problem(renderer, prompt).map(|prompt| vec![prompt]),
            example => encode(renderer, example),
        };
        let shown = encoded.and_then(|sequences| {
            let sequences = sequences.into_iter();
            let shown = sequences.map(|sequence| {
                let spans = renderer.spans(&sequence.datum)?;
                Ok((sequence, spans))
            });
            shown.collect()
        });
        shown.map_err(|error| not_encodable(&error).at(self))
    }
}

/// The prompt of a problem. Nothing of it is learned.
fn problem(renderer: &Renderer, prompt: &Prompt) -> Result<EncodedExample, ChatError> {
    let wrong = |error| ChatError::new("the prompt cannot be shown").with_source(error);
    let input = match prompt {
        Prompt::Text(text) => renderer.text(text)?,
        Prompt::Chat(conversation) => renderer.prompt(conversation)?,
    };
    let tokens = input.to_tokens().map_err(wrong)?;
    let datum = Datum::weighted(&tokens, &vec![0.0; tokens.len()]).map_err(wrong)?;
    Ok(EncodedExample::given(datum))
}

impl Renderer {
    /// The text of a datum for cross entropy, as the model sees it, in spans of one weight.
    ///
    /// ```
    /// use tinker_data::{Message, Renderer};
    ///
    /// let renderer = Renderer::plain();
    /// let encoded = renderer.completion("2 + 2 =", " 4")?;
    /// let texts: Vec<_> = renderer.spans(&encoded.datum)?.into_iter().map(|span| (span.text, span.weight)).collect();
    /// assert_eq!(texts, [("2 + 2 =".to_owned(), 0.0), (" 4<|end|>".to_owned(), 1.0)]);
    /// # Ok::<(), tinker_data::ChatError>(())
    /// ```
    ///
    /// # Errors
    /// A datum without tokens, or one with other inputs than target tokens and weights; see
    /// [`Tokenizer::decode`](crate::Tokenizer::decode).
    pub fn spans(&self, datum: &Datum) -> Result<Vec<Span>, ChatError> {
        let unknown =
            || ChatError::new("the datum is not one for cross entropy, so it cannot be shown");
        let mut tokens = datum
            .model_input
            .to_tokens()
            .map_err(|error| unknown().with_source(error))?;
        let input = |name| datum.loss_fn_inputs.get(name);
        let targets = input("target_tokens")
            .and_then(|tensor| tensor.as_i64())
            .ok_or_else(unknown)?;
        let weights = input("weights")
            .and_then(|tensor| tensor.as_f32())
            .ok_or_else(unknown)?;
        let last = targets.last().and_then(|token| u32::try_from(*token).ok());
        tokens.extend(last);
        // The first token is never predicted.
        let weights = std::iter::once(&0.0).chain(weights);
        let mut spans: Vec<Span> = Vec::new();
        for (token, weight) in tokens.into_iter().zip(weights) {
            match spans.last_mut() {
                Some(span) if span.weight.to_bits() == weight.to_bits() => span.tokens.push(token),
                _ => spans.push(Span {
                    text: String::new(),
                    tokens: vec![token],
                    weight: *weight,
                }),
            }
        }
        for span in &mut spans {
            span.text = self.written(&span.tokens)?;
        }
        Ok(spans)
    }

    /// Text of tokens, with control tokens in their written form.
    fn written(&self, tokens: &[u32]) -> Result<String, ChatError> {
        let tokenizer = self.tokenizer();
        let mut text = String::new();
        for run in tokens.chunk_by(|a, b| !tokenizer.is_control(*a) && !tokenizer.is_control(*b)) {
            match run {
                [token] if tokenizer.is_control(*token) => {
                    let is_end = tokenizer.end_token() == Some(*token);
                    text += &tokenizer.written(*token).unwrap_or_else(|| {
                        if is_end {
                            "<|end|>".to_owned()
                        } else {
                            format!("<|{token}|>")
                        }
                    });
                }
                run => text += &tokenizer.decode(run)?,
            }
        }
        Ok(text)
    }
}
