//! Encoding of the data, with notes for the user about it.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use tinker_data::{Dataset, DatasetError, EncodedDataset, Learn, LengthLimit, Renderer, Rule};
use tokio::time::Instant;

use crate::exit::Usage;
use crate::format;
use crate::printer::Printer;
use crate::progress::Progress;

/// Time between two updates of the progress.
const TICK: Duration = Duration::from_millis(100);

/// Options of encoding.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct EncodeArgs {
    /// Answers of a conversation to learn.
    #[arg(long, value_name = "ANSWERS", value_enum, default_value_t)]
    pub(super) learn: LearnArg,
    /// Largest number of tokens of a sequence [default: the context length of the model].
    #[arg(long, value_name = "TOKENS")]
    pub(super) max_length: Option<NonZeroUsize>,
    /// Treatment of longer sequences [default: drop with --max-length, else refuse].
    #[arg(long, value_name = "TREATMENT", value_enum)]
    pub(super) too_long: Option<TooLong>,
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
    pub(super) fn limit(&self, context: Option<usize>) -> Result<LengthLimit, Usage> {
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

    /// The options as shell words, for a suggested command.
    pub(super) fn to_words(&self) -> Vec<String> {
        let name = |value: &dyn Fn() -> Option<clap::builder::PossibleValue>| {
            value().map(|value| value.get_name().to_owned())
        };
        let learn = (self.learn != LearnArg::default()).then_some(self.learn);
        let options = [
            (
                "--learn",
                learn.and_then(|learn| name(&|| learn.to_possible_value())),
            ),
            ("--max-length", self.max_length.map(|most| most.to_string())),
            (
                "--too-long",
                self.too_long
                    .and_then(|too_long| name(&|| too_long.to_possible_value())),
            ),
        ];
        let options = options.into_iter();
        let words = options.filter_map(|(name, value)| Some([name.to_owned(), value?]));
        words.flatten().collect()
    }
}

/// Encodes the data on all cores, and shows the progress.
pub(super) fn encode(
    data: &Dataset,
    renderer: &Renderer,
    limit: LengthLimit,
    printer: Printer,
) -> Result<EncodedDataset, DatasetError> {
    let rows = data.rows.len();
    let (done, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let started = Instant::now();
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut progress = None;
            while !is_over.load(Ordering::Acquire) {
                std::thread::park_timeout(TICK);
                let done = done.load(Ordering::Relaxed);
                // Small files are done before a bar can be read.
                if started.elapsed() > Duration::from_secs(1) {
                    let progress =
                        progress.get_or_insert_with(|| Progress::start(printer, "encode", rows));
                    progress.update(done, &time_left(started.elapsed(), done, rows));
                }
            }
        });
        let encoded = data.encode_with_progress(renderer, limit, &|rows| {
            done.fetch_max(rows, Ordering::Relaxed);
        });
        is_over.store(true, Ordering::Release);
        watcher.thread().unpark();
        encoded
    })
}

/// The time that the other rows need at the same speed.
fn time_left(elapsed: Duration, done: usize, rows: usize) -> String {
    if done == 0 {
        return String::new();
    }
    let left = elapsed.mul_f64((rows - done.min(rows)) as f64 / done as f64);
    format!("{} left", format::duration(left))
}

/// Notes about the data, for people.
pub(super) fn notes(encoded: &EncodedDataset, renderer: &Renderer) -> Vec<String> {
    let mut notes = renderer.notes().to_vec();
    let learned = format::number(encoded.learned_lost as u64);
    for (count, done) in [(encoded.cut, "cut"), (encoded.left_out, "left out")] {
        if count > 0 {
            let sequences = format::count(count, "sequence");
            notes.push(format!(
                "{sequences} longer than the limit {done}; all such sequences cost {learned} learned tokens"
            ));
        }
    }
    let lines = |test: &dyn Fn(&tinker_data::EncodedLine) -> bool| {
        let mut lines = encoded.lines.iter().filter(|line| test(line));
        let first = lines.next().map(|line| line.line);
        first.map(|first| (format::count(lines.count() + 1, "line"), first))
    };
    if let Some((count, first)) = lines(&|line| line.merged_seams > 0) {
        notes.push(format!(
            "{count} merged at the seam (the first is line {first}): a token would cross the end of the prompt, so the \
             answer is encoded apart, as it is sampled; move the space or line break from the prompt to the answer"
        ));
    }
    if let Some((count, first)) = lines(&|line| line.has_control_token) {
        notes.push(format!(
            "{count} with a control token in a text, such as the end of a turn (the first is line {first}): the model \
             reads it as control, not as letters"
        ));
    }
    for rule in [Rule::AfterOpening, Rule::AfterChangedPrompt] {
        if let Some((count, first)) = lines(&|line| line.rule == rule) {
            notes.push(format!(
                "learned in {count} (the first is line {first}): {rule}"
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::train::Args;

    fn limit(options: &[&str], context: Option<usize>) -> Option<LengthLimit> {
        Args::parsed(options).encode.limit(context).ok()
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
            assert_eq!(limit(options, context), Some(expected), "{options:?}");
        }
        assert_eq!(limit(&["--too-long", "cut"], None), None);
    }

    #[test]
    fn options_are_repeated() {
        let options = ["--learn", "last", "--max-length", "5", "--too-long", "cut"];
        assert_eq!(Args::parsed(&options).encode.to_words(), options);
        assert!(Args::parsed(&[]).encode.to_words().is_empty());
    }
}
