//! A request in its handler.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;
use serde::de::DeserializeOwned;
use tinker_types::{CheckpointPath, ModelId, RequestType};

use super::body;
use super::head::Head;
use super::target::Target;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::store::{Store, StoreError};
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

    /// Refuses a request whose notes are too large to be kept.
    pub(super) fn check_notes(&self) -> Result<(), Refusal> {
        self.operations.check_notes(self.body.len())
    }

    /// Decodes a request that is a numbered operation of a model. If it cannot be decoded, its number counts as used, so
    /// that later operations are not blocked.
    pub(super) fn numbered<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        body::json(&self.body).inspect_err(|_| {
            if let Ok(head) = body::json::<Head>(&self.body) {
                self.operations.refuse(&head.model_id, head.seq_id);
            }
        })
    }

    /// This request as operation `number` of a model.
    pub(super) fn submission<'a>(
        &self,
        kind: RequestType,
        model: &'a ModelId,
        number: u64,
    ) -> Submission<'a> {
        Submission {
            kind,
            model,
            number,
            bytes: self.body.len(),
        }
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
