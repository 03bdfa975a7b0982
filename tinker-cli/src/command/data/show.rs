//! `tinker data show`: rows as the model sees them.

use std::path::PathBuf;

use serde::Serialize;
use tinker_data::{DatasetError, matching};

use super::target::ModelArgs;
use crate::context::Context;
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
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Rows with their sequences.
#[derive(Debug, Serialize)]
struct Shown {
    rows: Vec<ShownRow>,
    #[serde(skip)]
    ids: bool,
}

/// Shows the first rows.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let renderer = args.model.renderer()?;
    let mut rows = Vec::new();
    for path in matching(&args.files)? {
        let mut errors = 0;
        let mut read = args.read.open(&path)?;
        while rows.len() < args.number {
            match read.next() {
                None => break,
                Some(Ok(row)) => rows.push(ShownRow::new(&renderer, &row)?),
                Some(Err(_)) if args.read.skip_bad => errors += 1,
                Some(Err(error)) => return Err(DatasetError::from(error).into()),
            }
        }
        if errors > 0 {
            let note = format!("{} with errors left out", format::count(errors, "line"));
            context.printer.print_note(&note);
        }
    }
    context.report.print(&Shown {
        rows,
        ids: args.ids,
    })
}

impl Printable for Shown {
    fn to_text(&self, style: TerminalStyle) -> String {
        let rows = self.rows.iter().map(|row| row.to_text(style, self.ids));
        rows.collect::<Vec<_>>().join("\n")
    }
}
