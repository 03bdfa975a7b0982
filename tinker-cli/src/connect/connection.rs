//! An open connection to a destination.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tinker_client::transport::policy::Standard;
use tinker_client::transport::{Class, without_user};
use tinker_client::{
    CheckpointPath, Config, Error, FinishReason, ServerCapabilities, ServiceClient,
};
use tinker_data::Renderer;
use tinker_types::SupportedModel;

use super::args::BUILT_IN_MODEL;
use super::destination::{Destination, Kind};
#[cfg(feature = "local")]
use super::engine;
use super::narrator::{Narration, Narrator};
use super::outage::Outages;
use super::server::proxy_of;
use super::template::TemplateArgs;
use super::tokenizer;
use crate::exit::{Interrupted, Usage};
use crate::printer::Printer;

/// Time limit of the first request. Later requests have the limits of the client, which are minutes.
const FIRST_ANSWER: Duration = Duration::from_secs(6);
/// Time in which somebody notices that a run has ended early, and continues it.
const CHECKPOINT_LIFE: Duration = Duration::from_hours(7 * 24);

/// An open connection to a server or to the engine inside this program.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) service: ServiceClient,
    capabilities: ServerCapabilities,
    /// Base URL of the server; `None` for the engine.
    server: Option<String>,
    #[cfg(feature = "local")]
    engine: Option<tinker_local::LocalEngine>,
    tokenizer: Option<PathBuf>,
    printer: Printer,
    template: TemplateArgs,
    /// Explains waits for a server.
    narration: Option<Narration>,
    /// Refused connections of the server.
    outages: Arc<Outages>,
    /// Settings of a new session on the server; `None` for the engine.
    renewal: Option<(Box<Config>, Printer)>,
}

impl Connection {
    /// Connects to the server, or starts the engine.
    pub(crate) async fn open(destination: Destination, printer: Printer) -> anyhow::Result<Self> {
        let (tokenizer, template) = (destination.tokenizer, destination.template);
        match destination.kind {
            Kind::Server(config) => {
                let narrator = Narrator::new(printer, &way(&config));
                let capabilities = Box::pin(first_answer(&config, &narrator)).await?;
                let server = Some(config.base_url.clone());
                let service = ServiceClient::new((*config).clone())?;
                let outages = Arc::new(Outages::default());
                service.observers().attach(Arc::clone(&outages) as _);
                Ok(Self {
                    outages,
                    capabilities,
                    server,
                    narration: Some(narrator.attach(&service)),
                    renewal: Some((config, printer)),
                    service,
                    #[cfg(feature = "local")]
                    engine: None,
                    tokenizer,
                    printer,
                    template,
                })
            }
            #[cfg(feature = "local")]
            Kind::Engine(setup) => {
                let engine = setup.start(tinker_local::Limits::default())?;
                let service = engine::client(&engine)?;
                Ok(Self {
                    capabilities: Box::pin(service.server_capabilities()).await?,
                    server: None,
                    service,
                    engine: Some(engine),
                    tokenizer,
                    template,
                    narration: None,
                    outages: Arc::default(),
                    renewal: None,
                    printer,
                })
            }
        }
    }

    /// Replaces the session by a new one, after a restart of the server. False for the engine, which cannot be lost.
    pub(crate) fn renew(&mut self) -> anyhow::Result<bool> {
        let Some((config, printer)) = &self.renewal else {
            return Ok(false);
        };
        let service = ServiceClient::new((**config).clone())?;
        // The promises of the old session are never fulfilled, and are not waited for.
        let narrator = Narrator::new(*printer, &way(config));
        drop(self.narration.replace(narrator.attach(&service)));
        service.observers().attach(Arc::clone(&self.outages) as _);
        self.service = service;
        Ok(true)
    }

    /// Counts refused connections. After one, another process may answer, with an older state. The hosted service keeps
    /// its state, and the engine cannot be lost.
    pub(crate) fn refusals(&self) -> Option<tinker_train::Refusals> {
        let is_official = |(config, _): &(Box<Config>, Printer)| config.is_official();
        if self.renewal.as_ref().is_none_or(is_official) {
            return None;
        }
        let outages = Arc::clone(&self.outages);
        Some(Arc::new(move || outages.count()))
    }

    /// Adds the addresses of the run's checkpoints to the error of one that does not exist.
    pub(crate) async fn explain_missing(&self, path: &str, error: Error) -> anyhow::Error {
        // Some servers list them by themselves.
        let is_missing = matches!(&error, Error::Status(status)
            if status.status().as_u16() == 404 && !status.detail().contains(CheckpointPath::SCHEME));
        let Some(wanted) = path.parse::<CheckpointPath>().ok().filter(|_| is_missing) else {
            return error.into();
        };
        let checkpoints = self.service.checkpoints();
        let listed = checkpoints
            .list_by_run(wanted.run())
            .await
            .unwrap_or_default();
        let known = listed.iter().map(|found| found.tinker_path.to_string());
        let known: Vec<String> = known.collect();
        if known.is_empty() {
            return error.into();
        }
        let what = format!("{path} does not exist; the run has {}", known.join(", "));
        anyhow::Error::from(error).context(what)
    }

    /// Explains the waits of a service on stderr, until the returned value is dropped.
    pub(crate) fn watch(service: &ServiceClient, base_url: &str, printer: Printer) -> Narration {
        Narrator::new(printer, &without_user(base_url)).attach(service)
    }

