//! `tinker data split`: training data and held-out data.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use tinker_data::{Index, matching};

use super::target::{create, refuse_same};
use crate::context::Context;
use crate::data_files::{ReadArgs, print_notes};
use crate::exit::Usage;
use crate::format::{self, labelled};
use crate::report::Printable;
use crate::style::{LABEL, TerminalStyle};

/// Split data files into training data and held-out data.
///
/// The rows of one prompt stay together. The choice depends on the prompts and the seed, not on the order of the rows.
/// Rows are written as JSON Lines with all their columns.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker data split chats.jsonl --share 0.05
  tinker data split 'data/*.jsonl' --share 0.1 --seed 7 --train train.jsonl --eval eval.jsonl")]
pub(super) struct Args {
    /// Files, patterns, or `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Share of the prompts to hold out, between 0 and 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    share: f64,
    /// Random seed of the choice.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// File for training data [default: FILE-train.jsonl].
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// File for held-out data [default: FILE-train-eval.jsonl, which `tinker train FILE-train.jsonl` finds].
    #[arg(long, value_name = "FILE")]
    eval: Option<PathBuf>,
    /// Replace existing files.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    read: ReadArgs,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("give a number between 0 and 1".to_owned()),
    }
}

/// Result of the split.
#[derive(Debug, Serialize)]
struct Divided {
    train: Part,
    eval: Part,
}

#[derive(Debug, Serialize)]
struct Part {
    file: String,
    rows: usize,
}

/// Splits and writes.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let files = matching(&args.files)?;
    let first = files.first().cloned().unwrap_or_default();
    let (train, eval) = (
        args.train
            .clone()
            .unwrap_or_else(|| beside(&first, "-train")),
        args.eval
            .clone()
            .unwrap_or_else(|| beside(&first, "-train-eval")),
    );
    if train == eval {
        return Err(Usage("--train and --eval name the same file".to_owned()).into());
    }
    for output in [&train, &eval] {
        refuse_same(&files, output)?;
    }
    let read = args
        .read
        .index(&files, None, context.printer, &mut |_| ())?;
    let mut index = read.rows;
    print_notes(index.notes(), context.printer);
    let held_out = index.hold_out(args.seed, |prompts| held_out_count(prompts, args.share))?;
    let train = Output::create(train, args.force)?;
    let eval = Output::create(eval, args.force)?;
    context.report.print(&Divided {
        train: train.write(&index)?,
        eval: eval.write(&held_out)?,
    })
}

/// Number of prompts to hold out: at least one of two.
fn held_out_count(prompts: usize, share: f64) -> usize {
    let least = usize::from(prompts > 1);
    ((prompts as f64 * share).round() as usize).max(least)
}

/// `x-train.jsonl` for `x.csv.gz`.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let stem = name
        .split('.')
        .next()
        .filter(|stem| !stem.is_empty() && *stem != "-");
    file.with_file_name(format!("{}{suffix}.jsonl", stem.unwrap_or("data")))
}

/// A file of rows.
struct Output {
    path: PathBuf,
    file: Box<dyn Write>,
}

impl Output {
    fn create(path: PathBuf, force: bool) -> anyhow::Result<Self> {
        Ok(Self {
            file: create(&path, force)?,
            path,
        })
    }

    fn write(mut self, rows: &Index) -> anyhow::Result<Part> {
        let cannot = || format!("cannot write {}", self.path.display());
        for at in 0..rows.len() {
            writeln!(self.file, "{}", rows.text(at)?).with_context(cannot)?;
        }
        self.file.flush().with_context(cannot)?;
        Ok(Part {
            file: self.path.display().to_string(),
            rows: rows.len(),
        })
    }
}

impl Printable for Divided {
    fn to_text(&self, _: TerminalStyle) -> String {
        let line = |label, part: &Part| {
            let text = format!("{} to {}", format::count(part.rows, "row"), part.file);
            labelled(LABEL, label, &text) + "\n"
        };
        line("train", &self.train) + &line("held out", &self.eval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_data_are_split_too() {
        let counts = [(1, 0.5), (1, 0.1), (2, 0.01), (100, 0.1)];
        let counts = counts.map(|(prompts, share)| held_out_count(prompts, share));
        assert_eq!(counts, [1, 0, 1, 10]);
    }

    #[test]
    fn files_are_named_after_the_data() {
        assert_eq!(
            beside("a/x.csv.gz".as_ref(), "-train"),
            Path::new("a/x-train.jsonl")
        );
        assert_eq!(
            beside("-".as_ref(), "-train"),
            Path::new("data-train.jsonl")
        );
    }
}
