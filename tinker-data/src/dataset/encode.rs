//! Encoding of examples as datums.

use std::error::Error as _;
use std::io::Cursor;
use std::path::Path;

use tinker_types::Datum;

use super::error::{DatasetError, ErrorKind, LineError};
use super::errors::Errors;
use super::example::Example;
use super::length::{LengthLimit, too_long};
use super::options::ReadOptions;
use super::parallel;
use super::reader::Dataset;
use super::row::Row;
use super::rows::Rows;
use crate::chat::{EncodedExample, Renderer, Rule};
use crate::error::ChatError;

/// The examples of a data file as datums.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct EncodedDataset {
    /// The sequences, in the order of the file.
    pub examples: Vec<EncodedExample>,
    /// One entry for each line, in the same order.
    pub lines: Vec<EncodedLine>,
    /// Number of sequences that were longer than the limit and left out.
    pub left_out: usize,
    /// Number of sequences that were longer than the limit and lost their end.
    pub cut: usize,
    /// Tokens that are not learned because of the limit.
    pub learned_lost: usize,
    /// Lines that cannot be encoded and were left out, at most the first 100,000; empty unless [`Dataset::skip_bad`] is set.
    pub refused: Vec<LineError>,
}

/// Result of encoding a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodedLine {
    /// Line number, from 1.
    pub line: usize,
    /// Number of sequences within the limit.
    pub sequences: usize,
    /// Tokens of these sequences.
    pub tokens: usize,
    /// Learned tokens of these sequences.
    pub learned: usize,
    /// How the learned tokens were found; that of the sequence which is furthest from a plain rendering.
    pub rule: Rule,
    /// Seams between prompts and answers that a token would have crossed.
    pub merged_seams: usize,
    /// A text of the line contains a control token of the tokenizer, in its written form.
    pub has_control_token: bool,
    /// A sequence of the line begins with a control token twice: the start token is in the text, and the tokenizer adds it.
    pub has_doubled_start: bool,
}

impl Dataset {
    /// Encodes the examples, on all cores.
    ///
    /// # Errors
    /// Lines that the renderer cannot encode or that are too long, all of them at once, or no example within the
    /// limit. With [`Self::skip_bad`] such lines are left out.
    pub fn encode(
        &self,
        renderer: &Renderer,
        limit: LengthLimit,
    ) -> Result<EncodedDataset, DatasetError> {
        self.encode_with_progress(renderer, limit, &|_| ())
    }

    /// The same as [`Self::encode`]. `progress` receives the number of rows that are done, from any thread.
    ///
    /// # Errors
    /// See [`Self::encode`].
    pub fn encode_with_progress(
        &self,
        renderer: &Renderer,
        limit: LengthLimit,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<EncodedDataset, DatasetError> {
        let rows = parallel::map(
            &self.rows,
            |row| EncodedRow::new(renderer, row, limit),
            progress,
        );
        EncodedDataset::collect(rows, Errors::new(self.skip_bad), &self.path)
    }
}

/// Parses and encodes the content of the data file at `path`: [`Dataset::parse`] and [`Dataset::encode`] in one call.
///
/// # Errors
/// Those of [`Dataset::parse`] and of [`Dataset::encode`], of all lines at once.
pub fn datums(
    path: impl AsRef<Path>,
    content: &[u8],
    renderer: &Renderer,
    limit: LengthLimit,
) -> Result<Vec<Datum>, DatasetError> {
    let path = path.as_ref();
    let source = Cursor::new(content.to_vec());
    let rows: Vec<_> = Rows::new(path, source, &ReadOptions::default())?.collect();
    let encode = |row: &Result<Row, LineError>| {
        let row = row.as_ref().map_err(Clone::clone)?;
        EncodedRow::new(renderer, row, limit)
    };
    let rows = parallel::map(&rows, encode, &|_| ());
    let encoded = EncodedDataset::collect(rows, Errors::new(false), path)?;
    let examples = encoded.examples.into_iter();
    Ok(examples.map(|example| example.datum).collect())
}

impl EncodedDataset {
    fn collect(
        rows: impl IntoIterator<Item = Result<EncodedRow, LineError>>,
        mut errors: Errors,
        path: &Path,
    ) -> Result<Self, DatasetError> {
        let mut encoded = Self::default();
        for row in rows {
            if let Some(row) = errors.keep(row) {
                encoded.add(row);
            }
        }
        encoded.refused = errors.take_skipped();
        errors.finish(path)?;
        if encoded.examples.is_empty() {
            return Err(DatasetError::of(path, nothing_short_enough()));
        }
        Ok(encoded)
    }

