//! The files of a run: training data and held-out questions.

use std::path::Path;

use super::args::Args;
use super::split::{Origin, Split, beside};
use crate::context::Context;
use crate::data_files::{formats, is_stdin, mixed, print_notes};
use crate::format;

/// The content of the files.
#[derive(Debug)]
pub(crate) struct Source {
    /// SHA-256 of the data file, as `sha256sum` prints it.
    pub(crate) sha256: String,
    pub(crate) split: Split,
}

impl Source {
    /// Reads the data, selects the held-out questions, and prints a summary.
    pub(crate) fn read(args: &Args, context: &Context) -> anyhow::Result<Self> {
        let (parts, sha256) = args.read.read(&args.data)?;
        let data = mixed(parts, &args.mix, args.seed)?;
        let notes = data.notes.clone();
        let neighbour = match &args.data[..] {
            [only] if !is_stdin(only) => Some(beside(only)).filter(|path| path.is_file()),
            _ => None,
        };
        let split = match args.eval.clone().or(neighbour) {
            Some(eval) => {
                let (eval, sha256) = args.read.read(&[eval])?;
                Split::with_file(data, mixed(eval, &[], 0)?, sha256)
            }
            None => Split::by_share(data),
        };
        let examples = format::count(split.train.rows.len(), "example");
        let files: Vec<String> = args
            .data
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        context.printer.print_labelled(
            "data",
            &format!(
                "{examples} from {} ({} read)",
                files.join(", "),
                formats(&notes)
            ),
        );
        print_notes(&notes, context.printer);
        context
            .printer
            .print_labelled("held out", &split.describe());
        let leaked = split.leaked();
        if leaked > 0 {
            let prompts = format::count(leaked, "held-out prompt");
            context
                .printer
                .print_note(&format!("{prompts} of these also in the training data"));
        }
        Ok(Self { sha256, split })
    }

    /// The file of the training data.
    pub(crate) fn path(&self) -> &Path {
        &self.split.train.path
    }

    /// The file of the questions.
    pub(crate) fn eval_path(&self) -> &Path {
        match &self.split.origin {
            Origin::File { path, .. } => path,
            Origin::Share { .. } => self.path(),
        }
    }
}
