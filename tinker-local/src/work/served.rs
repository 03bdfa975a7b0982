//! A base model that is served, with the thread that computes with it.

use std::io;
use std::path::Path;

use tinker_engine::backend::{Backend, BaseModelInfo};
use tinker_engine::base::TOKENIZER;

use super::worker::Worker;
use crate::{Limits, tokenizer};

/// One of the base models of an engine.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) info: BaseModelInfo,
    pub(crate) worker: Worker,
}

impl Served {
    pub(crate) fn start(backend: Box<dyn Backend>, limits: &Limits) -> io::Result<Self> {
        Ok(Self {
            info: backend.model().clone(),
            worker: Worker::start(backend, limits)?,
        })
    }

    /// Writes the files of the built-in tokenizer, if the model uses it, and makes their folder the tokenizer's id.
    pub(crate) fn write_tokenizer(&mut self, data_dir: &Path) -> io::Result<()> {
        if self.info.tokenizer.as_deref() == Some(TOKENIZER) {
            let folder = tokenizer::write(data_dir, self.info.context)?;
            self.info.tokenizer = Some(folder.display().to_string());
        }
        Ok(())
    }
}