    fn add(&mut self, row: EncodedRow) {
        self.examples.extend(row.examples);
        self.lines.push(row.line);
        self.left_out += row.left_out;
        self.cut += row.cut;
        self.learned_lost += row.learned_lost;
    }

    /// Tokens of all examples.
    pub fn tokens(&self) -> usize {
        self.examples.iter().map(|example| example.tokens).sum()
    }

    /// Learned tokens of all examples.
    pub fn learned(&self) -> usize {
        self.examples.iter().map(|example| example.learned).sum()
    }

    /// Tokens of the longest example; 0 if there are no examples.
    pub fn longest(&self) -> usize {
        let tokens = self.examples.iter().map(|example| example.tokens);
        tokens.max().unwrap_or(0)
    }
}

/// A row, encoded within a limit.
#[derive(Debug)]
pub(super) struct EncodedRow {
    pub(super) line: EncodedLine,
    /// The sequences within the limit.
    pub(super) examples: Vec<EncodedExample>,
    pub(super) left_out: usize,
    pub(super) cut: usize,
    pub(super) learned_lost: usize,
}

impl EncodedRow {
    pub(super) fn new(
        renderer: &Renderer,
        row: &Row,
        limit: LengthLimit,
    ) -> Result<Self, LineError> {
        let examples =
            encode(renderer, &row.example).map_err(|error| not_encodable(&error).at(row))?;
        let mut encoded = Self {
            line: EncodedLine {
                line: row.line,
                sequences: 0,
                tokens: 0,
                learned: 0,
                rule: Rule::Given,
                merged_seams: 0,
                has_control_token: row.example.has_control_token(renderer.tokenizer()),
                has_doubled_start: examples
                    .iter()
                    .any(|example| example.starts_twice(renderer.tokenizer())),
            },
            examples: Vec::with_capacity(examples.len()),
            left_out: 0,
            cut: 0,
            learned_lost: 0,
        };
        for example in examples {
            encoded.add(example, limit).map_err(|error| error.at(row))?;
        }
        Ok(encoded)
    }

    /// Adds a sequence, if it is within the limit.
    fn add(&mut self, mut example: EncodedExample, limit: LengthLimit) -> Result<(), LineError> {
        let (tokens, learned) = (example.tokens, example.learned);
        match limit {
            LengthLimit::Refuse(most) if tokens > most => return Err(too_long(tokens, most)),
            LengthLimit::LeaveOut(most) if tokens > most => {
                self.leave_out(learned);
                return Ok(());
            }
            LengthLimit::Cut(most) if tokens > most => {
                let Some(shorter) = example.cut(most) else {
                    self.leave_out(learned);
                    return Ok(());
                };
                example = shorter;
                self.cut += 1;
                self.learned_lost += learned - example.learned;
            }
            _ => {}
        }
        self.line.sequences += 1;
        self.line.tokens += example.tokens;
        self.line.learned += example.learned;
        self.line.rule = self.line.rule.max(example.rule);
        self.line.merged_seams += example.merged_seams;
        self.examples.push(example);
        Ok(())
    }

    fn leave_out(&mut self, learned: usize) {
        self.left_out += 1;
        self.learned_lost += learned;
    }
}

/// The error of data of which no sequence is within the limit.
pub(super) fn nothing_short_enough() -> LineError {
    LineError::new(
        ErrorKind::Length,
        "holds no example that is short enough",
        "raise the limit, or shorten the examples",
    )
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
        Example::Chat(conversation) => renderer.supervised(conversation),
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
        "correct the line; if it is right, use another chat template or tokenizer",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Prompt, Row};

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
    fn lines_that_cannot_be_encoded_can_be_left_out() {
        let mut rows = dataset(&["ab", "abc"]);
        rows.rows[0].example = Example::Problem {
            prompt: Prompt::Text("ask".to_owned()),
            answer: None,
            metadata: Vec::new(),
        };
        let error = rows.encode(&Renderer::plain(), LengthLimit::Unknown);
        assert_eq!(error.unwrap_err().lines().len(), 1);
        rows.skip_bad = true;
        let encoded = rows
            .encode(&Renderer::plain(), LengthLimit::Unknown)
            .unwrap();
        assert_eq!((encoded.examples.len(), encoded.refused.len()), (1, 1));
        assert_eq!(encoded.refused[0].line(), Some(1));
    }

    #[test]
    fn errors_of_reading_and_of_encoding_are_listed_together() {
        let text = br#"{"text": 1}
{"messages": [{"role": "user", "content": "Hi"}]}
{"text": "ab"}"#;
        let error = datums("x.jsonl", text, &Renderer::plain(), LengthLimit::Unknown).unwrap_err();
        let lines: Vec<_> = error.lines().iter().map(LineError::line).collect();
        assert_eq!(lines, [Some(1), Some(2)], "{error}");
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
