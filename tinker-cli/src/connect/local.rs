//! The engine inside this program.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tinker_client::{Config, ServiceClient};
use tinker_local::{Decode, Limits, LocalEngine, ModelFolder, SavedAdapter};

use super::place::DecodeArg;
use super::{BUILT_IN_MODEL, EngineArgs};
use crate::exit::Usage;
use crate::words;

/// The engine that will be started.
#[derive(Debug)]
pub(crate) struct Choice {
    data_dir: PathBuf,
    threads: Option<usize>,
    context: Option<usize>,
    decode: Decode,
    folders: Vec<ModelFolder>,
    with_builtin: bool,
    /// It gets its folder of checkpoints; otherwise it makes do with a temporary one.
    pub(super) has_checkpoints: bool,
}

impl Choice {
    /// As the options say, with the built-in model.
    pub(crate) fn new(args: &EngineArgs) -> anyhow::Result<Self> {
        Ok(Self {
            data_dir: data_dir(args.data_dir.as_deref())?,
            threads: args.threads.map(std::num::NonZeroUsize::get),
            context: args.context.map(std::num::NonZeroUsize::get),
            decode: match args.decode {
                DecodeArg::Exact => Decode::Exact,
                DecodeArg::Int8 => Decode::Int8,
            },
            folders: Vec::new(),
            with_builtin: false,
            has_checkpoints: true,
        })
    }

    /// With the model of a folder, or the built-in one beside those.
    pub(crate) fn add(&mut self, model: &str) -> anyhow::Result<()> {
        if model == BUILT_IN_MODEL {
            self.with_builtin = true;
            return Ok(());
        }
        let Some(folder) = folder(model) else {
            let message = format!(
                "{model} is no folder; give the folder of a Hugging Face model, NAME=FOLDER, or {BUILT_IN_MODEL}"
            );
            return Err(Usage(message).into());
        };
        self.add_folder(folder);
        Ok(())
    }

    fn add_folder(&mut self, folder: ModelFolder) {
        self.folders.push(match self.context {
            Some(context) => folder.with_context(context),
            None => folder,
        });
    }

    /// With what a command works on: the model of a folder, or that of a checkpoint. Other names are left to the engine.
    pub(super) fn add_for(&mut self, model: &str) -> anyhow::Result<()> {
        let folder = if model.starts_with("tinker://") {
            self.base_of(model)
        } else {
            folder(model)
        };
        let Some(folder) = folder else {
            return Ok(());
        };
        if cfg!(not(feature = "tokenizers")) {
            let message = format!(
                "{} has a tokenizer of its own, which this build cannot read; build it with `--features tokenizers`. \
                 (`serve --model` works as it is, with clients that turn text into tokens themselves.)",
                folder.path().display()
            );
            return Err(Usage(message).into());
        }
        self.add_folder(folder);
        Ok(())
    }

    /// The folder of a checkpoint's base model, under the name it had. What can't be read is for the engine to refuse.
    fn base_of(&self, checkpoint: &str) -> Option<ModelFolder> {
        let saved = SavedAdapter::open(&self.data_dir, &checkpoint.parse().ok()?).ok()?;
        let folder = ModelFolder::new(saved.base_folder()?);
        Some(folder.with_name(saved.base_model()))
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        let models = match &self.folders[..] {
            [] => format!("built-in model {BUILT_IN_MODEL}"),
            folders => {
                let paths = folders.iter().map(|folder| words::path(folder.path()));
                format!("model {}", paths.collect::<Vec<_>>().join(", "))
            }
        };
        format!("{models}, data in {}", words::path(&self.data_dir))
    }

    /// Starts it.
    pub(crate) fn start(self, limits: Limits) -> anyhow::Result<LocalEngine> {
        let mut builder = LocalEngine::builder().limits(limits).decode(self.decode);
        if self.has_checkpoints {
            builder = builder.data_dir(self.data_dir);
        }
        if let Some(threads) = self.threads {
            builder = builder.threads(threads);
        }
        if self.with_builtin {
            builder = builder.with_builtin();
        }
        for folder in self.folders {
            builder = builder.model(folder);
        }
        builder.build().context("cannot start the built-in engine")
    }
}

/// The folder of checkpoints, as asked for or else the usual one.
pub(crate) fn data_dir(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let folder = asked
        .map(Path::to_owned)
        .or_else(|| Some(home()?.join(".tinker").join("local")));
    folder.context("there is no home folder for checkpoints; choose a folder with --data-dir")
}

/// The model of a folder, given as `FOLDER` or `NAME=FOLDER`.
fn folder(model: &str) -> Option<ModelFolder> {
    if Path::new(model).is_dir() {
        return Some(ModelFolder::new(model));
    }
    let (name, folder) = model.split_once('=')?;
    let is_one = !name.is_empty() && Path::new(folder).is_dir();
    is_one.then(|| ModelFolder::new(folder).with_name(name))
}

/// The name under which an engine serves the model of a folder.
pub(super) fn name_in(engine: &LocalEngine, model: &str) -> Option<String> {
    let path = std::fs::canonicalize(folder(model)?.path()).ok()?;
    let mut models = engine.models();
    let served = models.find(|info| info.folder.as_deref() == Some(&path))?;
    Some(served.name.clone())
}

/// A client of an engine in the same process.
pub(super) fn client(engine: &LocalEngine) -> anyhow::Result<ServiceClient> {
    // The settings of a server in the environment, its key among them, are none of the engine's business.
    let config = Config::new("http://local");
    Ok(ServiceClient::builder()
        .config(config)
        .leaf(engine.service())
        .build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_a_folder_or_a_name_for_one() {
        let place = tempfile::tempdir().unwrap();
        let odd = place.path().join("a=b");
        std::fs::create_dir(&odd).unwrap();
        let odd = odd.to_str().unwrap();
        assert_eq!(folder(odd), Some(ModelFolder::new(odd)));
        let named = format!("mine={}", place.path().display());
        assert_eq!(
            folder(&named),
            Some(ModelFolder::new(place.path()).with_name("mine"))
        );
        for none in ["Qwen/Qwen3-8B", "mine=nowhere", "=", "tinker-local/tiny"] {
            assert_eq!(folder(none), None);
        }
    }
}
