//! `tinker data check`: errors and counts of data files.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use tinker_data::{Counts, Survey, matching};

use super::target::{ModelArgs, finish};
use crate::context::Context;
use crate::data_errors::FileErrors;
use crate::data_files::{ReadArgs, bytes, formats, note_lines};
use crate::format::{self, labelled};
use crate::report::Printable;
use crate::style::{FAINT, LABEL, TerminalStyle, WARNING, paint};
use crate::watched::{Unit, watched};

/// Largest width of a bar in the histogram.
const BAR: usize = 40;

/// Check data files, and count rows, tokens, lengths, duplicates and leaks.
///
/// Ends with exit code 3 if a line has an error.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker data check chats.jsonl
  tinker data check 'data/*.jsonl.gz' --eval eval.jsonl --max-length 4096
  zcat chats.jsonl.gz | tinker data check - --model ~/models/Qwen3-0.6B --json")]
pub(super) struct Args {
    /// Files, patterns such as 'data/*.jsonl', or `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Held-out data; rows with a prompt that is also there are counted as leaks.
    #[arg(long, value_name = "FILE")]
    eval: Vec<PathBuf>,
    /// Count longer sequences.
    #[arg(long, value_name = "TOKENS")]
    max_length: Option<NonZeroUsize>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Result of the check.
#[derive(Debug, Serialize)]
struct Checked<'a> {
    files: Vec<String>,
    tokenizer: String,
    #[serde(flatten)]
    counts: &'a Counts,
    max_length: Option<usize>,
    /// Whether held-out data were compared.
    #[serde(skip)]
    has_eval: bool,
    /// Notes about the end tokens.
    ends: Vec<String>,
    errors: Vec<FileErrors>,
}

/// Checks and prints.
pub(super) async fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let renderer = args.model.renderer(&args.read, context.printer).await?;
    let ends = renderer.notes().to_vec();
    let mut survey = Survey::new(renderer);
    if let Some(most) = args.max_length {
        survey = survey.with_max_length(most.get());
    }
    let (eval, files) = (matching(&args.eval)?, matching(&args.files)?);
    let all = [&eval[..], &files].concat();
    let count = Arc::default();
    let total = (bytes(&all), Unit::BYTES);
    let errors = watched(context.printer, "check", total, &Arc::clone(&count), || {
        let open = |path: &PathBuf| args.read.open_counted(path, &count);
        let mut errors = Vec::new();
        for path in &eval {
            errors.extend(open(path).and_then(|rows| survey.hold_out(rows)).err());
        }
        for path in &files {
            let read = open(path).and_then(|rows| survey.add(rows));
            errors.extend(read.err());
        }
        errors
    });
    let counts = survey.finish()?;
    if errors.is_empty() {
        args.model.refuse_inert(counts.conversations > 0)?;
    }
    context.report.print(&Checked {
        files: files
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
        tokenizer: args.model.name(),
        counts: &counts,
        max_length: args.max_length.map(usize::from),
        has_eval: !args.eval.is_empty(),
        ends,
        errors: errors.iter().map(FileErrors::new).collect(),
    })?;
    finish(errors, context.printer)
}

impl Printable for Checked<'_> {
    fn to_text(&self, style: TerminalStyle) -> String {
        let counts = self.counts;
        let number = |count: usize| format::number(count as u64);
        // Rows with errors have a format too.
        let all: usize = counts.notes.formats.values().sum();
        let some = if counts.rows < all {
            format!("{} of ", number(counts.rows))
        } else {
            String::new()
        };
        let rows = format!(
            "{some}{} ({})",
            format::count(all, "row"),
            formats(&counts.notes)
        );
        let mut lines = vec![
            ("data", self.files.join("  ")),
            ("tokenizer", self.tokenizer.clone()),
            ("read", if all == 0 { "nothing".to_owned() } else { rows }),
        ];
        if counts.sequences > 0 {
            lines.push((
                "tokens",
                format!(
                    "{} read, {} learned",
                    number(counts.tokens),
                    number(counts.learned)
                ),
            ));
            lines.push((
                "lengths",
                format!(
                    "{} of {} to {} tokens",
                    format::count(counts.sequences, "sequence"),
                    number(counts.shortest),
                    number(counts.longest)
                ),
            ));
        }
        let mut text: String = lines
            .iter()
            .map(|(label, text)| labelled(LABEL, label, text) + "\n")
            .collect();
        text += &self.histogram(style);
        for finding in self.findings() {
            text += &format!("{}\n", labelled(WARNING, "note", &finding));
        }
        text
    }
}

impl Checked<'_> {
    fn histogram(&self, style: TerminalStyle) -> String {
        let most = self.counts.lengths.values().copied().max().unwrap_or(1);
        let bar = if style.unicode { "█" } else { "#" };
        let rows = self.counts.lengths.iter().map(|(length, count)| {
            let width = (count * BAR).div_ceil(most);
            let count = paint(FAINT, format::number(*count as u64));
            format!(
                "  {:>12}  {} {count}\n",
                format!("to {}", format::number(*length as u64)),
                bar.repeat(width)
            )
        });
        rows.collect()
    }

    fn findings(&self) -> Vec<String> {
        let counts = self.counts;
        let mut lines = note_lines(&counts.notes);
        lines.extend_from_slice(&self.ends);
        let mut add = |count: usize, noun: &str, rest: &str| {
            if count > 0 {
                lines.push(format!("{} {rest}", format::count(count, noun)));
            }
        };
        let most = self.max_length.unwrap_or_default();
        add(
            counts.over_long,
            "sequence",
            &format!("longer than {most} tokens"),
        );
        add(counts.duplicates, "row", "equal to an earlier one");
        add(counts.leaks, "row", "with a prompt that is also held out");
        add(counts.empty_turns, "message", "without text");
        add(
            counts.control_tokens,
            "row",
            "with a control token of the tokenizer in a text; it ends a turn or starts one",
        );
        add(
            counts.doubled_starts,
            "row",
            "whose text begins with the start token that the tokenizer adds, so that it is there twice; remove it from the text",
        );
        add(
            counts.merged_seams,
            "answer",
            "would merge with the end of its prompt; move the space from the prompt to the answer",
        );
        if self.has_eval && counts.leaks == 0 {
            lines.push("no prompt is also held out".to_owned());
        }
        lines
    }
}
