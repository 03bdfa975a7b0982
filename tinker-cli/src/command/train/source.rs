//! The files of a run: what is trained on, and what is asked.

use std::path::{Path, PathBuf};

use super::Args;
use super::data::DataFile;
use super::split::{Origin, Split, beside};
use crate::context::Context;
use crate::words;

/// What the files hold.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
    pub(crate) split: Split,
}

impl Source {
    /// Reads the data and finds the held-out prompts; says what it found.
    pub(crate) fn read(args: &Args, context: &Context) -> anyhow::Result<Self> {
        let data = DataFile::read(&args.data)?;
        let (path, sha256) = (data.path.clone(), data.sha256.clone());
        let neighbour = Some(beside(&args.data)).filter(|path| path.is_file());
        let split = match args.eval.clone().or(neighbour) {
            Some(eval) => Split::with_file(data, DataFile::read(&eval)?),
            None => Split::by_share(data),
        };
        let examples = words::count(split.train.len(), "example");
        context
            .talk
            .tell("data", &format!("{examples} from {}", path.display()));
        context.talk.tell("held out", &split.describe());
        let leaked = split.leaked();
        if leaked > 0 {
            let prompts = words::count(leaked, "held-out prompt");
            context
                .talk
                .note(&format!("{prompts} of these in the training data, too"));
        }
        Ok(Self {
            path,
            sha256,
            split,
        })
    }

    /// The file the questions come from.
    pub(crate) fn eval_path(&self) -> &Path {
        match &self.split.origin {
            Origin::File { path, .. } => path,
            Origin::Share => &self.path,
        }
    }
}
