//! Counts over data files.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::distinct::Distinct;
use super::encode::{encode, not_encodable};
use super::error::{DatasetError, LineError};
use super::errors::Errors;
use super::example::Example;
use super::notes::Notes;
use super::parallel;
use super::prompt::Prompt;
use super::row::Row;
use super::rows::Rows;
use super::spool;
use crate::chat::Renderer;
use crate::error::ChatError;

/// Rows and bytes that are encoded at once, by all cores.
const BATCH: (usize, usize) = (4096, 4 << 20);

/// Reads data files and counts what they hold. Memory does not grow with the number of rows, apart from 32 bytes for each prompt
/// that is held out.
///
/// ```
/// use tinker_data::{ReadOptions, Renderer, Rows, Survey};
///
/// let data = b"{\"prompt\":\"a\",\"completion\":\" b\"}\n{\"prompt\":\"a\",\"completion\":\" b\"}\n";
/// let mut survey = Survey::new(Renderer::plain());
/// survey.add(Rows::new("x.jsonl", &data[..], &ReadOptions::new())?)?;
/// let counts = survey.finish()?;
/// assert_eq!((counts.rows, counts.duplicates), (2, 1));
/// assert_eq!((counts.tokens, counts.learned), (8, 6)); // three letters and the end token; all but the prompt
/// # Ok::<(), tinker_data::DatasetError>(())
/// ```
#[derive(Debug)]
pub struct Survey {
    renderer: Renderer,
    max_length: Option<usize>,
    counts: Counts,
    rows: Distinct,
    held_out: HashSet<u128>,
}

/// Counts over data files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Rows that were read and encoded.
    pub rows: usize,
    /// Sequences that the rows are encoded as. A conversation may need one for each answer.
    pub sequences: usize,
    /// Tokens of all sequences.
    pub tokens: usize,
    /// Tokens that are learned.
    pub learned: usize,
    /// Tokens of the shortest sequence.
    pub shortest: usize,
    /// Tokens of the longest sequence.
    pub longest: usize,
    /// Number of sequences by length: under each power of two the lengths up to it, above the one before.
    pub lengths: BTreeMap<usize, usize>,
    /// Sequences above the largest length, if one is set.
    pub over_long: usize,
    /// Rows that are equal to an earlier one.
    pub duplicates: usize,
    /// Rows whose prompt is also in the held-out data.
    pub leaks: usize,
    /// Messages without any text or call.
    pub empty_turns: usize,
    /// Rows with a control token of the tokenizer in a text.
    pub control_tokens: usize,
    /// Rows with a sequence that begins with a control token twice.
    pub doubled_starts: usize,
    /// Rows that hold messages, which the chat template writes.
    pub conversations: usize,
    /// Answers whose first token would merge with the end of the prompt.
    pub merged_seams: usize,
    /// How the files were read.
    pub notes: Notes,
}

/// One row, measured.
#[derive(Debug, Default)]
struct Measured {
    lengths: Vec<usize>,
    learned: usize,
    merged_seams: usize,
    empty_turns: usize,
    has_control: bool,
    has_doubled_start: bool,
    has_messages: bool,
    fingerprint: u128,
    prompt: u128,
}

impl Survey {
    /// A survey of sequences as the renderer makes them.
    pub fn new(renderer: Renderer) -> Self {
        Self {
            renderer,
            max_length: None,
            counts: Counts::default(),
            rows: Distinct::new(None),
            held_out: HashSet::new(),
        }
    }

    /// Counts sequences of more tokens as over-long.
    #[must_use]
    pub fn with_max_length(mut self, tokens: usize) -> Self {
        self.max_length = Some(tokens);
        self
    }

    /// Reads held-out data, whose prompts are not to be trained on. To be called before [`Self::add`].
    ///
    /// # Errors
    /// Lines that are not examples, all of them at once.
    pub fn hold_out(&mut self, mut rows: Rows) -> Result<(), DatasetError> {
        let path = rows.path().to_owned();
        let mut errors = Errors::new(false);
        for row in rows.by_ref().filter_map(|row| errors.keep(row)) {
            self.held_out.insert(row.example.prompt_fingerprint());
        }
        errors.finish(&path).map(drop)
    }