    /// Closes the session. A failure is only logged: the work is done, and servers close idle sessions.
    pub(crate) async fn close<T>(self, result: &anyhow::Result<T>) {
        let reason = match result {
            Ok(_) => FinishReason::Success,
            Err(error) if error.is::<Interrupted>() => FinishReason::Interrupted,
            Err(_) => FinishReason::Errored,
        };
        if let Err(error) = self.service.close(reason).await {
            tracing::info!(%error, "the session could not be closed");
            return;
        }
        for run in self.service.loaded_models() {
            let note = format!(
                "the run stays loaded on the server, whose sampler checkpoints need it; free its place with `tinker unload {run}`"
            );
            self.printer.print_note(&note);
        }
    }

    /// The destination, for people.
    pub(crate) fn describe(&self) -> &str {
        self.server.as_deref().unwrap_or("the local engine")
    }

    /// Life of a run's checkpoints on the way, if none is given. The hosted service charges for those that a run leaves
    /// behind when it ends early.
    pub(crate) fn checkpoint_life(&self) -> Option<Duration> {
        let (config, _) = self.renewal.as_ref()?;
        config.is_official().then_some(CHECKPOINT_LIFE)
    }

    /// Calls `derive` with the setting that selects the engine, so that a continuation runs there too.
    pub(crate) fn complete(&self, derive: &mut dyn FnMut(&str, &str, &str)) {
        if self.server.is_none() {
            derive("local", "true", "no server is named or running");
        }
    }

    /// The base model with the requested name, else the only one of the server.
    pub(crate) fn base_model(&self, requested: Option<&str>) -> anyhow::Result<String> {
        #[cfg(feature = "local")]
        if let (Some(engine), Some(requested)) = (&self.engine, requested)
            && let Some(name) = engine::name_in(engine, requested)
        {
            return Ok(name);
        }
        let models = self.capabilities.supported_models.iter();
        let names = models.filter_map(|model| model.model_name.as_deref());
        let names: Vec<&str> = names.collect();
        match (requested, &names[..]) {
            (Some(name), _) if names.contains(&name) || names.is_empty() => Ok(name.to_owned()),
            (Some(name), _) if self.server.is_none() => Err(Usage(format!(
                "model {name:?} is neither a folder, nor a model in the cache of the Hugging Face Hub, nor one of \
                 {}, which has {}; give the folder of a model, with config.json in it, or fetch one: tinker pull ORG/NAME",
                self.describe(),
                names.join(", ")
            ))
            .into()),
            (Some(name), _) => {
                let mut message = format!(
                    "model {name:?} does not exist on {}; it has {}",
                    self.describe(),
                    names.join(", ")
                );
                if std::path::Path::new(name).is_dir() {
                    message +=
                        "; to load a folder of this machine with the built-in engine, add --local";
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

    /// The folder of a base model of the engine.
    #[cfg(feature = "local")]
    pub(crate) fn model_folder(&self, name: &str) -> Option<&std::path::Path> {
        let mut models = self.engine.as_ref()?.models();
        models.find(|info| info.name == name)?.folder.as_deref()
    }

    #[cfg(not(feature = "local"))]
    pub(crate) fn model_folder(&self, _: &str) -> Option<&std::path::Path> {
        None
    }

    /// Whether the server lists a model.
    pub(crate) fn has_model(&self, name: &str) -> bool {
        self.supported(name).is_some()
    }

    /// The capabilities of a model, as the server lists them.
    fn supported(&self, model: &str) -> Option<&SupportedModel> {
        let mut models = self.capabilities.supported_models.iter();
        models.find(|supported| supported.model_name.as_deref() == Some(model))
    }

    /// Largest number of tokens in a sequence of a model, if the server reports it.
    pub(crate) fn context_length(&self, model: &str) -> Option<usize> {
        usize::try_from(self.supported(model)?.max_context_length?).ok()
    }

    /// The renderer of a model: tokenizer and chat template.
    pub(crate) async fn renderer(&self, model: &str) -> anyhow::Result<Renderer> {
        if let Some(path) = &self.tokenizer {
            return tokenizer::named("--tokenizer", path, &self.template, self.printer).await;
        }
        let supported = self.supported(model);
        let id = supported.and_then(|supported| supported.tokenizer_id.as_deref());
        let id = id.unwrap_or(model);
        tokenizer::of_model(model, id, &self.template, self.printer).await
    }
}

/// The address, and the proxy on the way to it, for messages.
fn way(config: &Config) -> String {
    let mut text = config.shown_base_url();
    if let Some(proxy) = proxy_of(config) {
        text += &format!(" through the proxy {proxy}");
    }
    text
}

/// Sends the first request with a short time limit, so that a wrong address or key shows in seconds.
async fn first_answer(
    config: &Config,
    narrator: &Arc<Narrator>,
) -> anyhow::Result<ServerCapabilities> {
    let brief = Standard::new().with_time_limit(FIRST_ANSWER);
    let client = ServiceClient::builder()
        .config(config.clone())
        .configure_transport(move |stack| {
            stack
                .with_policy(Class::Session, brief)
                .with_policy(Class::Rest, brief)
        });
    let service = client.build()?;
    let _narration = narrator.attach(&service);
    Ok(service.server_capabilities().await?)
}
