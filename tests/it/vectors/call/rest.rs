//! Calls of the REST client, as data.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tinker_client::{AccessScope, CheckpointPath, CopyOptions, Error, RestClient};
use tinker_types::{InvalidValue, SearchSessions};

use crate::vectors::outcome::Outcome;

/// A method of the REST client. Checkpoints are named as their users name them: in text.
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

/// A part of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) limit: u64,
    pub(crate) offset: u64,
}

/// What to copy, and where to.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    pub(crate) source: String,
    pub(crate) project_id: Option<String>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) access_token: Option<String>,
}

impl Copy {
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
            Self::Capabilities => "get_server_capabilities",
            Self::TrainingRun(..) => "get_training_run",
            Self::TrainingRunOf(_) => "get_training_run_of",
            Self::TrainingRuns(..) => "list_training_runs",
            Self::CheckpointsOfRun(_) => "list_checkpoints",
            Self::Checkpoints(_) => "list_user_checkpoints",
            Self::WeightsInfo(_) => "get_weights_info",
            Self::Delete(_) => "delete_checkpoint",
            Self::Publish(_) => "publish_checkpoint",
            Self::Unpublish(_) => "unpublish_checkpoint",
            Self::SetTtl(..) => "set_checkpoint_ttl",
            Self::ExternalWeightsUrls(_) => "get_external_weights_urls",
            Self::Copy(_) => "copy_weights",
            Self::Session(..) => "get_session",
            Self::Sessions(..) => "list_sessions",
            Self::SearchSessions(_) => "search_sessions",
            Self::AssignProject(..) => "assign_session_project",
            Self::ExportTrace(_) => "export_session_trace",
            Self::Sampler(_) => "get_sampler",
            Self::Whoami => "whoami",
            Self::Health => "check_health",
        }
    }

    /// Makes the call; the value has the official client's name for its type.
    pub(crate) async fn make(self, rest: &RestClient) -> Result<Outcome, Error> {
        let among = |scope| rest.clone().with_access_scope(scope);
        Ok(match self {
            Self::Capabilities => value(
                "GetServerCapabilitiesResponse",
                rest.get_server_capabilities().await?,
            ),
            Self::TrainingRun(id, scope) => {
                let run = among(scope).get_training_run(&id.as_str().into()).await?;
                value("TrainingRun", run)
            }
            Self::TrainingRunOf(path) => {
                let run = rest.get_training_run_of(&parse(&path)?).await?;
                value("TrainingRun", run)
            }
            Self::TrainingRuns(page, scope, project_id) => {
                let rest = among(scope);
                let runs = rest.list_training_runs(page.limit, page.offset, project_id);
                value("TrainingRunsResponse", runs.await?)
            }
            Self::CheckpointsOfRun(id) => {
                let checkpoints = rest.list_checkpoints(&id.as_str().into()).await?;
                let checkpoints = json!({"checkpoints": checkpoints});
                value("CheckpointsListResponse", checkpoints)
            }
            Self::Checkpoints(page) => {
                let checkpoints = rest.list_user_checkpoints(page.limit, page.offset).await?;
                value("CheckpointsListResponse", checkpoints)
            }
            Self::WeightsInfo(path) => {
                let info = rest.get_weights_info(&parse(&path)?).await?;
                value("WeightsInfoResponse", info)
            }
            Self::Delete(path) => nothing(rest.delete_checkpoint(&parse(&path)?).await?),
            Self::Publish(path) => nothing(rest.publish_checkpoint(&parse(&path)?).await?),
            Self::Unpublish(path) => nothing(rest.unpublish_checkpoint(&parse(&path)?).await?),
            Self::SetTtl(path, ttl) => nothing(rest.set_checkpoint_ttl(&parse(&path)?, ttl).await?),
            Self::ExternalWeightsUrls(path) => {
                let urls = rest.get_external_weights_urls(&parse(&path)?).await?;
                value("ExternalWeightsUrlsResponse", urls)
            }
            Self::Copy(copy) => {
                Outcome::Text(rest.copy_weights(copy.options()?).await?.to_string())
            }
            Self::Session(id, scope) => {
                let session = among(scope).get_session(&id.as_str().into()).await?;
                value("GetSessionResponse", session)
            }
            Self::Sessions(page, scope) => {
                let sessions = among(scope).list_sessions(page.limit, page.offset).await?;
                value("ListSessionsResponse", json!({"sessions": sessions}))
            }
            Self::SearchSessions(query) => value(
                "SessionSearchResponse",
                rest.search_sessions_page(query).await?,
            ),
            Self::AssignProject(id, project) => nothing(
                rest.assign_session_project(&id.as_str().into(), project)
                    .await?,
            ),
            Self::ExportTrace(id) => {
                Outcome::Text(rest.export_session_trace(&id.as_str().into()).await?)
            }
            Self::Sampler(id) => value(
                "GetSamplerResponse",
                rest.get_sampler(&id.as_str().into()).await?,
            ),
            Self::Whoami => value("WhoamiResponse", rest.whoami().await?),
            Self::Health => {
                rest.check_health().await?;
                value("HealthResponse", json!({"status": "ok"}))
            }
        })
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
