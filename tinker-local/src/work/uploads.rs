//! Uploads of adapters that were trained elsewhere.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tinker_types::{
    CheckpointKind, CheckpointPath, FinishReason, ModelId, SessionStatus, StartWeightsUpload,
};

use super::operations::Operations;
use super::sessions::draw_session;
use crate::note::{Origin, RunNote, SessionNote};
use crate::refusal::Refusal;
use crate::state::{Full, Upload};
use crate::store::{NewCheckpoint, UPLOADED};
use crate::tenant::Tenant;
use crate::{clock, convert};

/// Name of the checkpoint.
const NAME: &str = "uploaded";

impl Operations {
    /// Starts an upload and returns its id. Its URLs expire at `expires`.
    pub(crate) fn start_upload(
        &self,
        request: &StartWeightsUpload,
        tenant: &Tenant,
        expires: Timestamp,
    ) -> Result<String, Refusal> {
        let base = self.base(&request.base_model)?;
        if request.lora_config.alpha.is_some() {
            let why = "lora_config.alpha: that of an upload is in its adapter_config.json";
            return Err(Refusal::invalid(why.to_owned()));
        }
        let upload = Upload {
            base,
            spec: convert::adapter_spec(&request.lora_config)?,
            project_id: request.destination_project_id.clone(),
            tenant: tenant.clone(),
            expires,
            path: None,
        };
        self.drop_expired_uploads();
        let id = format!("u-{:016x}", fastrand::u64(..));
        if !self.uploads().add(id.clone(), upload) {
            let why = "too many uploads are open; finish one, or wait until one expires";
            return Err(Full(why.to_owned()).into());
        }
        Ok(id)
    }

    /// Stores a file of an upload.
    pub(crate) async fn receive_upload(
        &self,
        id: &str,
        file: &str,
        bytes: bytes::Bytes,
    ) -> Result<(), Refusal> {
        let file = UPLOADED.into_iter().find(|known| *known == file);
        let file = file.ok_or_else(|| {
            Refusal::not_found(format!("an upload has the files {}", UPLOADED.join(", ")))
        })?;
        if self.upload(id)?.path.is_some() {
            return Err(Refusal::invalid(format!("upload {id} is finished")));
        }
        let id = id.to_owned();
        let put = self
            .archive
            .ask(move |store| store.put_upload(&id, file, &bytes));
        Ok(put.await?)
    }

    /// Checks the files of an upload and makes a checkpoint of them, in a new run of a session that has ended.
    pub(crate) async fn finish_upload(
        &self,
        id: &str,
        tenant: &Tenant,
    ) -> Result<CheckpointPath, Refusal> {
        let upload = self.upload(id)?;
        if upload.tenant != *tenant {
            return Err(unknown(id));
        }
        let owner = upload.tenant.owner();
        if let Some(path) = upload.path {
            return Ok(path);
        }
        let (spec, name) = (upload.spec.clone(), id.to_owned());
        let read = self
            .archive
            .ask(move |store| Ok(store.read_upload(&name, &spec)));
        let state = read
            .await?
            .map_err(|why| Refusal::invalid(format!("the files of upload {id}: {why}")))?;
        let (state, fits) = self
            .worker(upload.base)
            .ask(move |backend| {
                let fits = backend.restore(&state).map(|_| ());
                (state, fits)
            })
            .await?;
        fits?;
        let info = self.info(upload.base);
        let (base_model, base_folder) = (info.name.clone(), info.folder.clone());
        let base_fingerprint = info.fingerprint.clone();
        let (project_id, name) = (upload.project_id, id.to_owned());
        let saved = self.archive.ask(move |store| {
            let session = draw_session(|id| store.has_session(id));
            let run = ModelId::of_session(&session, 0);
            let external = CheckpointKind::External;
            let address = format!(
                "{}{run}/{}/{NAME}",
                CheckpointPath::SCHEME,
                external.as_str()
            );
            let path = address
                .parse()
                .unwrap_or_else(|_| unreachable!("drawn ids and this name make a path: {address}"));
            let mut session = SessionNote::new(session, clock::calendar());
            session.project_id = project_id;
            session.owner.clone_from(&owner);
            session.status = SessionStatus::ClientFinished {
                reason: FinishReason::Success,
                detail: Some("an uploaded adapter".to_owned()),
            };
            let run = RunNote {
                id: run,
                base_model: base_model.clone(),
                lora_rank: state.spec.rank,
                last_request: session.created,
                user_metadata: BTreeMap::new(),
            };
            let checkpoint = NewCheckpoint {
                path,
                base_model,
                base_folder,
                base_fingerprint,
                overwrite: false,
                lifetime: None,
                user_metadata: BTreeMap::new(),
                uploaded: true,
                owner,
            };
            let path = store.save(&checkpoint, &state)?;
            let origin = Origin { run, session };
            store.try_keep_origin(&origin);
            store.remove_upload(&name);
            Ok((path, origin))
        });
        let (path, Origin { run, session }) = saved.await?;
        let mut catalog = self.catalog();
        catalog.add_session(session);
        catalog.add_run(run);
        drop(catalog);
        self.uploads().finish(id, path.clone());
        Ok(path)
    }

    fn upload(&self, id: &str) -> Result<Upload, Refusal> {
        self.drop_expired_uploads();
        let upload = self.uploads().get(id).cloned();
        upload.ok_or_else(|| unknown(id))
    }

    fn drop_expired_uploads(&self) {
        for id in self.uploads().take_expired(clock::calendar()) {
            self.archive.run(move |store| store.remove_upload(&id));
        }
    }
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!(
        "upload {id} is not known to this server, or has expired; start a new one"
    ))
}
