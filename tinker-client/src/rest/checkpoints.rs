//! `CheckpointClient`: stored checkpoints.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tinker_types::{
    Checkpoint, CheckpointKind, CheckpointPath, Checkpoints, DeleteCheckpoint, ExternalWeightsUrls,
    GetExternalWeightsUrls, GetWeightsInfo, InvalidValue, ListCheckpoints, ListRunCheckpoints,
    ModelId, PublishCheckpoint, SetCheckpointTtl, UnpublishCheckpoint, WeightsInfo,
};

use crate::error::Error;
use crate::rest::{copy::copy, copy_options::CopyOptions, list_options::ListOptions, pages::Pages};
use crate::service::client::ServiceClient;
use crate::session::ask::{ask, ask_void, set};
use crate::session::state::ClientState;

/// Reads, publishes, copies, downloads and deletes checkpoints.
///
/// Get one from [`ServiceClient::checkpoints`]. Opens no session. Cheap to clone. Methods are plain futures: nothing
/// is sent before they are polled, and dropping one abandons the request. All are safe to repeat.
#[derive(Debug, Clone)]
pub struct CheckpointClient {
    pub(super) state: Arc<ClientState>,
}

impl ServiceClient {
    /// The checkpoints that the server keeps. Works after [`close`](Self::close), too.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let info = service.checkpoints().get(&saved).await?;
    /// assert_eq!((info.base_model.as_str(), info.lora_rank), ("tinker-local/tiny", Some(4)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn checkpoints(&self) -> CheckpointClient {
        CheckpointClient {
            state: Arc::clone(self.state()),
        }
    }
}

impl CheckpointClient {
    /// Client state, for downloads.
    pub(crate) fn state(&self) -> &ClientState {
        &self.state
    }

    /// The caller's checkpoints of all runs, as a stream.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let all = service.checkpoints().list(Default::default()).all().await?;
    /// assert_eq!(all[0].tinker_path, saved);
    /// # Ok(())
    /// # }
    /// ```
    pub fn list(&self, options: ListOptions) -> Pages<Checkpoint> {
        Pages::list(self, options, |client, options| async move {
            let page = client.page(options).await?;
            let total = page.cursor.map(|cursor| cursor.total_count);
            Ok((page.checkpoints, total))
        })
    }

    /// One page of [`list`](Self::list).
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let page = service.checkpoints().page(Default::default()).await?;
    /// assert_eq!(page.checkpoints[0].tinker_path, saved);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A project id in the options, before anything is sent. No answer, or an error status.
    pub async fn page(&self, options: ListOptions) -> Result<Checkpoints, Error> {
        let (limit, offset) = options.without_project()?;
        let request = ListCheckpoints { limit, offset };
        ask(&self.state, "RestClient.list_user_checkpoints", request).await
    }

    /// All checkpoints of one training run, in one answer.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let of_run = service.checkpoints().list_by_run(saved.run()).await?;
    /// assert_eq!(of_run.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 if the run does not exist or is not readable.
    pub async fn list_by_run(&self, run: &ModelId) -> Result<Vec<Checkpoint>, Error> {
        let request = ListRunCheckpoints {
            training_run_id: run.clone(),
        };
        let answer = ask(&self.state, "RestClient.list_checkpoints", request);
        Ok(answer.await?.checkpoints)
    }

    /// The weights info of a checkpoint: base model, rank, optimizer.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let info = service.checkpoints().get(&saved).await?;
    /// assert_eq!(info.lora_rank, Some(4));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 if the checkpoint does not exist or is not readable.
    pub async fn get(&self, path: &CheckpointPath) -> Result<WeightsInfo, Error> {
        let method = "RestClient.get_weights_info_by_tinker_path";
        ask(&self.state, method, GetWeightsInfo::new(path)).await
    }

