//! `tinker data show`: rows as the model sees them.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Serialize;
use tinker_data::{DatasetError, matching};

use super::target::{ModelArgs, finish};
use crate::context::Context;
use crate::data_errors::FileErrors;
use crate::data_files::ReadArgs;
use crate::format;
use crate::report::Printable;
use crate::shown_row::ShownRow;
use crate::style::TerminalStyle;

/// Show rows as the model sees them, with the learned tokens marked.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker data show chats.jsonl -n 3
  tinker data show chats.jsonl --model ~/models/Qwen3-0.6B --ids")]
pub(super) struct Args {
    /// Files, patterns, or `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Number of rows.
    #[arg(short, long, value_name = "N", default_value_t = 3)]
    number: usize,
    /// Print the ids of the tokens; learned ones have a star.
    #[arg(long)]
    ids: bool,
    /// Mark longer sequences.
    #[arg(long, value_name = "TOKENS")]
    max_length: Option<NonZeroUsize>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Lines with errors after which reading stops.
const MOST_ERRORS: usize = 20;

/// Rows with their sequences.
#[derive(Debug, Serialize)]
struct Shown {
    rows: Vec<ShownRow>,
    errors: Vec<FileErrors>,
    #[serde(skip)]
    ids: bool,
    #[serde(skip)]
    max_length: Option<usize>,
}

/// Shows the first rows. Rows with errors are named, and the next ones are shown.
pub(super) async fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let renderer = args.model.renderer(&args.read, context.printer).await?;
    let mut rows = Vec::new();
    let mut skipped = 0;
    let mut errors = Vec::new();
    let mut has_messages = false;
    for path in matching(&args.files)? {
        let mut of_file = Vec::new();
        let mut read = args.read.open(&path)?;
        while rows.len() < args.number && of_file.len() < MOST_ERRORS {
            let Some(row) = read.next() else {
                if rows.is_empty() && of_file.is_empty() && skipped == 0 {
                    return Err(DatasetError::empty(&path).into());
                }
                break;
            };
            let shown = row.and_then(|row| {
                has_messages |= row.example.has_messages();
                ShownRow::new(&renderer, &row)
            });
            match shown {
                Ok(row) => rows.push(row),
                Err(error) if args.read.skip_bad && error.line().is_some() => skipped += 1,
                Err(error) => of_file.push(error),
            }
        }
        errors.extend(DatasetError::new(&path, of_file));
    }
    if skipped > 0 {
        let note = format!("{} with errors left out", format::count(skipped, "line"));
        context.printer.print_note(&note);
    }
    if errors.is_empty() && !rows.is_empty() {
        args.model.refuse_inert(has_messages)?;
    }
    context.report.print(&Shown {
        rows,
        errors: errors.iter().map(FileErrors::new).collect(),
        ids: args.ids,
        max_length: args.max_length.map(usize::from),
    })?;
    finish(errors, context.printer)
}

impl Printable for Shown {
    fn to_text(&self, style: TerminalStyle) -> String {
        let rows = self
            .rows
            .iter()
            .map(|row| row.to_text(style, self.ids, self.max_length));
        rows.collect::<Vec<_>>().join("\n")
    }
}
