//! Rows of the data of `train dpo` and `train rl`, with those that are held out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tinker_data::{Index, LengthLimit, Row};

use super::common::CommonArgs;
use super::split::{beside, held_out_count};
use crate::context::Context;
use crate::data_files::{formats, is_stdin, print_notes};
use crate::exit::Usage;
use crate::format;
use crate::printer::Printer;
use crate::watched::{Unit, watched};

/// Training rows, which are read when they are needed, and held-out rows.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) train: Arc<Index>,
    pub(super) held_out: Vec<Row>,
    pub(super) sha256: String,
    pub(super) held_out_sha256: Option<String>,
    pub(super) has_messages: bool,
}

impl Rows {
    /// Reads the files, and prints a summary.
    pub(super) fn read(
        args: &CommonArgs,
        spool: Option<&Path>,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let printer = context.printer;
        let mut has_messages = false;
        let mut data = args
            .read
            .index(&args.data, spool, printer, &mut |row: &Row| {
                has_messages |= row.example.has_messages();
            })?;
        let neighbour = match &args.data[..] {
            [only] if !is_stdin(only) => Some(beside(only)).filter(|path| path.is_file()),
            _ => None,
        };
        let mut held_out = Vec::new();
        let (held_out_sha256, from) = if let Some(path) = args.eval.clone().or(neighbour) {
            let names = std::slice::from_ref(&path);
            let eval = args.read.index(names, spool, printer, &mut |row: &Row| {
                has_messages |= row.example.has_messages();
                held_out.push(row.clone());
            })?;
            (Some(eval.sha256), path.display().to_string())
        } else {
            let rows = data.rows.hold_out(0, held_out_count)?;
            held_out = rows.rows().collect::<Result<_, _>>()?;
            (None, "the data, not trained on".to_owned())
        };
        let notes = data.rows.notes();
        let examples = format::count(data.rows.len(), "example");
        let line = format!("{examples} ({} read)", formats(notes));
        printer.print_labelled("data", &line);
        print_notes(notes, printer);
        let line = format!("{} from {from}", format::count(held_out.len(), "example"));
        printer.print_labelled("held out", &line);
        Ok(Self {
            train: Arc::new(data.rows),
            held_out,
            sha256: data.sha256,
            held_out_sha256,
            has_messages,
        })
    }

    /// Checks the training rows on all cores, and adds the tokens that `check` returns.
    pub(super) fn check(
        &self,
        printer: Printer,
        check: impl Fn(&Row) -> anyhow::Result<usize> + Sync,
    ) -> anyhow::Result<usize> {
        let (mut tokens, done) = (0, AtomicU64::new(0));
        let total = (self.train.len() as u64, Unit::ROWS);
        let add = |found: anyhow::Result<usize>| {
            tokens += found?;
            anyhow::Ok(())
        };
        watched(printer, "check", total, &done, || {
            let progress = |rows| {
                done.fetch_max(rows as u64, Ordering::Relaxed);
            };
            self.train.map(check, add, &progress)
        })?;
        Ok(tokens)
    }
}

/// An error about a row.
pub(super) fn refuse(row: &Row, reason: &str) -> anyhow::Error {
    Usage(format!("{}:{}: {reason}", row.path.display(), row.line)).into()
}

/// Refuses a row with more tokens than the limit.
pub(super) fn check_length(row: &Row, tokens: usize, limit: LengthLimit) -> anyhow::Result<()> {
    match limit.most() {
        Some(most) if tokens > most => {
            let reason = format!("has {tokens} tokens; the model reads at most {most}");
            Err(refuse(row, &reason))
        }
        _ => Ok(()),
    }
}
