//! Setup of the engine inside this program.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tinker_client::hub::{Hub, HubConfig};
use tinker_client::{Config, ServiceClient};
use tinker_local::{Decode, Limits, LocalEngine, LocalEngineBuilder, ModelFolder, SavedAdapter};
use tinker_types::{CheckpointPath, LossFn};

use super::args::{BUILT_IN_MODEL, DecodeArg, EngineArgs};
use super::reference;
use crate::exit::Usage;
use crate::format;

/// Setup of an engine that has not been started.
#[derive(Debug)]
pub(crate) struct EngineSetup {
    data_dir: PathBuf,
    threads: Option<usize>,
    context: Option<usize>,
    decode: Decode,
    known_tokens: bool,
    folders: Vec<ModelFolder>,
    with_builtin: bool,
    /// Whether the engine uses the folder of checkpoints; if not, it uses a temporary one.
    pub(super) has_checkpoints: bool,
}

impl EngineSetup {
    /// Applies the options. Without further models, the engine has the built-in one.
    pub(crate) fn new(args: &EngineArgs) -> anyhow::Result<Self> {
        Ok(Self {
            data_dir: data_dir(args.data_dir.as_deref())?,
            threads: args.threads.map(std::num::NonZeroUsize::get),
            context: args.context.map(std::num::NonZeroUsize::get),
            decode: match args.decode {
                DecodeArg::Exact => Decode::Exact,
                DecodeArg::Int8 => Decode::Int8,
            },
            known_tokens: args.known_tokens,
            folders: Vec::new(),
            with_builtin: false,
            has_checkpoints: true,
        })
    }

    /// Adds a model, given as `FOLDER`, `NAME=FOLDER` or the name of the built-in one.
    pub(crate) fn add(&mut self, model: &str) -> anyhow::Result<()> {
        if model == BUILT_IN_MODEL {
            self.with_builtin = true;
            return Ok(());
        }
        let Some(folder) = folder(model) else {
            let message = format!(
                "{model} is not a folder, nor a model in the cache of the Hugging Face Hub; give the folder of a model, \
                 NAME=FOLDER, or {BUILT_IN_MODEL}"
            );
            return Err(Usage(message).into());
        };
        self.add_folder(folder);
        Ok(())
    }

    fn add_folder(&mut self, mut folder: ModelFolder) {
        if self.known_tokens {
            folder = folder.with_known_tokens_only();
        }
        self.folders.push(match self.context {
            Some(context) => folder.with_context(context),
            None => folder,
        });
    }

    /// Adds the model that a command works on, if it is a folder or a checkpoint of one. The engine handles other names.
    pub(super) fn load(&mut self, model: &str) -> anyhow::Result<()> {
        let folder = match folder(model) {
            Some(folder) => Some(folder),
            None => self.base_of(model)?,
        };
        let Some(folder) = folder else {
            return Ok(());
        };
        if cfg!(not(feature = "tokenizers")) {
            let message = format!(
                "this build cannot read the tokenizer in {}; build it with the feature `tokenizers`. (`serve --model` works \
                 without, for clients with a tokenizer.)",
                folder.path().display()
            );
            return Err(Usage(message).into());
        }
        self.add_folder(folder);
        Ok(())
    }

    /// The folder and the name of the base model of a checkpoint or a run, if the text names one.
    fn base_of(&self, text: &str) -> anyhow::Result<Option<ModelFolder>> {
        let Some(saved) = self.saved(text) else {
            return Ok(None);
        };
        let name = saved.base_model();
        let fix = format!(
            "serve it from its new place with `tinker serve --model {name}=FOLDER`, and sample there"
        );
        let folder = reference::base_folder(&saved, &fix)?;
        Ok(folder.map(|folder| ModelFolder::new(folder).with_name(name)))
    }

    /// The checkpoint that a text names. The engine reports those that cannot be read.
    fn saved(&self, text: &str) -> Option<SavedAdapter> {
        if CheckpointPath::is_address(text) {
            SavedAdapter::open(&self.data_dir, &text.parse().ok()?).ok()
        } else if reference::can_be_run(text) {
            reference::of_data_folder(text, &self.data_dir).ok()?
        } else {
            None
        }
    }

