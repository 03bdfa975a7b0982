//! Encoding of examples as datums.

use std::error::Error as _;
use std::path::Path;

use tinker_types::Datum;

use super::error::{DatasetError, ErrorKind, LineError};
use super::example::Example;
use super::reader::Dataset;
use crate::chat::{EncodedExample, Learn, Renderer};
use crate::error::ChatError;

/// Limit on the tokens of a sequence, and what happens to longer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthLimit {
    /// A longer sequence is an error of its line.
    Refuse(usize),
    /// A longer sequence is left out.
    LeaveOut(usize),
    /// There is no known limit.
    Unknown,
}

/// The examples of a data file as datums.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct EncodedDataset {
    /// The examples, in the order of the file.
    pub examples: Vec<EncodedExample>,
    /// Number of examples that were longer than the limit.
    pub left_out: usize,
}

impl Dataset {
    /// Encodes the examples.
    ///
    /// # Errors
    /// Lines that the renderer cannot encode or that are too long, all of them at once, or no example within the
    /// limit.
    pub fn encode(
        &self,
        renderer: &Renderer,
        limit: LengthLimit,
    ) -> Result<EncodedDataset, DatasetError> {
        let mut errors = Vec::new();
        let mut encoded = EncodedDataset::default();
        for row in &self.rows {
            let examples = match encode(renderer, &row.example) {
                Ok(examples) => examples,
                Err(error) => {
                    errors.push(not_encodable(&error).at(row));
                    continue;
                }
            };
            for example in examples {
                match limit {
                    LengthLimit::Refuse(most) if example.tokens > most => {
                        errors.push(too_long(example.tokens, most).at(row));
                    }
                    LengthLimit::LeaveOut(most) if example.tokens > most => encoded.left_out += 1,
                    _ => encoded.examples.push(example),
                }
            }
        }
        if encoded.examples.is_empty() && errors.is_empty() {
            errors.push(LineError::new(
                ErrorKind::Length,
                "holds no example that is short enough",
                "raise the limit, or shorten the examples",
            ));
        }
        DatasetError::unless_empty(&self.path, errors)?;
        Ok(encoded)
    }
}

/// Parses and encodes the content of the data file at `path`: [`Dataset::parse`] and [`Dataset::encode`] in one call.
///
/// # Errors
/// See [`Dataset::parse`] and [`Dataset::encode`].
pub fn datums(
    path: impl AsRef<Path>,
    content: &[u8],
    renderer: &Renderer,
    limit: LengthLimit,
) -> Result<Vec<Datum>, DatasetError> {
    let encoded = Dataset::parse(path.as_ref(), content)?.encode(renderer, limit)?;
    let examples = encoded.examples.into_iter();
    Ok(examples.map(|example| example.datum).collect())
}

impl EncodedDataset {
    /// Tokens of all examples.
    pub fn tokens(&self) -> usize {
        self.examples.iter().map(|example| example.tokens).sum()
    }

    /// Tokens of the longest example; 0 if there are no examples.
    pub fn longest(&self) -> usize {
        let tokens = self.examples.iter().map(|example| example.tokens);
        tokens.max().unwrap_or(0)
    }
}

/// The sequences of an example for supervised training.
pub(super) fn encode(
    renderer: &Renderer,
    example: &Example,
) -> Result<Vec<EncodedExample>, ChatError> {
    match example {
        Example::Completion { prompt, completion } => {
            Ok(vec![renderer.completion(prompt, completion)?])
        }
        Example::Chat(conversation) => renderer.supervised(conversation, Learn::Turns),
        Example::Text(text) => Ok(vec![renderer.completion("", text)?]),
        Example::Tokens(datum) => Ok(vec![EncodedExample::given(datum.clone())]),
        Example::Preference { .. } => Err(ChatError::new(
            "a pair of answers to compare has no single answer to learn; keep the chosen one as a conversation",
        )),
        Example::Problem { .. } => Err(ChatError::new(
            "a problem has no answer of the assistant to learn; it is for reinforcement learning",
        )),
    }
}

/// The error of a sequence above the limit.
pub(super) fn too_long(tokens: usize, most: usize) -> LineError {
    LineError::new(
        ErrorKind::Length,
        format!("has {tokens} tokens, more than the {most} a sequence may have"),
        "shorten it, or leave out long examples",
    )
}

/// The error of a text that the renderer refuses.
pub(super) fn not_encodable(error: &ChatError) -> LineError {
    let mut reason = format!("cannot be encoded: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    LineError::new(
        ErrorKind::Encode,
        reason,
        "change the line, or use another tokenizer",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Row;

    fn dataset(completions: &[&str]) -> Dataset {
        let row = |(at, completion): (usize, &&str)| Row {
            path: Path::new("x.jsonl").into(),
            line: at + 1,
            example: Example::Completion {
                prompt: "ask".into(),
                completion: (*completion).to_owned(),
            },
        };
        Dataset {
            path: "x.jsonl".into(),
            rows: completions.iter().enumerate().map(row).collect(),
            ..Dataset::default()
        }
    }

    fn encode(completions: &[&str], limit: LengthLimit) -> Result<EncodedDataset, DatasetError> {
        dataset(completions).encode(&Renderer::plain(), limit)
    }

    #[test]
    fn the_end_token_counts() {
        let encoded = encode(&["ab", "abc"], LengthLimit::Unknown).unwrap();
        let counts: Vec<_> = encoded
            .examples
            .iter()
            .map(|example| (example.tokens, example.learned))
            .collect();
        assert_eq!(counts, [(6, 3), (7, 4)]);
        assert_eq!((encoded.tokens(), encoded.longest()), (13, 7));
    }

    #[test]
    fn long_examples_are_errors_unless_they_are_left_out() {
        let error = encode(&["ab", "abc"], LengthLimit::Refuse(6))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("x.jsonl:2: has 7 tokens, more than the 6 a sequence may have"),
            "{error}"
        );
        let encoded = encode(&["ab", "abc"], LengthLimit::LeaveOut(6)).unwrap();
        assert_eq!((encoded.examples.len(), encoded.left_out), (1, 1));
        let error = encode(&["ab", "abc"], LengthLimit::LeaveOut(2))
            .unwrap_err()
            .to_string();
        assert!(error.contains("no example that is short enough"), "{error}");
    }
}
