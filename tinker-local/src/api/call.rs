//! A request in its handler.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;
use serde::de::DeserializeOwned;
use tinker_types::{CheckpointPath, ModelId, RequestType, SamplingSessionId, SessionId};

use super::body;
use super::head::Head;
use super::target::Target;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::state::Absent;
use crate::store::{Access, Record, Store, StoreError};
use crate::tenant::Tenant;
use crate::work::{Operations, Submission};

/// A request with its body.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) operations: &'a Arc<Operations>,
    pub(super) headers: &'a HeaderMap,
    pub(super) target: &'a Target,
    /// Values of the placeholders in the route.
    pub(super) parameters: Vec<&'a str>,
    pub(super) query: Option<&'a str>,
    /// Scheme and host that the client used, for links.
    pub(super) origin: String,
    /// The engine behaves like a server without protobuf.
    pub(super) json_only: bool,
    pub(super) tenant: Tenant,
    pub(super) body: Bytes,
}

impl Call<'_> {
    /// The first value in the path.
    pub(super) fn parameter(&self) -> &str {
        self.parameters.first().copied().unwrap_or_default()
    }

    /// The checkpoint that the path names.
    pub(super) fn checkpoint(&self) -> Result<CheckpointPath, Refusal> {
        let parts =
            |values: &[&str; 3]| CheckpointPath::from_parts(values[0], values[1], values[2]);
        let checkpoint = self.parameters.first_chunk().map(parts);
        checkpoint
            .ok_or_else(|| Refusal::malformed("the path names no checkpoint"))?
            .map_err(|e| Refusal::malformed(e.to_string()))
    }

    /// Runs a task on the checkpoints and waits for its result.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Store) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.operations.archive.ask(task).await
    }

    /// Runs a task on a checkpoint that the tenant has access to, and waits for its result.
    pub(super) async fn ask_about<R: Send + 'static>(
        &self,
        path: CheckpointPath,
        access: Access,
        task: impl FnOnce(&mut Store, &CheckpointPath) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let tenant = self.tenant.clone();
        let task = move |store: &mut Store| {
            store.check_access(&path, &tenant, access)?;
            task(store, &path)
        };
        self.ask(task).await
    }

    /// The checkpoints of the tenant, newest first.
    pub(super) async fn records(&self) -> Result<Vec<Record>, StoreError> {
        let mut records = self.ask(|store| Ok(store.list())).await?;
        records.retain(|record| record.allows(&self.tenant, Access::Change));
        Ok(records)
    }

    /// Whether a session is the tenant's.
    pub(super) fn is_own(&self, session: &SessionId) -> bool {
        self.operations.is_own(&self.tenant, session)
    }

    /// Refuses an id of another tenant's session like an unknown one. `what` names the kind of id.
    pub(super) fn check_own(
        &self,
        what: &str,
        id: &str,
        session: &SessionId,
    ) -> Result<(), Refusal> {
        if self.is_own(session) {
            return Ok(());
        }
        Err(Refusal::absent(what, id, Absent::Unknown))
    }

    pub(super) fn check_session(&self, id: &SessionId) -> Result<(), Refusal> {
        self.check_own("session", id.as_str(), id)
    }

    pub(super) fn check_model(&self, id: &ModelId) -> Result<(), Refusal> {
        self.check_own("model", id.as_str(), &id.session())
    }

    pub(super) fn check_sampler(&self, id: &SamplingSessionId) -> Result<(), Refusal> {
        self.check_own("sampler", id.as_str(), &id.session())
    }

    /// Refuses a request whose notes are too large to be kept.
    pub(super) fn check_notes(&self) -> Result<(), Refusal> {
        self.operations.check_notes(self.body.len())
    }

    /// Decodes a request that is a numbered operation of a model. If it cannot be decoded, its number counts as used, so
    /// that later operations are not blocked.
    pub(super) fn numbered<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        body::json(&self.body).inspect_err(|_| {
            if let Ok(head) = body::json::<Head>(&self.body)
                && self.is_own(&head.model_id.session())
            {
                self.operations.refuse(&head.model_id, head.seq_id);
            }
        })
    }

    /// This request as operation `number` of a model, which must be the tenant's.
    pub(super) fn submission<'a>(
        &self,
        kind: RequestType,
        model: &'a ModelId,
        number: u64,
    ) -> Result<Submission<'a>, Refusal> {
        self.check_model(model)?;
        Ok(Submission {
            kind,
            model,
            number,
            bytes: self.body.len(),
        })
    }
}

/// Scheme and host that the client used.
pub(super) fn origin(head: &Parts) -> String {
    let scheme = head.uri.scheme_str().unwrap_or("http");
    let host = || head.headers.get(HOST)?.to_str().ok();
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    format!(
        "{scheme}://{}",
        authority.or_else(host).unwrap_or("localhost")
    )
}
