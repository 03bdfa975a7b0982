//! Copies of checkpoints.

use std::collections::BTreeMap;
use std::time::Duration;

use tinker_types::{CheckpointPath, FinishReason, ModelId, SessionStatus};

use super::operations::Operations;
use super::sessions::draw_session;
use crate::clock;
use crate::note::{Origin, RunNote, SessionNote};
use crate::store::{Access, StoreError};
use crate::tenant::Tenant;

impl Operations {
    /// Copies a checkpoint into a project, as the checkpoint of a new run in a new session, which has ended.
    pub(crate) async fn copy_checkpoint(
        &self,
        source: CheckpointPath,
        project_id: Option<String>,
        lifetime: Option<Duration>,
        tenant: Tenant,
    ) -> Result<CheckpointPath, StoreError> {
        let copy = self.archive.ask(move |store| {
            store.check_access(&source, &tenant, Access::Read)?;
            let record = store.find(&source)?.clone();
            let session = draw_session(|id| store.has_session(id));
            let run = ModelId::of_session(&session, 0);
            let path = CheckpointPath::try_new(run.clone(), source.kind(), source.name())
                .unwrap_or_else(|_| source.clone());
            let mut session = SessionNote::new(session, clock::calendar());
            session.project_id = project_id;
            session.owner = tenant.owner();
            session.status = SessionStatus::ClientFinished {
                reason: FinishReason::Success,
                detail: Some(format!("a copy of {source}")),
            };
            let run = RunNote {
                id: run,
                base_model: record.base_model,
                lora_rank: record.adapter.rank,
                last_request: session.created,
                user_metadata: BTreeMap::new(),
            };
            store.copy(&source, &path, lifetime, tenant.owner())?;
            let origin = Origin { run, session };
            store.try_keep_origin(&origin);
            Ok((path, origin))
        });
        let (path, Origin { run, session }) = copy.await?;
        let mut catalog = self.catalog();
        catalog.add_session(session);
        catalog.add_run(run);
        Ok(path)
    }
}
