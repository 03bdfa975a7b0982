//! `RunClient`: training runs.

use std::sync::Arc;

use tinker_types::{
    AccessScope, CheckpointPath, GetTrainingRun, ListTrainingRuns, ModelId, TrainingRun,
    TrainingRuns,
};

use crate::error::Error;
use crate::rest::{list_options::ListOptions, pages::Pages};
use crate::service::client::ServiceClient;
use crate::session::{ask::ask, state::ClientState};

/// Reads training runs.
///
/// Get one from [`ServiceClient::runs`]. Opens no session. Cheap to clone. Methods are plain futures: nothing is sent
/// before they are polled, and dropping one abandons the request.
#[derive(Debug, Clone)]
pub struct RunClient {
    state: Arc<ClientState>,
    scope: AccessScope,
}

impl ServiceClient {
    /// The training runs that the server keeps. Works after [`close`](Self::close), too.
    ///
    #[doc = setup!(training)]
    /// let run = service.runs().get(training.model_id()).await?;
    /// assert_eq!(run.base_model, "tinker-local/tiny");
    /// # Ok(())
    /// # }
    /// ```
    pub fn runs(&self) -> RunClient {
        RunClient {
            state: Arc::clone(self.state()),
            scope: AccessScope::default(),
        }
    }
}

impl RunClient {
    tinker_types::setters! {
        /// Sets which runs are visible: those of the caller (the default) or all that the key may read.
        ///
        #[doc = setup!(training)]
        /// use tinker_client::{AccessScope, ListOptions};
        ///
        /// let runs = service.runs().with_access_scope(AccessScope::Accessible);
        /// assert_eq!(runs.list(ListOptions::default()).all().await?.len(), 1);
        /// # Ok(())
        /// # }
        /// ```
        with_access_scope(scope: AccessScope) => scope = scope;
    }

    /// All training runs, or those of one project, as a stream.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::ListOptions;
    ///
    /// let mut runs = service.runs().list(ListOptions::default());
    /// while let Some(run) = runs.try_next().await? {
    ///     assert_eq!(run.lora_rank, Some(4));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn list(&self, options: ListOptions) -> Pages<TrainingRun> {
        Pages::list(self, options, |client, options| async move {
            let page = client.page(options).await?;
            Ok((page.training_runs, Some(page.cursor.total_count)))
        })
    }

    /// One page of [`list`](Self::list), with the total count.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::ListOptions;
    ///
    /// let page = service.runs().page(ListOptions::default().with_page_size(10)).await?;
    /// assert_eq!(page.cursor.total_count, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No answer, or an error status.
    pub async fn page(&self, options: ListOptions) -> Result<TrainingRuns, Error> {
        let request = ListTrainingRuns {
            limit: options.page_size,
            offset: options.offset,
            access_scope: self.scope,
            project_id: options.project_id,
        };
        ask(&self.state, "RestClient.list_training_runs", request).await
    }

    /// One training run.
    ///
    /// # Errors
    /// 404 if the run does not exist or is not readable.
    pub async fn get(&self, run: &ModelId) -> Result<TrainingRun, Error> {
        let method = "RestClient.get_training_run";
        ask(&self.state, method, self.request(run)).await
    }

    /// The training run that made a checkpoint.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_state("first").await?.path;
    /// let run = service.runs().by_checkpoint(&saved).await?;
    /// assert_eq!(&run.training_run_id, training.model_id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub async fn by_checkpoint(&self, path: &CheckpointPath) -> Result<TrainingRun, Error> {
        let method = "RestClient.get_training_run_by_tinker_path";
        ask(&self.state, method, self.request(path.run())).await
    }

    fn request(&self, run: &ModelId) -> GetTrainingRun {
        GetTrainingRun {
            training_run_id: run.clone(),
            access_scope: self.scope,
        }
    }
}
