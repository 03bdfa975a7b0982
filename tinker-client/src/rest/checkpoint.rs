//! Checkpoints: lists, publishing, lifetimes, copies.

use std::time::Duration;

use http::StatusCode;
use tinker_types::{
    Checkpoint, CheckpointKind, CheckpointPath, Checkpoints, DeleteCheckpoint, ExternalWeightsUrls,
    GetExternalWeightsUrls, InvalidValue, ListCheckpoints, ListRunCheckpoints, ModelId,
    PublishCheckpoint, SetCheckpointTtl, UnpublishCheckpoint, WeightsInfo, WeightsInfoRequest,
};

use super::{PAGE, RestClient};
use crate::ask::{ask, call, set};
use crate::copy::copy_weights;
use crate::error::Error;
use crate::options::CopyOptions;
use crate::pages::Pages;

impl RestClient {
    /// All of one's checkpoints, of every run.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let all = service.rest().checkpoints().all().await?;
    /// assert_eq!(all[0].tinker_path, saved);
    /// # Ok(())
    /// # }
    /// ```
    pub fn checkpoints(&self) -> Pages<Checkpoint> {
        let client = self.clone();
        Pages::by_offset(move |offset| {
            let client = client.clone();
            async move {
                let page = client.list_user_checkpoints(PAGE, offset).await?;
                Ok((
                    page.checkpoints,
                    page.cursor.map(|cursor| cursor.total_count),
                ))
            }
        })
    }

    /// One page of one's checkpoints: at most `limit` after the first `offset`.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let page = service.rest().list_user_checkpoints(10, 0).await?;
    /// assert_eq!(page.checkpoints[0].tinker_path, saved);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No answer, or one that refuses.
    pub async fn list_user_checkpoints(
        &self,
        limit: u64,
        offset: u64,
    ) -> Result<Checkpoints, Error> {
        ask(
            &self.core,
            "RestClient.list_user_checkpoints",
            ListCheckpoints { limit, offset },
        )
        .await
    }

    /// The checkpoints of one training run. They come all at once.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let of_run = service.rest().list_checkpoints(saved.run()).await?;
    /// assert_eq!(of_run.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 for a run there is not, or that may not be read.
    pub async fn list_checkpoints(&self, run: &ModelId) -> Result<Vec<Checkpoint>, Error> {
        let request = ListRunCheckpoints {
            training_run_id: run.clone(),
        };
        Ok(ask(&self.core, "RestClient.list_checkpoints", request)
            .await?
            .checkpoints)
    }

    /// What a checkpoint holds: base model, rank, optimizer.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let info = service.rest().get_weights_info(&saved).await?;
    /// assert_eq!(info.lora_rank, Some(4));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 for a checkpoint there is not, or that may not be read.
    pub async fn get_weights_info(&self, path: &CheckpointPath) -> Result<WeightsInfo, Error> {
        ask(
            &self.core,
            "RestClient.get_weights_info_by_tinker_path",
            WeightsInfoRequest::new(path),
        )
        .await
    }

    /// Deletes a checkpoint. There is no way back.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let rest = service.rest();
    /// rest.delete_checkpoint(&saved).await?;
    /// assert!(rest.checkpoints().all().await?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 for a checkpoint there is not, or that is not one's own.
    pub async fn delete_checkpoint(&self, path: &CheckpointPath) -> Result<(), Error> {
        let path = path.clone();
        let method = "RestClient.delete_checkpoint_from_tinker_path";
        set(
            &self.core,
            method,
            DeleteCheckpoint { path },
            StatusCode::NOT_FOUND,
        )
        .await
    }

    /// Lets anybody read a checkpoint.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let rest = service.rest();
    /// rest.publish_checkpoint(&saved).await?;
    /// assert!(rest.checkpoints().all().await?[0].public);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 for a checkpoint that is not one's own; 409, at once, for one that is public.
    pub async fn publish_checkpoint(&self, path: &CheckpointPath) -> Result<(), Error> {
        let path = path.clone();
        let method = "RestClient.publish_checkpoint_from_tinker_path";
        set(
            &self.core,
            method,
            PublishCheckpoint { path },
            StatusCode::CONFLICT,
        )
        .await
    }

    /// Takes that back.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let rest = service.rest();
    /// rest.publish_checkpoint(&saved).await?;
    /// rest.unpublish_checkpoint(&saved).await?;
    /// assert!(!rest.checkpoints().all().await?[0].public);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 for a checkpoint that is not one's own; 409, at once, for one that is private.
    pub async fn unpublish_checkpoint(&self, path: &CheckpointPath) -> Result<(), Error> {
        let path = path.clone();
        let method = "RestClient.unpublish_checkpoint_from_tinker_path";
        set(
            &self.core,
            method,
            UnpublishCheckpoint { path },
            StatusCode::CONFLICT,
        )
        .await
    }

    /// Sets when a checkpoint is deleted: so long from now, in whole seconds. `None` keeps it for
    /// good.
    ///
    #[doc = setup!(training)]
    /// use std::time::Duration;
    ///
    /// let saved = training.save_state("first").await?.path;
    /// let day = Duration::from_secs(86_400);
    /// service.rest().set_checkpoint_ttl(&saved, Some(day)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 404 for a checkpoint that is not one's own.
    pub async fn set_checkpoint_ttl(
        &self,
        path: &CheckpointPath,
        ttl: Option<Duration>,
    ) -> Result<(), Error> {
        let request = SetCheckpointTtl {
            path: path.clone(),
            ttl_seconds: ttl.map(|ttl| ttl.as_secs()),
        };
        let link = self.core.link().await?;
        let call = call::<SetCheckpointTtl>("RestClient.set_checkpoint_ttl_from_tinker_path");
        let answer = Box::pin(link.api.call_void(&request, call)).await;
        self.core.news().outcome(answer)
    }

    /// Where the files of an external checkpoint can be fetched: a signed URL for each, which needs
    /// no key. Who has a URL has the file.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_weights_external("adapter").await?;
    /// let links = service.rest().get_external_weights_urls(&saved.path).await?;
    /// for (file, url) in &links.urls {
    ///     assert!(url.contains(file));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A checkpoint of another kind, before anything is sent; 404 for one there is not.
    pub async fn get_external_weights_urls(
        &self,
        path: &CheckpointPath,
    ) -> Result<ExternalWeightsUrls, Error> {
        if path.kind() != CheckpointKind::External {
            let why = format!(
                "{path} has no files to fetch; give one that save_weights_external made, tinker://<run>/external_weights/<name>"
            );
            return Err(InvalidValue::new("path", why).into());
        }
        let path = path.clone();
        ask(
            &self.core,
            "RestClient.get_external_weights_urls",
            GetExternalWeightsUrls { path },
        )
        .await
    }

    /// Copies a checkpoint into a project. Gives the path of the copy.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::CopyOptions;
    ///
    /// let saved = training.save_state("first").await?.path;
    /// let rest = service.rest();
    /// let copy = rest.copy_weights(CopyOptions::new(saved).with_project_id("mine")).await?;
    /// assert_eq!(rest.get_weights_info(&copy).await?.lora_rank, Some(4));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No project, neither here nor in [`Config`](crate::Config), or a token that cannot stand in a
    /// header, before anything is sent. 404 for a checkpoint there is not, or that may not be read.
    pub async fn copy_weights(
        &self,
        options: impl Into<CopyOptions>,
    ) -> Result<CheckpointPath, Error> {
        copy_weights(&self.core, "RestClient.copy_weights", options.into()).await
    }
}
