//! `RestClient`: what the server keeps, apart from models in use.

mod archive;
mod checkpoint;
mod session;
mod whoami;

use std::sync::Arc;

use http::StatusCode;
use tinker_transport::{Call, Class, Replay};
use tinker_types::{
    AccessScope, ApiKeyInfo, CheckpointPath, DeleteApiKey, Endpoint, GetApiKey, GetHealth,
    GetSampler, GetServerCapabilities, GetTrainingRun, ListTrainingRuns, ModelId, SamplerInfo,
    SamplingSessionId, ServerCapabilities, TrainingRun, TrainingRuns,
};

use crate::ask::{ask, set};
use crate::config::Config;
use crate::core::Core;
use crate::error::{DecodeError, Error};
use crate::link::Link;
use crate::pages::Pages;
use crate::service::ServiceClient;

/// Entries that lists ask for at a time.
const PAGE: u64 = 100;

/// Reads and manages what the server keeps: training runs, checkpoints, sessions.
///
/// Opens no session. Get one from [`ServiceClient::rest`], with which it then shares connections
/// and settings, or on its own by [`new`](Self::new). Cheap to clone.
///
/// Methods are plain futures: nothing is sent before they are polled, and dropping one gives the
/// request up, wherever it is. All may be repeated: reads change nothing, and the others set a
/// state. Lists are [`Pages`].
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tinker_client::{LoraConfig, ServiceClient};
///
/// let engine = tinker_local::LocalEngine::builtin()?;
/// let service = ServiceClient::builder().leaf(engine.service()).build()?;
/// let training = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(4)).await?;
/// let saved = training.save_state("first").await?;
///
/// let rest = service.rest();
/// let info = rest.get_weights_info(&saved.path).await?;
/// assert_eq!((info.base_model.as_str(), info.lora_rank), ("tinker-local/tiny", Some(4)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RestClient {
    core: Arc<Core>,
    scope: AccessScope,
}

