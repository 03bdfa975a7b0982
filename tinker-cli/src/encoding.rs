//! Encoding of data, with notes for the user about it.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use tinker_data::{
    DatasetError, EncodedCounts, Index, Learn, LengthLimit, Renderer, Rule, Sequences,
};

use crate::exit::Usage;
use crate::format;
use crate::printer::Printer;
use crate::watched::{Unit, watched};

/// Options of encoding.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct EncodeArgs {
    /// Answers of a conversation to learn.
    #[arg(long, value_name = "ANSWERS", value_enum, default_value_t)]
    pub(crate) learn: LearnArg,
    /// Largest number of tokens of a sequence [default: the context length of the model].
    #[arg(long, value_name = "TOKENS")]
    pub(crate) max_length: Option<NonZeroUsize>,
    /// Treatment of longer sequences [default: drop with --max-length, else refuse].
    #[arg(long, value_name = "TREATMENT", value_enum)]
    pub(crate) too_long: Option<TooLong>,
}

/// Answers of a conversation to learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LearnArg {
    /// The last answer.
    Last,
    /// Every answer, each after its prompt as it is sampled.
    #[default]
    Turns,
    /// Every answer, in one rendering of the conversation.
    All,
    /// The parts that the chat template marks with {% generation %}.
    Template,
}

/// Treatment of sequences that are too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TooLong {
    /// Cut the end off; the model does not learn to stop there.
    Cut,
    /// Leave the sequence out.
    Drop,
    /// Stop with an error.
    Refuse,
}

impl From<LearnArg> for Learn {
    fn from(learn: LearnArg) -> Self {
        match learn {
            LearnArg::Last => Self::Last,
            LearnArg::Turns => Self::Turns,
            LearnArg::All => Self::All,
            LearnArg::Template => Self::Template,
        }
    }
}

impl EncodeArgs {
    /// The limit for a model with this context length.
    pub(crate) fn limit(&self, context: Option<usize>) -> Result<LengthLimit, Usage> {
        let requested = self.max_length.map(usize::from);
        let Some(most) = requested.into_iter().chain(context).min() else {
            return match self.too_long {
                None => Ok(LengthLimit::Unknown),
                Some(_) => Err(Usage(
                    "--too-long needs --max-length, as the server does not report the context length of the model"
                        .to_owned(),
                )),
            };
        };
        Ok(match (self.too_long, requested) {
            (Some(TooLong::Cut), _) => LengthLimit::Cut(most),
            (Some(TooLong::Drop), _) | (None, Some(_)) => LengthLimit::LeaveOut(most),
            (Some(TooLong::Refuse), _) | (None, None) => LengthLimit::Refuse(most),
        })
    }
}

/// Encodes the data on all cores, and shows the progress.
pub(crate) fn encode(
    data: &Index,
    renderer: &Renderer,
    limit: LengthLimit,
    printer: Printer,
) -> Result<Sequences, DatasetError> {
    let done = AtomicU64::new(0);
    let total = (data.len() as u64, Unit::ROWS);
    watched(printer, "encode", total, &done, || {
        data.encode(renderer, limit, &|rows| {
            done.fetch_max(rows as u64, Ordering::Relaxed);
        })
    })
}

/// Notes about the data, for people.
pub(crate) fn notes(counts: &EncodedCounts, renderer: &Renderer) -> Vec<String> {
    let mut notes = renderer.notes().to_vec();
    let learned = format::number(counts.learned_lost as u64);
    for (count, done) in [(counts.cut, "cut"), (counts.left_out, "left out")] {
        if count > 0 {
            let sequences = format::count(count, "sequence");
            notes.push(format!(
                "{sequences} longer than the limit {done}; all such sequences cost {learned} learned tokens"
            ));
        }
    }
    if counts.skipped > 0 {
        let rows = format::count(counts.skipped, "row");
        notes.push(format!("{rows} that cannot be encoded left out"));
    }
    for (count, noun, rest) in [
        (counts.duplicates, "row", "equal to an earlier one"),
        (counts.empty_turns, "message", "without text"),
    ] {
        if count > 0 {
            notes.push(format!("{} {rest}", format::count(count, noun)));
        }
    }
    let seams = counts.merged_seams;
    if seams.count > 0 {
        let (lines, first) = (format::count(seams.count, "line"), seams.first);
        notes.push(format!(
            "{lines} merged at the seam (the first is line {first}): a token would cross the end of the prompt, so the \
             answer is encoded apart, as it is sampled; move the space or line break from the prompt to the answer"
        ));
    }
    let control = counts.control_tokens;
    if control.count > 0 {
        let (lines, first) = (format::count(control.count, "line"), control.first);
        notes.push(format!(
            "{lines} with a control token in a text, such as the end of a turn (the first is line {first}): the model \
             reads it as control, not as letters"
        ));
    }
    let starts = counts.doubled_starts;
    if starts.count > 0 {
        let (lines, first) = (format::count(starts.count, "line"), starts.first);
        notes.push(format!(
            "{lines} with a text that begins with the start token twice (the first is line {first}): the tokenizer adds \
             the one that the text has; remove it from the text"
        ));
    }
    for rule in [Rule::AfterOpening, Rule::AfterChangedPrompt] {
        if let Some(found) = counts.rules.get(&rule) {
            let (lines, first) = (format::count(found.count, "line"), found.first);
            notes.push(format!(
                "learned in {lines} (the first is line {first}): {rule}"
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn parsed(options: &[&str]) -> EncodeArgs {
        let command = EncodeArgs::augment_args(clap::Command::new("x").no_binary_name(true));
        let matches = command.try_get_matches_from(options).unwrap();
        EncodeArgs::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn the_treatment_of_long_sequences_is_chosen() {
        for (options, context, expected) in [
            (&[][..], None, LengthLimit::Unknown),
            (&[], Some(9), LengthLimit::Refuse(9)),
            (&["--max-length", "5"], Some(9), LengthLimit::LeaveOut(5)),
            (&["--max-length", "50"], Some(9), LengthLimit::LeaveOut(9)),
            (&["--too-long", "cut"], Some(9), LengthLimit::Cut(9)),
            (
                &["--max-length", "5", "--too-long", "refuse"],
                None,
                LengthLimit::Refuse(5),
            ),
        ] {
            let limit = parsed(options).limit(context).ok();
            assert_eq!(limit, Some(expected), "{options:?}");
        }
        assert!(parsed(&["--too-long", "cut"]).limit(None).is_err());
    }
}
