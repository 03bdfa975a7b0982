//! Configuration and start of an engine.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tinker_engine::{CpuBackend, FolderError, ModelFolder};
use tinker_types::LossFn;

use crate::convert::is_computed;
use crate::local::LocalEngine;
use crate::shared::Shared;
use crate::shelf::Shelf;
use crate::sign::Signer;
use crate::store::{Store, StoreError};
use crate::substitute::Substitutes;
use crate::tenant::AcceptedKeys;
use crate::work::{Operations, Served};
use crate::{Behavior, Limits};
use tinker_engine::backend::{Backend, BackendError};

/// An engine could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The data folder can't be used.
    #[error("the data folder can't be used")]
    DataFolder(#[from] StoreError),
    /// The model can't be used.
    #[error("the model can't be used")]
    Backend(#[from] BackendError),
    /// A folder has no model that can be served.
    #[error("the model can't be loaded")]
    Folder(#[from] FolderError),
    /// Two models have the same name.
    #[error("two models are called {0:?}; give one of them another name")]
    SameName(String),
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[source] io::Error),
    /// An accepted API key cannot be used. The message does not contain it.
    #[error("an accepted API key can't be used: it {0}")]
    ApiKey(&'static str),
    /// The system returned no random numbers.
    #[error("no signing key could be drawn")]
    Random(#[source] io::Error),
    /// A loss can't be substituted.
    #[error("the loss {name} can't be computed as {by}: {why}")]
    Substitute {
        /// The loss to be replaced.
        name: String,
        /// The loss to compute instead.
        by: String,
        /// The reason.
        why: &'static str,
    },
    /// The files of the built-in tokenizer could not be written.
    #[error("the files of the built-in tokenizer could not be written to the data folder")]
    Tokenizer(#[source] io::Error),
    /// The library was built without the built-in model, and no backend was given.
    #[error("there is no model: give a backend, or build with the feature base-model")]
    NoModel,
}

impl LocalEngine {
    /// Options for starting an engine.
    pub fn builder() -> LocalEngineBuilder {
        LocalEngineBuilder::new()
    }

    /// An engine with the built-in model and default options. Its checkpoints are removed when it stops.
    ///
    /// # Errors
    /// The temporary folder cannot be created, or the threads cannot be started.
    #[cfg(feature = "base-model")]
    pub fn builtin() -> Result<Self, BuildError> {
        Self::builder().build()
    }
}

/// Weights for generating tokens. Training and prompts always use the exact ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Decode {
    /// The weights of the model, in the precision of its files.
    #[default]
    Exact,
    /// Rounded to 8 bits, see [`CpuBackend::with_int8_decode`].
    Int8,
}

/// Options of an engine.
pub struct LocalEngineBuilder {
    data_dir: Option<PathBuf>,
    threads: Option<usize>,
    decode: Decode,
    backend: Option<Box<dyn Backend>>,
    folders: Vec<ModelFolder>,
    with_builtin: bool,
    limits: Limits,
    behavior: Behavior,
    substitutes: Vec<(LossFn, LossFn)>,
    tokenizer_files: bool,
    api_keys: Vec<String>,
}

impl LocalEngineBuilder {
    pub(crate) fn new() -> Self {
        Self {
            data_dir: None,
            threads: None,
            decode: Decode::default(),
            backend: None,
            folders: Vec::new(),
            with_builtin: false,
            limits: Limits::default(),
            behavior: Behavior::default(),
            substitutes: Vec::new(),
            tokenizer_files: false,
            api_keys: Vec::new(),
        }
    }

    tinker_types::setters! {
        /// Keeps checkpoints in this folder, which is created if needed. One engine at a time can use a folder. Unset, they
        /// are in a private temporary folder, which is removed with the engine.
        data_dir(folder: impl Into<PathBuf>) => data_dir = Some(folder.into());

        /// Number of threads to compute with. Unset, as many as the machine has processors. Has no effect on a
        /// [`backend`](Self::backend).
        threads(threads: usize) => threads = Some(threads);

        /// Chooses the weights for generating tokens. Default [`Decode::Exact`]. With a large model and few concurrent
        /// sequences [`Decode::Int8`] is faster; log probabilities of samples are then those of the rounded model. Has no
        /// effect on a [`backend`](Self::backend).
        decode(decode: Decode) => decode = decode;
    }

    /// Serves the model of a Hugging Face folder (Llama, Qwen 2 or Qwen 3) instead of the built-in one: a path, or a
    /// [`ModelFolder`] with a different name and context length. Can be called several times. Each model is kept in memory
    /// and scheduled by a separate thread; busy models share the processors.
    #[must_use]
    pub fn model(mut self, folder: impl Into<ModelFolder>) -> Self {
        self.folders.push(folder.into());
        self
    }

    /// Serves the built-in model in addition to others.
    #[must_use]
    pub fn builtin(mut self) -> Self {
        self.with_builtin = true;
        self
    }

    /// Computes a loss that the engine does not offer, such as `stable_reinforce`, as another one. Constants of the requested
    /// loss are dropped. New sessions carry a warning, and the metrics of such a pass have the entry
    /// `substituted/<loss>_by_<other>:mean`. Can be called several times.
    #[must_use]
    pub fn substitute_loss(mut self, name: LossFn, by: LossFn) -> Self {
        self.substitutes.push((name, by));
        self
    }

    /// Accepts this API key, and no others than the keys given so. Can be called several times. Without one, every key is
    /// accepted, and everything belongs to everyone.
    ///
    /// A key is visible ASCII of at most 1024 bytes; use a random one. Requests without an accepted key are answered 401,
    /// except `healthz` and signed links. Each key is a tenant: it sees and uses its own sessions, runs and checkpoints,
    /// and those of others are answered 404. Published checkpoints can be read with every key. Checkpoints keep their
    /// owner on disk, as a fingerprint of the key. Checkpoints that were saved while every key was accepted belong to
    /// everyone. [`Limits`] hold for all tenants together, and [`LocalEngine::stream`] asks for no key.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_keys.push(key.into());
        self
    }

    tinker_types::setters! {
        /// Writes the built-in tokenizer as a Hugging Face folder into the data folder, and reports its path as the id of
        /// the tokenizer. The official Python client on the same machine can load it. Default false: the id is a name.
        tokenizer_files(wanted: bool) => tokenizer_files = wanted;

        /// Serves the model of a backend instead of the built-in one.
        backend(backend: Box<dyn Backend>) => backend = Some(backend);

        /// Sets the limits of memory and time.
        limits(limits: Limits) => limits = limits;

        /// Sets the behavior towards clients: delays, injected faults, older protocol versions. For tests of clients.
        behavior(behavior: Behavior) => behavior = behavior;
    }

    /// Opens the data folder and starts the engine's threads.
    ///
    /// # Errors
    /// The data folder is in use or cannot be written, no model can be loaded, or an API key cannot be used.
    pub fn build(mut self) -> Result<LocalEngine, BuildError> {
        let config = &mut self.behavior.client_config;
        if config == &Behavior::default().client_config {
            config.sample_max_concurrent_requests = self.limits.queued_samples as u64;
        }
        let keys = AcceptedKeys::new(&self.api_keys).map_err(BuildError::ApiKey)?;
        let is_temporary = self.data_dir.is_none();
        let store = match &self.data_dir {
            Some(folder) => Store::open(folder)?,
            None => Store::temporary()?,
        };
        let mut backends: Vec<Box<dyn Backend>> = Vec::from_iter(self.backend.take());
        if self.with_builtin || (backends.is_empty() && self.folders.is_empty()) {
            #[cfg(feature = "base-model")]
            backends.push(self.configure(CpuBackend::builtin()?));
            #[cfg(not(feature = "base-model"))]
            return Err(BuildError::NoModel);
        }
        for folder in &self.folders {
            let backend = CpuBackend::from_folder(folder)?;
            let name = &backend.model().name;
            if backends.iter().any(|other| other.model().name == *name) {
                return Err(BuildError::SameName(name.clone()));
            }
            backends.push(self.configure(backend));
        }
        let data_dir: Arc<Path> = Arc::from(store.root());
        let shelf = Shelf::new(store.samplers()?, self.limits.sampler_bytes);
        let substitutes = self.substitutes()?;
        let signer = Signer::new().map_err(|error| BuildError::Random(error.into()))?;
        let served = backends
            .into_iter()
            .map(|backend| Served::start(backend, &self.limits));
        let mut served = served
            .collect::<io::Result<Vec<_>>>()
            .map_err(BuildError::Thread)?;
        if self.tokenizer_files {
            for served in &mut served {
                served
                    .write_tokenizer(&data_dir)
                    .map_err(BuildError::Tokenizer)?;
            }
        }
        let operations = Operations::new(self.limits, served, store, shelf, substitutes);
        let operations = operations.map_err(BuildError::Thread)?;
        let shared = Shared::new(operations, self.behavior, is_temporary, signer, keys);
        Ok(LocalEngine {
            shared: Arc::new(shared),
            data_dir,
        })
    }

    fn substitutes(&self) -> Result<Substitutes, BuildError> {
        let mut substitutes = Substitutes::default();
        for (name, by) in &self.substitutes {
            let why = if is_computed(name) || *name == LossFn::Custom {
                "the engine computes it itself"
            } else if is_computed(by) {
                substitutes.insert(name, by.clone());
                continue;
            } else {
                "the engine does not compute the substitute"
            };
            return Err(BuildError::Substitute {
                name: name.as_str().to_owned(),
                by: by.as_str().to_owned(),
                why,
            });
        }
        Ok(substitutes)
    }

    fn configure(&self, backend: CpuBackend) -> Box<dyn Backend> {
        let mut backend = backend
            .with_live_sequences(self.limits.live_sequences)
            .with_prefix_cache(self.limits.prefix_cache_bytes);
        if let Some(bytes) = self.limits.cache_bytes {
            backend = backend.with_cache_bytes(bytes);
        }
        if let Some(threads) = self.threads {
            backend = backend.with_threads(threads);
        }
        if self.decode == Decode::Int8 {
            backend = backend.with_int8_decode();
        }
        Box::new(backend)
    }
}

impl fmt::Debug for LocalEngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEngineBuilder")
            .field("data_dir", &self.data_dir)
            .field("threads", &self.threads)
            .field("decode", &self.decode)
            .field("limits", &self.limits)
            .field("behavior", &self.behavior)
            .finish_non_exhaustive()
    }
}