    /// Deletes a checkpoint. This cannot be undone.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let checkpoints = service.checkpoints();
    /// checkpoints.delete(&saved).await?;
    /// assert!(checkpoints.list(Default::default()).all().await?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 if the checkpoint does not exist or belongs to another owner.
    pub async fn delete(&self, path: &CheckpointPath) -> Result<(), Error> {
        let method = "RestClient.delete_checkpoint_from_tinker_path";
        let request = DeleteCheckpoint { path: path.clone() };
        set(&self.state, method, request, StatusCode::NOT_FOUND).await
    }

    /// Makes a checkpoint readable by all users.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let checkpoints = service.checkpoints();
    /// checkpoints.publish(&saved).await?;
    /// assert!(checkpoints.list(Default::default()).all().await?[0].public);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 if the checkpoint belongs to another owner; 409, without retries, if it is public already.
    pub async fn publish(&self, path: &CheckpointPath) -> Result<(), Error> {
        let method = "RestClient.publish_checkpoint_from_tinker_path";
        let request = PublishCheckpoint { path: path.clone() };
        set(&self.state, method, request, StatusCode::CONFLICT).await
    }

    /// Makes a public checkpoint private again.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let checkpoints = service.checkpoints();
    /// checkpoints.publish(&saved).await?;
    /// checkpoints.unpublish(&saved).await?;
    /// assert!(!checkpoints.list(Default::default()).all().await?[0].public);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 if the checkpoint belongs to another owner; 409, without retries, if it is private already.
    pub async fn unpublish(&self, path: &CheckpointPath) -> Result<(), Error> {
        let method = "RestClient.unpublish_checkpoint_from_tinker_path";
        let request = UnpublishCheckpoint { path: path.clone() };
        set(&self.state, method, request, StatusCode::CONFLICT).await
    }

    /// Sets the remaining lifetime of a checkpoint, in whole seconds from now. `None` keeps it permanently.
    ///
    #[doc = setup!(training)]
    /// use std::time::Duration;
    ///
    /// let saved = training.save_state("first").await?.path;
    /// let day = Duration::from_secs(86_400);
    /// service.checkpoints().set_ttl(&saved, Some(day)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 if the checkpoint belongs to another owner.
    pub async fn set_ttl(&self, path: &CheckpointPath, ttl: Option<Duration>) -> Result<(), Error> {
        let request = SetCheckpointTtl {
            path: path.clone(),
            ttl_seconds: ttl.map(|ttl| ttl.as_secs()),
        };
        let method = "RestClient.set_checkpoint_ttl_from_tinker_path";
        ask_void(&self.state, method, request).await
    }

    /// Copies a checkpoint into a project and returns the path of the copy.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::CopyOptions;
    ///
    /// let saved = training.save_state("first").await?.path;
    /// let checkpoints = service.checkpoints();
    /// let copy = checkpoints.copy(CopyOptions::new(saved).with_project_id("mine")).await?;
    /// assert_eq!(checkpoints.get(&copy).await?.lora_rank, Some(4));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Before anything is sent: no project in the options and in [`Config`](crate::Config), or a token that is not a
    /// valid header value. 404 if the checkpoint does not exist or is not readable.
    pub async fn copy(&self, options: impl Into<CopyOptions>) -> Result<CheckpointPath, Error> {
        copy(&self.state, options.into()).await
    }

    /// Signed URLs of the files of an external checkpoint, by file name. The URLs need no key and grant access to
    /// whoever has them.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_weights_external("adapter").await?;
    /// let links = service.checkpoints().file_urls(&saved.path).await?;
    /// for (file, url) in &links.urls {
    ///     assert!(url.contains(file));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A checkpoint of another kind, before anything is sent; 404 if the checkpoint does not exist.
    pub async fn file_urls(&self, path: &CheckpointPath) -> Result<ExternalWeightsUrls, Error> {
        if path.kind() != CheckpointKind::External {
            let why = format!(
                "{path} has no downloadable files; use a checkpoint made by save_weights_external, tinker://<run>/external_weights/<name>"
            );
            return Err(InvalidValue::new("path", why).into());
        }
        let method = "RestClient.get_external_weights_urls";
        let request = GetExternalWeightsUrls { path: path.clone() };
        ask(&self.state, method, request).await
    }
}
