//! The files of a run: training data and held-out questions.

use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use tinker_data::Dataset;

use super::args::Args;
use super::split::{Origin, Split, beside};
use crate::context::Context;
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
        let (data, sha256) = read(&args.data)?;
        let neighbour = Some(beside(&args.data)).filter(|path| path.is_file());
        let split = match args.eval.clone().or(neighbour) {
            Some(eval) => {
                let (eval, sha256) = read(&eval)?;
                Split::with_file(data, eval, sha256)
            }
            None => Split::by_share(data),
        };
        let examples = format::count(split.train.rows.len(), "example");
        let path = args.data.display();
        context
            .printer
            .print_labelled("data", &format!("{examples} from {path}"));
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

/// A data file and its SHA-256 in hexadecimal.
fn read(path: &Path) -> anyhow::Result<(Dataset, String)> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let data = Dataset::parse(path, &bytes)?;
    let digest = Sha256::digest(&bytes);
    let hex = digest.iter().map(|byte| format!("{byte:02x}"));
    Ok((data, hex.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        std::fs::write(&path, "{\"prompt\":\"a\",\"completion\":\"b\"}\n").unwrap();
        let (_, sha256) = read(&path).unwrap();
        assert_eq!(
            sha256,
            "e07d31bdddb9aeaff065bbece8d092e987394a88450a601b00d76c066f1088b2"
        );
    }
}
