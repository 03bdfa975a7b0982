//! Where a command runs: on a server, or on the engine inside this program.

#[cfg(feature = "local")]
pub(crate) mod local;
mod place;
mod target;
mod tokenizer;

use std::path::PathBuf;
use std::time::Duration;

use tinker_client::transport::Class;
use tinker_client::transport::policy::Standard;
use tinker_client::{Config, FinishReason, ServerCapabilities, ServiceClient};
use tinker_data::Renderer;
use tinker_types::SupportedModel;

use crate::exit::{Interrupted, Usage};

pub(crate) use place::{EngineArgs, PlaceArgs};
use target::End;
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
    Server(String),
    #[cfg(feature = "local")]
    Local {
        engine: tinker_local::LocalEngine,
    },
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(target: Target) -> anyhow::Result<Self> {
        let (service, capabilities, place) = match target.end {
            End::Server(config) => {
                let capabilities = Box::pin(first_answer(&config)).await?;
                let place = Place::Server(config.base_url.clone());
                (ServiceClient::new(*config)?, capabilities, place)
            }
            #[cfg(feature = "local")]
            End::Local(choice) => {
                let engine = choice.start(tinker_local::Limits::default())?;
                let service = local::client(&engine)?;
                let capabilities = Box::pin(service.get_server_capabilities()).await?;
                (service, capabilities, Place::Local { engine })
            }
        };
        Ok(Self {
            service,
            capabilities,
            place,
            tokenizer: target.tokenizer,
        })
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
            Place::Server(url) => url.clone(),
            #[cfg(feature = "local")]
            Place::Local { .. } => "the local engine".to_owned(),
        }
    }

    /// The engine inside this program, if that is the other end.
    #[cfg(feature = "local")]
    pub(crate) fn engine(&self) -> Option<&tinker_local::LocalEngine> {
        match &self.place {
            Place::Server(_) => None,
            Place::Local { engine } => Some(engine),
        }
    }

    /// The base model asked for, or the only one there is.
    pub(crate) fn base_model(&self, asked: Option<&str>) -> anyhow::Result<String> {
        #[cfg(feature = "local")]
        if let (Place::Local { engine }, Some(asked)) = (&self.place, asked)
            && let Some(name) = local::name_in(engine, asked)
        {
            return Ok(name);
        }
        let names: Vec<&str> = self.model_names().collect();
        match (asked, &names[..]) {
            (Some(name), _) if names.contains(&name) || names.is_empty() => Ok(name.to_owned()),
            (Some(name), _) => {
                let mut message = format!(
                    "there is no model {name:?} on {}; it has {}",
                    self.describe(),
                    names.join(", ")
                );
                if std::path::Path::new(name).is_dir() {
                    message +=
                        "; a folder of this machine is loaded by the built-in engine: add --local";
                }
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

    /// What the server says of a model.
    fn known(&self, model: &str) -> Option<&SupportedModel> {
        let mut models = self.capabilities.supported_models.iter();
        models.find(|known| known.model_name.as_deref() == Some(model))
    }

    /// Longest sequence of a model, if the server says it.
    pub(crate) fn context_length(&self, model: &str) -> Option<usize> {
        usize::try_from(self.known(model)?.max_context_length?).ok()
    }

    /// What turns text into a model's tokens and back.
    pub(crate) fn renderer(&self, model: &str) -> anyhow::Result<Renderer> {
        if let Some(path) = &self.tokenizer {
            return tokenizer::from_files(path);
        }
        let said = self
            .known(model)
            .and_then(|known| known.tokenizer_id.as_deref());
        tokenizer::of_model(model, said.unwrap_or(model))
    }
}

/// Asks with little patience, so that a wrong address or key shows in seconds.
async fn first_answer(config: &Config) -> anyhow::Result<ServerCapabilities> {
    let brief = Standard::new().with_time_limit(FIRST_ANSWER);
    let client = ServiceClient::builder()
        .config(config.clone())
        .configure_transport(move |stack| {
            stack
                .with_policy(Class::Session, brief)
                .with_policy(Class::Rest, brief)
        });
    Ok(client.build()?.get_server_capabilities().await?)
}
