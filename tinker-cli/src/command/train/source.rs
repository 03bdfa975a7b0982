//! The files of a run: training data and held-out questions.

use std::path::Path;

use super::args::Args;
use super::split::{Origin, Split, beside};
use crate::context::Context;
use crate::data_files::{formats, is_stdin, print_notes};
use crate::format;

/// The content of the files.
#[derive(Debug)]
pub(crate) struct Source {
    /// SHA-256 of the data file, as `sha256sum` prints it.
    pub(crate) sha256: String,
    pub(crate) split: Split,
    /// Whether a row or a question holds messages, which the chat template writes.
    pub(crate) has_messages: bool,
}

impl Source {
    /// Checks the data, selects the held-out questions, and prints a summary. What cannot be read twice is copied to a
    /// temporary file in `folder`.
    pub(crate) fn read(
        args: &Args,
        folder: Option<&Path>,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let printer = context.printer;
        let mut has_messages = false;
        let mut data = args.read.index(&args.data, folder, printer, &mut |row| {
            has_messages |= row.example.has_messages();
        })?;
        data.mix(&args.mix, args.seed)?;
        let notes = data.rows.notes().clone();
        let neighbour = match &args.data[..] {
            [only] if !is_stdin(only) => Some(beside(only)).filter(|path| path.is_file()),
            _ => None,
        };
        let split = match args.eval.clone().or(neighbour) {
            Some(path) => {
                let mut questions = Vec::new();
                let names = std::slice::from_ref(&path);
                let eval = args.read.index(names, folder, printer, &mut |row| {
                    let prompt = row.example.prompt_fingerprint();
                    questions.extend(row.question().map(|question| (prompt, question)));
                    has_messages |= row.example.has_messages();
                })?;
                let sha256 = eval.sha256;
                let origin = Origin::File { path, sha256 };
                Split::with_file(data.rows, questions, origin)?
            }
            None => Split::by_share(data.rows)?,
        };
        let examples = format::count(split.train.len(), "example");
        let files: Vec<String> = args
            .data
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        printer.print_labelled(
            "data",
            &format!(
                "{examples} from {} ({} read)",
                files.join(", "),
                formats(&notes)
            ),
        );
        print_notes(&notes, printer);
        printer.print_labelled("held out", &split.describe());
        if split.leaked > 0 {
            let prompts = format::count(split.leaked, "held-out prompt");
            printer.print_note(&format!("{prompts} of these also in the training data"));
        }
        Ok(Self {
            sha256: data.sha256,
            split,
            has_messages,
        })
    }

    /// The file of the training data.
    pub(crate) fn path(&self) -> &Path {
        let mut paths = self.split.train.paths();
        paths.next().unwrap_or_else(|| Path::new(""))
    }

    /// SHA-256 of the file of the questions; `None` if they are a share of the data.
    pub(crate) fn held_out_sha256(&self) -> Option<&str> {
        match &self.split.origin {
            Origin::File { sha256, .. } => Some(sha256),
            Origin::Share { .. } => None,
        }
    }

    /// The file of the questions.
    pub(crate) fn eval_path(&self) -> &Path {
        match &self.split.origin {
            Origin::File { path, .. } => path,
            Origin::Share { .. } => self.path(),
        }
    }
}
