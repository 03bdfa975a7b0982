//! Rows of the data of `train dpo` and `train rl`, with those that are held out.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use tinker_data::{Index, LengthLimit, Row, held_out};

use super::common::CommonArgs;
use super::split::{beside, held_out_count};
use crate::context::Context;
use crate::data_files::{formats, is_stdin, print_notes};
use crate::exit::Usage;
use crate::format;

/// Training rows and held-out rows.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) train: Vec<Row>,
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
        let read = |names: &[PathBuf]| args.read.index(names, spool, printer, &mut |_| ());
        let data = read(&args.data)?;
        let rows = placed(&data.rows)?;
        let neighbour = match &args.data[..] {
            [only] if !is_stdin(only) => Some(beside(only)).filter(|path| path.is_file()),
            _ => None,
        };
        let (train, held_out, held_out_sha256, from) =
            if let Some(path) = args.eval.clone().or(neighbour) {
                let eval = read(std::slice::from_ref(&path))?;
                let from = path.display().to_string();
                (rows, placed(&eval.rows)?, Some(eval.sha256), from)
            } else {
                let prompts = rows.iter().map(|row| row.example.prompt_fingerprint());
                let prompts: Vec<u128> = prompts.collect();
                let different = prompts.iter().collect::<HashSet<_>>().len();
                let share = held_out_count(different) as f64 / different.max(1) as f64;
                let chosen = held_out(&prompts, share, 0);
                let mut parts = (Vec::new(), Vec::new());
                for (row, is_held_out) in rows.into_iter().zip(chosen) {
                    if is_held_out {
                        parts.1.push(row);
                    } else {
                        parts.0.push(row);
                    }
                }
                (
                    parts.0,
                    parts.1,
                    None,
                    "the data, not trained on".to_owned(),
                )
            };
        let notes = data.rows.notes();
        let examples = format::count(train.len(), "example");
        let line = format!("{examples} ({} read)", formats(notes));
        printer.print_labelled("data", &line);
        print_notes(notes, printer);
        let line = format!("{} from {from}", format::count(held_out.len(), "example"));
        printer.print_labelled("held out", &line);
        let has_messages = train
            .iter()
            .chain(&held_out)
            .any(|row| row.example.has_messages());
        Ok(Self {
            train,
            held_out,
            sha256: data.sha256,
            held_out_sha256,
            has_messages,
        })
    }
}

fn placed(index: &Index) -> anyhow::Result<Vec<Row>> {
    Ok(index.rows().collect::<Result<_, _>>()?)
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
