//! Examples as tokens, checked against the length the model can read.

use std::path::Path;

use tinker_client::chat::{ChatError, Renderer};
use tinker_types::Datum;

use super::data::{DataFault, Example, Fault, Faults, Placed};
use crate::words;

/// What happens to what is longer than a sequence may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// It is a fault of the data.
    Refuse(usize),
    /// The user asked to leave it out.
    LeaveOut(usize),
    /// The server names no limit.
    Unknown,
}

/// Examples ready to be trained on.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) examples: Vec<Ready>,
    /// Examples that were too long and are not trained on.
    pub(crate) left_out: usize,
}

/// One example as the API takes it.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    pub(crate) datum: Datum,
    /// Tokens of the whole sequence.
    pub(crate) tokens: usize,
    /// Tokens that are learned: those with a weight.
    pub(crate) learned: usize,
}

impl Prepared {
    /// Turns examples of the file at `path` into tokens.
    pub(crate) fn new(
        renderer: &Renderer,
        path: &Path,
        examples: &[Placed],
        limit: Limit,
    ) -> Result<Self, DataFault> {
        let mut faults = Faults::new(path);
        let mut prepared = Self::default();
        for placed in examples {
            let ready = match ready(renderer, &placed.example) {
                Ok(ready) => ready,
                Err(error) => {
                    faults.add(placed.line, unencodable(&error));
                    continue;
                }
            };
            match limit {
                Limit::Refuse(most) if ready.tokens > most => {
                    faults.add(placed.line, too_long(ready.tokens, most));
                }
                Limit::LeaveOut(most) if ready.tokens > most => prepared.left_out += 1,
                _ => prepared.examples.push(ready),
            }
        }
        if prepared.examples.is_empty() && faults.is_empty() {
            faults.add_file(Fault::new(
                "holds no example that is short enough",
                "raise --max-length, or shorten the examples",
            ));
        }
        faults.into_result(prepared)
    }

    /// Tokens of all examples.
    pub(crate) fn tokens(&self) -> usize {
        self.examples.iter().map(|ready| ready.tokens).sum()
    }

    /// Tokens of the longest example.
    pub(crate) fn longest(&self) -> usize {
        self.examples
            .iter()
            .map(|ready| ready.tokens)
            .max()
            .unwrap_or(0)
    }
}

fn ready(renderer: &Renderer, example: &Example) -> Result<Ready, ChatError> {
    let datum = match example {
        Example::Completion { prompt, completion } => renderer.completion(prompt, completion)?,
        Example::Chat(messages) => renderer.supervised(messages)?,
    };
    let column = |name| datum.loss_fn_inputs.get(name);
    let weights = column("weights")
        .and_then(|tensor| tensor.as_f32())
        .unwrap_or_default();
    let learned = weights.iter().filter(|weight| **weight > 0.0).count();
    // Input and targets are the sequence shifted by one, so each is one token shorter than it.
    let tokens = weights.len() + 1;
    Ok(Ready {
        datum,
        tokens,
        learned,
    })
}

pub(super) fn too_long(tokens: usize, most: usize) -> Fault {
    let tokens = words::number(tokens as u64);
    Fault::new(
        format!(
            "has {tokens} tokens, more than the {} a sequence may have",
            words::number(most as u64)
        ),
        "shorten it, or leave out long examples with --max-length",
    )
}

pub(super) fn unencodable(error: &ChatError) -> Fault {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    Fault::new(
        format!("cannot be written as tokens: {reason}"),
        "change the line, or use another --tokenizer",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(completions: &[&str]) -> Vec<Placed> {
        let place = |(at, completion): (usize, &&str)| Placed {
            line: at + 1,
            example: Example::Completion {
                prompt: "ask".into(),
                completion: (*completion).to_owned(),
            },
        };
        completions.iter().enumerate().map(place).collect()
    }

    fn prepare(completions: &[&str], limit: Limit) -> Result<Prepared, DataFault> {
        Prepared::new(
            &Renderer::plain(),
            Path::new("x.jsonl"),
            &lines(completions),
            limit,
        )
    }

    #[test]
    fn tokens_are_counted_with_the_end() {
        let prepared = prepare(&["ab", "abc"], Limit::Unknown).unwrap();
        let counts: Vec<_> = prepared
            .examples
            .iter()
            .map(|ready| (ready.tokens, ready.learned))
            .collect();
        assert_eq!(counts, [(6, 3), (7, 4)]);
        assert_eq!(prepared.tokens(), 13);
    }

    #[test]
    fn long_examples_are_faults_unless_they_are_to_be_left_out() {
        let error = prepare(&["ab", "abc"], Limit::Refuse(6))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("x.jsonl:2: has 7 tokens, more than the 6 a sequence may have"),
            "{error}"
        );
        let prepared = prepare(&["ab", "abc"], Limit::LeaveOut(6)).unwrap();
        assert_eq!((prepared.examples.len(), prepared.left_out), (1, 1));
        let error = prepare(&["ab", "abc"], Limit::LeaveOut(2))
            .unwrap_err()
            .to_string();
        assert!(error.contains("no example that is short enough"), "{error}");
    }
}