    /// One line for people.
    pub(super) fn describe(&self) -> String {
        let models = match &self.folders[..] {
            [] => format!("built-in model {BUILT_IN_MODEL}"),
            folders => {
                let paths = folders.iter().map(|folder| format::path(folder.path()));
                format!("model {}", paths.collect::<Vec<_>>().join(", "))
            }
        };
        format!("{models}, data in {}", format::path(&self.data_dir))
    }

    /// Starts the engine.
    pub(crate) fn start(self, limits: Limits) -> anyhow::Result<LocalEngine> {
        self.start_with(LocalEngine::builder().limits(limits))
    }

    /// Starts the engine for clients of other programs.
    pub(crate) fn start_serving(
        self,
        limits: Limits,
        substitutes: &[(LossFn, LossFn)],
        api_keys: &[String],
    ) -> anyhow::Result<LocalEngine> {
        let builder = LocalEngine::builder().limits(limits).tokenizer_files(true);
        let add = |builder: LocalEngineBuilder, (name, by): &(LossFn, LossFn)| {
            builder.substitute_loss(name.clone(), by.clone())
        };
        let builder = substitutes.iter().fold(builder, add);
        let accept = |builder: LocalEngineBuilder, key: &String| builder.api_key(key);
        self.start_with(api_keys.iter().fold(builder, accept))
    }

    fn start_with(self, builder: LocalEngineBuilder) -> anyhow::Result<LocalEngine> {
        let mut builder = builder.decode(self.decode);
        if self.has_checkpoints {
            builder = builder.data_dir(self.data_dir);
        }
        if let Some(threads) = self.threads {
            builder = builder.threads(threads);
        }
        if self.with_builtin {
            builder = builder.builtin();
        }
        for folder in self.folders {
            builder = builder.model(folder);
        }
        builder.build().context("cannot start the built-in engine")
    }
}

/// The folder of checkpoints: the requested one, else the default.
pub(crate) fn data_dir(requested: Option<&Path>) -> anyhow::Result<PathBuf> {
    let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let folder = requested
        .map(Path::to_owned)
        .or_else(|| Some(home()?.join(".tinker").join("local")));
    folder.context("the home folder is unknown; choose a folder of checkpoints with --data-dir")
}

/// The model of a folder, given as `FOLDER`, `NAME=FOLDER`, or the name on the Hugging Face Hub of one in its cache.
pub(super) fn folder(model: &str) -> Option<ModelFolder> {
    if Path::new(model).is_dir() {
        return Some(ModelFolder::new(model));
    }
    let Some((name, folder)) = model.split_once('=') else {
        return cached(model);
    };
    let is_folder = !name.is_empty() && Path::new(folder).is_dir();
    is_folder.then(|| ModelFolder::new(folder).with_name(name))
}

/// A model in the cache of the Hugging Face Hub, if its weights are there.
fn cached(model: &str) -> Option<ModelFolder> {
    let hub = HubConfig::from_env().and_then(Hub::new).ok()?;
    let folder = hub.cached(&model.parse().ok()?, "main")?;
    let has = |name: &str| folder.join(name).is_file();
    let has_weights = has("model.safetensors") || has("model.safetensors.index.json");
    (has("config.json") && has_weights).then(|| ModelFolder::new(folder).with_name(model))
}

/// The name of a folder's model within an engine.
pub(super) fn name_in(engine: &LocalEngine, model: &str) -> Option<String> {
    let path = std::fs::canonicalize(folder(model)?.path()).ok()?;
    let mut models = engine.models();
    let served = models.find(|info| info.folder.as_deref() == Some(&path))?;
    Some(served.name.clone())
}

/// A client of an engine in this process.
pub(super) fn client(engine: &LocalEngine) -> anyhow::Result<ServiceClient> {
    // Settings of a server in the environment, such as its key, do not apply to the engine.
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