    /// Reads and encodes a file, with all cores. Rows without errors are counted even if others have some.
    ///
    /// # Errors
    /// Lines that are not examples or that cannot be encoded, all of them at once. With
    /// [`ReadOptions::skip_bad`](crate::ReadOptions::skip_bad) they are only counted.
    pub fn add(&mut self, mut rows: Rows) -> Result<(), DatasetError> {
        let path = rows.path().to_owned();
        let mut errors = Errors::new(rows.skips_bad());
        loop {
            let mut read: Vec<Result<Row, LineError>> = Vec::new();
            let mut bytes = 0;
            while read.len() < BATCH.0 && bytes < BATCH.1 {
                let Some(row) = rows.next() else { break };
                bytes += rows.length();
                read.push(row);
            }
            if read.is_empty() {
                break;
            }
            let has_held_out = !self.held_out.is_empty();
            let measure = |row: &Result<Row, LineError>| {
                let row = row.as_ref().map_err(LineError::clone)?;
                measure(&self.renderer, &row.example, has_held_out)
                    .map_err(|error| not_encodable(&error).at(row))
            };
            let encoded = parallel::map(&read, measure, &|_| ());
            for row in encoded.into_iter().filter_map(|row| errors.keep(row)) {
                let fingerprint = row.fingerprint;
                self.count(row);
                let added = self.rows.add(fingerprint);
                added.map_err(|error| spool::failed(&path, None, &error))?;
            }
        }
        let mut notes = rows.notes().clone();
        let finished = errors.finish(&path);
        notes.skipped = *finished.as_ref().unwrap_or(&0);
        self.counts.notes.add(&notes);
        finished.map(drop)
    }

    /// The counts.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub fn finish(mut self) -> Result<Counts, DatasetError> {
        let repeats = self.rows.repeats();
        let failed = |error| spool::failed(&std::env::temp_dir(), None, &error);
        self.counts.duplicates = repeats.map_err(failed)?;
        Ok(self.counts)
    }

    fn count(&mut self, row: Measured) {
        let counts = &mut self.counts;
        counts.rows += 1;
        for tokens in row.lengths {
            counts.shortest = match counts.sequences {
                0 => tokens,
                _ => counts.shortest.min(tokens),
            };
            counts.longest = counts.longest.max(tokens);
            counts.sequences += 1;
            counts.tokens += tokens;
            *counts
                .lengths
                .entry(tokens.max(1).next_power_of_two())
                .or_default() += 1;
            counts.over_long += usize::from(self.max_length.is_some_and(|most| tokens > most));
        }
        counts.learned += row.learned;
        counts.merged_seams += row.merged_seams;
        counts.empty_turns += row.empty_turns;
        counts.control_tokens += usize::from(row.has_control);
        counts.doubled_starts += usize::from(row.has_doubled_start);
        counts.conversations += usize::from(row.has_messages);
        counts.leaks += usize::from(self.held_out.contains(&row.prompt));
    }
}

fn measure(
    renderer: &Renderer,
    example: &Example,
    has_held_out: bool,
) -> Result<Measured, ChatError> {
    let mut measured = Measured {
        fingerprint: example.fingerprint(),
        prompt: if has_held_out {
            example.prompt_fingerprint()
        } else {
            0
        },
        has_control: example.has_control_token(renderer.tokenizer()),
        has_messages: example.has_messages(),
        ..Measured::default()
    };
    match example {
        Example::Preference { chosen, rejected } => {
            for side in [chosen, rejected] {
                sequences(renderer, side, &mut measured)?;
            }
        }
        Example::Problem { prompt, .. } => {
            let prompt = match prompt {
                Prompt::Text(text) => renderer.text(text)?,
                Prompt::Chat(conversation) => renderer.prompt(conversation)?,
            };
            measured.lengths.push(prompt.length().unwrap_or_default());
        }
        _ => sequences(renderer, example, &mut measured)?,
    }
    measured.empty_turns = example.empty_turns();
    Ok(measured)
}

fn sequences(
    renderer: &Renderer,
    example: &Example,
    measured: &mut Measured,
) -> Result<(), ChatError> {
    for sequence in encode(renderer, example)? {
        measured.lengths.push(sequence.tokens);
        measured.learned += sequence.learned;
        measured.merged_seams += sequence.merged_seams;
        measured.has_doubled_start |= sequence.starts_twice(renderer.tokenizer());
    }
    Ok(())
}
