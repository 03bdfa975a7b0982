//! Where a command runs: on a server, or on the engine inside this program.

mod place;
mod target;

use std::path::PathBuf;
use std::time::Duration;

use tinker_client::chat::Renderer;
use tinker_client::transport::Class;
use tinker_client::transport::policy::Standard;
use tinker_client::{Config, FinishReason, ServerCapabilities, ServiceClient};

use crate::exit::{Interrupted, Usage};

pub(crate) use place::{EngineArgs, PlaceArgs};
pub(crate) use target::Target;

/// The model built into the local engine.
pub(crate) const BUILT_IN_MODEL: &str = "tinker-local/tiny";

/// How long a server may take to answer for the first time. Later it gets the client's patience of minutes.
const FIRST_ANSWER: Duration = Duration::from_secs(6);

/// An open connection with what commands ask of it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) service: ServiceClient,
    capabilities: ServerCapabilities,
    place: Place,
    tokenizer: Option<PathBuf>,
}

/// The other end.
#[derive(Debug)]
enum Place {
    Local {
        /// Keeps the engine alive until the connection is closed.
        #[cfg(feature = "local")]
        _engine: tinker_local::LocalEngine,
    },
    Server(String),
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(target: Target) -> anyhow::Result<Self> {
        let Some(config) = target.config else {
            return Self::open_local(target).await;
        };
        // Asked by a client of little patience, so that a wrong address or key shows in seconds.
        let brief = ServiceClient::builder()
            .config(config.clone())
            .configure_transport(|stack| {
                [Class::Session, Class::Rest]
                    .into_iter()
                    .fold(stack, |stack, class| {
                        stack.with_policy(class, Standard::new().with_time_limit(FIRST_ANSWER))
                    })
            });
        let capabilities = Box::pin(brief.build()?.get_server_capabilities()).await?;
        let place = Place::Server(config.base_url.clone());
        let service = ServiceClient::new(config)?;
        Ok(Self {
            service,
            capabilities,
            place,
            tokenizer: target.tokenizer,
        })
    }

    #[cfg(feature = "local")]
    async fn open_local(target: Target) -> anyhow::Result<Self> {
        let engine = crate::engine::start(&target.engine, target.has_checkpoints)?;
        // The settings of a server in the environment, its key among them, are none of the engine's business.
        let config = Config::new("http://local");
        let service = ServiceClient::builder()
            .config(config)
            .leaf(engine.service())
            .build()?;
        let capabilities = Box::pin(service.get_server_capabilities()).await?;
        let place = Place::Local { _engine: engine };
        Ok(Self {
            service,
            capabilities,
            place,
            tokenizer: target.tokenizer,
        })
    }

    #[cfg(not(feature = "local"))]
    async fn open_local(_: Target) -> anyhow::Result<Self> {
        let message =
            "this build has no engine of its own; name a server with --base-url or TINKER_BASE_URL";
        Err(Usage(message.to_owned()).into())
    }

    /// Ends the session. A failure is not worth more than a note: the work is done, and a server ends sessions by
    /// itself when it hears nothing.
    pub(crate) async fn close<T>(self, result: &anyhow::Result<T>) {
        let reason = match result {
            Ok(_) => FinishReason::Success,
            Err(error) if error.is::<Interrupted>() => FinishReason::Interrupted,
            Err(_) => FinishReason::Errored,
        };
        if let Err(error) = self.service.close(reason).await {
            tracing::info!(%error, "the session could not be ended");
        }
    }

    /// Where it is, for people.
    pub(crate) fn describe(&self) -> String {
        match &self.place {
            Place::Local { .. } => "the local engine".to_owned(),
            Place::Server(url) => url.clone(),
        }
    }

    /// The base model asked for, or the only one there is.
    pub(crate) fn base_model(&self, asked: Option<&str>) -> anyhow::Result<String> {
        let names: Vec<&str> = self.model_names().collect();
        match (asked, &names[..]) {
            (Some(name), _) if names.contains(&name) || names.is_empty() => Ok(name.to_owned()),
            (Some(name), _) => {
                let message = format!(
                    "there is no model {name:?} on {}; it has {}",
                    self.describe(),
                    names.join(", ")
                );
                Err(Usage(message).into())
            }
            (None, [name]) => Ok((*name).to_owned()),
            (None, []) => Err(Usage(format!(
                "{} names no models; choose one with --model",
                self.describe()
            ))
            .into()),
            (None, _) if names.contains(&BUILT_IN_MODEL) => Ok(BUILT_IN_MODEL.to_owned()),
            (None, _) => Err(Usage(format!(
                "choose a model with --model; {} has {}",
                self.describe(),
                names.join(", ")
            ))
            .into()),
        }
    }

    fn model_names(&self) -> impl Iterator<Item = &str> {
        self.capabilities
            .supported_models
            .iter()
            .filter_map(|model| model.model_name.as_deref())
    }

    /// Longest sequence of a model, if the server says it.
    pub(crate) fn context_length(&self, model: &str) -> Option<usize> {
        let mut models = self.capabilities.supported_models.iter();
        let model = models.find(|known| known.model_name.as_deref() == Some(model))?;
        usize::try_from(model.max_context_length?).ok()
    }

    /// What turns text into a model's tokens and back.
    pub(crate) fn renderer(&self, model: &str) -> anyhow::Result<Renderer> {
        match &self.tokenizer {
            Some(folder) => from_folder(folder),
            None if model == BUILT_IN_MODEL => Ok(Renderer::plain()),
            None => {
                let message = format!(
                    "the tokenizer of {model} is not part of this program; download its tokenizer.json and \
                     tokenizer_config.json into a folder and name it with --tokenizer"
                );
                Err(Usage(message).into())
            }
        }
    }
}

#[cfg(feature = "tokenizers")]
fn from_folder(folder: &std::path::Path) -> anyhow::Result<Renderer> {
    Ok(Renderer::from_folder(folder)?)
}

#[cfg(not(feature = "tokenizers"))]
fn from_folder(_: &std::path::Path) -> anyhow::Result<Renderer> {
    let message = "this build reads no tokenizer files; build it with `--features tokenizers` to use --tokenizer";
    Err(Usage(message.to_owned()).into())
}