impl RestClient {
    /// A client with these settings. Sends nothing yet.
    ///
    /// ```
    /// use tinker_client::{Config, RestClient};
    ///
    /// let rest = RestClient::new(Config::new("http://localhost:8000"))?;
    /// # drop(rest);
    /// # Ok::<(), tinker_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`ServiceClient::new`].
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(ServiceClient::new(config)?.rest())
    }

    pub(crate) fn from_core(core: Arc<Core>) -> Self {
        Self {
            core,
            scope: AccessScope::default(),
        }
    }

    /// Address of the server.
    pub(crate) fn base_url(&self) -> &str {
        &self.core.config().base_url
    }

    pub(crate) async fn link(&self) -> Result<&Arc<Link>, Error> {
        self.core.link().await
    }

    /// Looks among all runs and sessions that may be read, not only one's own, which is the default.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::AccessScope;
    ///
    /// let rest = service.rest().with_access_scope(AccessScope::Accessible);
    /// assert_eq!(rest.training_runs().all().await?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_access_scope(mut self, scope: AccessScope) -> Self {
        self.scope = scope;
        self
    }

    /// The models the server has.
    ///
    #[doc = setup!(service)]
    /// let capabilities = service.rest().get_server_capabilities().await?;
    /// assert_eq!(capabilities.supported_models.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No answer, or one that refuses.
    pub async fn get_server_capabilities(&self) -> Result<ServerCapabilities, Error> {
        ask(
            &self.core,
            "RestClient.get_server_capabilities",
            GetServerCapabilities {},
        )
        .await
    }

    /// Is the server up? Says nothing about the key or the account; for those there is
    /// [`ServiceClient::check_access`].
    ///
    #[doc = setup!(service)]
    /// service.rest().check_health().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No answer, or one that does not say that all is well.
    pub async fn check_health(&self) -> Result<(), Error> {
        // A probe: like the official client's, it names no method.
        let call = Call::new(GetHealth::NAME, Class::Rest).with_replay(Replay::Safe);
        let answer = self.core.link().await?.api.call(&GetHealth {}, call);
        let health = self.core.news().outcome(Box::pin(answer).await)?;
        if health.status == "ok" {
            return Ok(());
        }
        let what = format!("the server says {:?} of itself", health.status);
        Err(DecodeError::new(GetHealth::NAME, what).into())
    }

    /// One training run.
    ///
    #[doc = setup!(training)]
    /// let run = service.rest().get_training_run(training.model_id()).await?;
    /// assert_eq!(run.base_model, "tinker-local/tiny");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 for a run there is not, or that may not be read.
    pub async fn get_training_run(&self, run: &ModelId) -> Result<TrainingRun, Error> {
        ask(&self.core, "RestClient.get_training_run", self.run(run)).await
    }

    /// The training run that made a checkpoint.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let run = service.rest().get_training_run_of(&saved).await?;
    /// assert_eq!(&run.training_run_id, training.model_id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`get_training_run`](Self::get_training_run).
    pub async fn get_training_run_of(&self, path: &CheckpointPath) -> Result<TrainingRun, Error> {
        let method = "RestClient.get_training_run_by_tinker_path";
        ask(&self.core, method, self.run(path.run())).await
    }

    fn run(&self, run: &ModelId) -> GetTrainingRun {
        GetTrainingRun {
            training_run_id: run.clone(),
            access_scope: self.scope,
        }
    }

    /// All training runs.
    ///
    #[doc = setup!(training)]
    /// let mut runs = service.rest().training_runs();
    /// while let Some(run) = runs.try_next().await? {
    ///     assert_eq!(run.lora_rank, Some(4));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn training_runs(&self) -> Pages<TrainingRun> {
        self.runs(None)
    }

    /// All training runs of one project.
    ///
    #[doc = setup!(training)]
    /// let runs = service.rest().training_runs_of_project("mine").all().await?;
    /// assert!(runs.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn training_runs_of_project(&self, project_id: impl Into<String>) -> Pages<TrainingRun> {
        self.runs(Some(project_id.into()))
    }

    fn runs(&self, project_id: Option<String>) -> Pages<TrainingRun> {
        let client = self.clone();
        Pages::by_offset(move |offset| {
            let (client, project_id) = (client.clone(), project_id.clone());
            async move {
                let page = client.list_training_runs(PAGE, offset, project_id).await?;
                Ok((page.training_runs, Some(page.cursor.total_count)))
            }
        })
    }

    /// One page of the training runs, of all projects or of one: at most `limit` after the first
    /// `offset`.
    ///
    #[doc = setup!(training)]
    /// let page = service.rest().list_training_runs(10, 0, None).await?;
    /// assert_eq!(page.cursor.total_count, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No answer, or one that refuses.
    pub async fn list_training_runs(
        &self,
        limit: u64,
        offset: u64,
        project_id: Option<String>,
    ) -> Result<TrainingRuns, Error> {
        let request = ListTrainingRuns {
            limit,
            offset,
            access_scope: self.scope,
            project_id,
        };
        ask(&self.core, "RestClient.list_training_runs", request).await
    }

    /// What a sampler samples from.
    ///
    #[doc = setup!(sampling)]
    /// let sampler = service.rest().get_sampler(sampling.sampler_id()).await?;
    /// assert_eq!(&sampler.sampler_id, sampling.sampler_id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 for a sampler there is not.
    pub async fn get_sampler(&self, id: &SamplingSessionId) -> Result<SamplerInfo, Error> {
        ask(
            &self.core,
            "RestClient.get_sampler",
            GetSampler::new(id.clone()),
        )
        .await
    }

    /// Whose the API key in use is. The hosted service knows keys, not tokens, here.
    ///
    #[doc = setup!(service)]
    /// let key = service.rest().get_api_key().await?;
    /// assert!(!key.name.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 401 for a key that is not valid.
    pub async fn get_api_key(&self) -> Result<ApiKeyInfo, Error> {
        ask(&self.core, "RestClient.get_api_key", GetApiKey {}).await
    }

    /// Deletes the API key in use on the server. Nothing can be done with it afterwards.
    ///
    /// ```no_run
    /// # async fn example(rest: tinker_client::RestClient) -> Result<(), tinker_client::Error> {
    /// rest.delete_api_key().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 401 for a key that is not valid, or was deleted before.
    pub async fn delete_api_key(&self) -> Result<(), Error> {
        let method = "RestClient.delete_api_key";
        set(
            &self.core,
            method,
            DeleteApiKey {},
            StatusCode::UNAUTHORIZED,
        )
        .await
    }
}

impl ServiceClient {
    /// A client for what the server keeps: training runs, checkpoints, sessions. It shares
    /// connections and settings with this one, and works on after [`close`](Self::close).
    ///
    #[doc = setup!(training)]
    /// let runs = service.rest().training_runs().all().await?;
    /// assert_eq!(runs.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn rest(&self) -> RestClient {
        RestClient::from_core(Arc::clone(self.core()))
    }
}

#[cfg(test)]
mod tests;
