//! A base model that is served, with the thread that computes with it.

use std::io;

use tinker_engine::backend::{Backend, BaseModelInfo};

use super::worker::Worker;
use crate::Limits;

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
}
