//! Calls of the official REST client, as data.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tinker_client::transport::{Call, Class, Replay};
use tinker_client::{AccessScope, CheckpointPath, CopyOptions, Error, ListOptions, ServiceClient};
use tinker_types::{CopyWeights, Endpoint, GetServerCapabilities, InvalidValue, SearchSessions};

use crate::vectors::outcome::Outcome;

/// A method of the official REST client. Checkpoints are paths as text.
#[derive(Debug, Clone)]
pub(crate) enum RestCall {
    Capabilities,
    TrainingRun(String, AccessScope),
    TrainingRunOf(String),
    TrainingRuns(Page, AccessScope, Option<String>),
    CheckpointsOfRun(String),
    Checkpoints(Page),
    WeightsInfo(String),
    Delete(String),
    Publish(String),
    Unpublish(String),
    SetTtl(String, Option<Duration>),
    ExternalWeightsUrls(String),
    Copy(Copy),
    Session(String, AccessScope),
    Sessions(Page, AccessScope),
    SearchSessions(SearchSessions),
    AssignProject(String, String),
    ExportTrace(String),
    Sampler(String),
    Whoami,
    Health,
}

/// A page of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) limit: u64,
    pub(crate) offset: u64,
}

/// Source and destination of a copy.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    pub(crate) source: String,
    pub(crate) project_id: Option<String>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) access_token: Option<String>,
}

impl Copy {
    pub(crate) fn request(self) -> Result<CopyWeights, InvalidValue> {
        let project = self.project_id.unwrap_or_default();
        let mut request = CopyWeights::new(&self.source.parse()?, project);
        request.ttl_seconds = self.ttl.map(|ttl| ttl.as_secs());
        Ok(request)
    }

    pub(crate) fn options(self) -> Result<CopyOptions, InvalidValue> {
        let mut options = CopyOptions::new(self.source.parse()?);
        options.project_id = self.project_id;
        options.ttl = self.ttl;
        Ok(match self.access_token {
            Some(token) => options.with_access_token(token),
            None => options,
        })
    }
}

impl RestCall {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Capabilities => "call(GetServerCapabilities)",
            Self::TrainingRun(..) => "runs.get",
            Self::TrainingRunOf(_) => "runs.by_checkpoint",
            Self::TrainingRuns(..) => "runs.page",
            Self::CheckpointsOfRun(_) => "checkpoints.list_by_run",
            Self::Checkpoints(_) => "checkpoints.page",
            Self::WeightsInfo(_) => "checkpoints.get",
            Self::Delete(_) => "checkpoints.delete",
            Self::Publish(_) => "checkpoints.publish",
            Self::Unpublish(_) => "checkpoints.unpublish",
            Self::SetTtl(..) => "checkpoints.set_ttl",
            Self::ExternalWeightsUrls(_) => "checkpoints.file_urls",
            Self::Copy(_) => "checkpoints.copy",
            Self::Session(..) => "sessions.get",
            Self::Sessions(..) => "sessions.page",
            Self::SearchSessions(_) => "sessions.search_page",
            Self::AssignProject(..) => "sessions.assign_project",
            Self::ExportTrace(_) => "sessions.export_trace",
            Self::Sampler(_) => "sessions.sampler",
            Self::Whoami => "account.whoami",
            Self::Health => "check_health",
        }
    }

    /// Makes the call; the value has the official client's name for its type.
    pub(crate) async fn make(self, service: &ServiceClient) -> Result<Outcome, Error> {
        let runs = |scope| service.runs().with_access_scope(scope);
        let sessions = |scope| service.sessions().with_access_scope(scope);
        let (checkpoints, own) = (service.checkpoints(), service.sessions());
        Ok(match self {
            Self::Capabilities => {
                // The service client names itself in this request; the recording names the REST client.
                let call = Call::new(GetServerCapabilities::NAME, Class::Rest)
                    .with_caller("RestClient.get_server_capabilities")
                    .with_replay(Replay::Safe);
                let request = GetServerCapabilities {};
                let capabilities = service.call(&request).with_call(call).await?;
                value("GetServerCapabilitiesResponse", capabilities)
            }
            Self::TrainingRun(id, scope) => {
                let run = runs(scope).get(&id.as_str().into()).await?;
                value("TrainingRun", run)
            }
            Self::TrainingRunOf(path) => {
                let run = service.runs().by_checkpoint(&parse(&path)?).await?;
                value("TrainingRun", run)
            }
            Self::TrainingRuns(page, scope, project_id) => {
                let mut options = page.options();
                options.project_id = project_id;
                value("TrainingRunsResponse", runs(scope).page(options).await?)
            }
            Self::CheckpointsOfRun(id) => {
                let of_run = checkpoints.list_by_run(&id.as_str().into()).await?;
                value("CheckpointsListResponse", json!({"checkpoints": of_run}))
            }
            Self::Checkpoints(page) => {
                let page = checkpoints.page(page.options()).await?;
                value("CheckpointsListResponse", page)
            }
            Self::WeightsInfo(path) => {
                let info = checkpoints.get(&parse(&path)?).await?;
                value("WeightsInfoResponse", info)
            }
            Self::Delete(path) => nothing(checkpoints.delete(&parse(&path)?).await?),
            Self::Publish(path) => nothing(checkpoints.publish(&parse(&path)?).await?),
            Self::Unpublish(path) => nothing(checkpoints.unpublish(&parse(&path)?).await?),
            Self::SetTtl(path, ttl) => nothing(checkpoints.set_ttl(&parse(&path)?, ttl).await?),
            Self::ExternalWeightsUrls(path) => {
                let urls = checkpoints.file_urls(&parse(&path)?).await?;
                value("ExternalWeightsUrlsResponse", urls)
            }
            Self::Copy(copy) => Outcome::Text(checkpoints.copy(copy.options()?).await?.to_string()),
            Self::Session(id, scope) => {
                let session = sessions(scope).get(&id.as_str().into()).await?;
                value("GetSessionResponse", session)
            }
            Self::Sessions(page, scope) => {
                let page = sessions(scope).page(page.options()).await?;
                value("ListSessionsResponse", json!({"sessions": page}))
            }
            Self::SearchSessions(query) => {
                value("SessionSearchResponse", own.search_page(query).await?)
            }
            Self::AssignProject(id, project) => {
                nothing(own.assign_project(&id.as_str().into(), project).await?)
            }
            Self::ExportTrace(id) => Outcome::Text(own.export_trace(&id.as_str().into()).await?),
            Self::Sampler(id) => {
                let sampler = own.sampler(&id.as_str().into()).await?;
                value("GetSamplerResponse", sampler)
            }
            Self::Whoami => value("WhoamiResponse", service.account().whoami().await?),
            Self::Health => {
                service.check_health().await?;
                value("HealthResponse", json!({"status": "ok"}))
            }
        })
    }
}

impl Page {
    fn options(self) -> ListOptions {
        ListOptions::default()
            .with_page_size(self.limit)
            .with_offset(self.offset)
    }
}

fn parse(path: &str) -> Result<CheckpointPath, InvalidValue> {
    path.parse()
}

fn value(class: &'static str, value: impl Serialize) -> Outcome {
    Outcome::Value {
        class,
        value: json!(value),
    }
}

fn nothing((): ()) -> Outcome {
    Outcome::Nothing
}
