//! Saving: checkpoints, files, samplers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Map;
use tinker_types::{
    CheckpointKind, CheckpointPath, Endpoint, InvalidValue, SamplerSaveKind, SaveWeights,
    SaveWeightsExternal, SaveWeightsForSampler, SavedExternal, SavedForSampler, SavedWeights,
};

use super::client::TrainingClient;
use crate::error::DecodeError;
use crate::operation::pending::Pending;
use crate::sampling::client::SamplingClient;
use crate::training::{options::export::ExportOptions, options::save::SaveOptions};

impl TrainingClient {
    /// Saves weights and optimizer state, to continue training from.
    ///
    #[doc = setup!(training)]
    /// use std::time::Duration;
    /// use tinker_client::SaveOptions;
    ///
    /// let options = SaveOptions::new("step-100").with_ttl(Duration::from_secs(86_400));
    /// let saved = training.save_state(options).await?;
    /// assert!(saved.path.to_string().ends_with("/weights/step-100"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A name that is not a path segment, before anything is sent; a name that is taken, unless
    /// [`SaveOptions::overwrite`] is set.
    pub fn save_state(&self, options: impl Into<SaveOptions>) -> Pending<SavedWeights> {
        let options = options.into();
        if let Err(error) = self.check_name(&options, CheckpointKind::Training) {
            return Pending::refused(error);
        }
        self.operate(
            "TrainingClient.save_state",
            options.extra,
            move |model, seq_id| {
                let mut request = SaveWeights::new(model, seq_id, &options.name);
                request.ttl_seconds = options.ttl.map(|ttl| ttl.as_secs());
                request.overwrite = options.overwrite;
                request.user_metadata = notes(options.user_metadata);
                request
            },
            |saved: SavedWeights, inner| {
                inner.saved(&saved.path);
                Ok(saved)
            },
        )
    }

    /// Saves weights for sampling under a name. Pass the path to
    /// [`create_sampling_client`](crate::ServiceClient::create_sampling_client), now or later.
    ///
    /// Some servers sample from such a checkpoint only while its model is loaded. Where the end of a session does not
    /// release its models, this model stays loaded until
    /// [`unload_model`](crate::ServiceClient::unload_model) is called.
    ///
    #[doc = setup!(training)]
    /// let path = training.save_weights_for_sampler("step-100").await?;
    /// let sampler = service.create_sampling_client(&path).await?;
    /// assert_eq!(sampler.base_model(), Some("tinker-local/tiny"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Before anything is sent: a name that is not a path segment, or `overwrite`, which these checkpoints do not support.
    pub fn save_weights_for_sampler(
        &self,
        options: impl Into<SaveOptions>,
    ) -> Pending<CheckpointPath> {
        let options = options.into();
        if let Err(error) = self.check_name(&options, CheckpointKind::Sampler) {
            return Pending::refused(error);
        }
        self.operate(
            "TrainingClient.save_weights_for_sampler",
            options.extra,
            move |model, seq_id| {
                let mut request = SaveWeightsForSampler::named(model, seq_id, &options.name);
                request.ttl_seconds = options.ttl.map(|ttl| ttl.as_secs());
                request.user_metadata = notes(options.user_metadata);
                request
            },
            |saved: SavedForSampler, inner| {
                inner.lease.keep();
                Ok(saved.path.ok_or_else(|| missing("a `path`"))?)
            },
        )
    }

    /// Saves weights as files for use with other software.
    /// [`file_urls`](crate::CheckpointClient::file_urls) returns their URLs.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_weights_external("adapter").await?;
    /// let files = service.checkpoints().file_urls(&saved.path).await?.urls;
    /// assert!(!files.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A name that is not a path segment, or more than ten recipients, before anything is sent.
    pub fn save_weights_external(
        &self,
        options: impl Into<ExportOptions>,
    ) -> Pending<SavedExternal> {
        let options = options.into();
        let check = || {
            self.check_segment(&options.name, CheckpointKind::External)?;
            options.check()
        };
        if let Err(error) = check() {
            return Pending::refused(error);
        }
        self.operate(
            "TrainingClient.save_weights_external",
            Map::new(),
            move |model, seq_id| {
                let mut request = SaveWeightsExternal::new(model, seq_id, &options.name);
                request.ttl_seconds = options.ttl.map(|ttl| ttl.as_secs());
                request.age_encryption_recipients =
                    Some(options.age_recipients).filter(|keys| !keys.is_empty());
                request
            },
            |result, _| Ok(result),
        )
    }

    /// A sampler with the model's weights after all earlier operations. Later training does not change it, and nothing is
    /// stored under a name.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::{ModelInput, SamplingParams};
    ///
    /// let sampler = training.save_weights_and_get_sampling_client().await?;
    /// let params = SamplingParams::default().with_max_tokens(4);
    /// sampler.sample(ModelInput::from_tokens([72, 105]), params).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of any operation.
    pub fn save_weights_and_get_sampling_client(&self) -> Pending<SamplingClient> {
        let method = "TrainingClient.save_weights_and_get_sampling_client";
        self.save_and_sample(method, SamplerSaveKind::Snapshot)
    }

    /// A sampler whose weights are replaced by later calls of this method, even during a sample: all such samplers of the
    /// model share one set of weights. No sample uses weights older than those of the call that made its sampler; a long
    /// sample may use older weights for its first tokens than for its last ones. For training that does not wait for
    /// samples: keep one sampler and let later calls update it.
    ///
    #[doc = setup!(training)]
    /// let sampler = training.save_weights_and_get_inflight_sampling_client().await?;
    /// // After some steps: `sampler` uses the current weights from now on.
    /// training.save_weights_and_get_inflight_sampling_client().await?;
    /// # drop(sampler);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of any operation.
    pub fn save_weights_and_get_inflight_sampling_client(&self) -> Pending<SamplingClient> {
        // The official client has one method for both kinds.
        let method = "TrainingClient.save_weights_and_get_sampling_client";
        self.save_and_sample(method, SamplerSaveKind::Inflight)
    }

    fn save_and_sample(
        &self,
        method: &'static str,
        kind: SamplerSaveKind,
    ) -> Pending<SamplingClient> {
        let sampler = self.inner.session().next_sampler();
        self.operate(
            method,
            Map::new(),
            move |model, seq_id| {
                let mut request = SaveWeightsForSampler::ephemeral(model, seq_id, sampler);
                request.kind = kind;
                request
            },
            |saved: SavedForSampler, inner| {
                let id = saved
                    .sampling_session_id
                    .ok_or_else(|| missing("a `sampling_session_id`"))?;
                let base_model = inner.base_model().map(str::to_owned);
                let lease = Arc::clone(&inner.lease);
                Ok(SamplingClient::of_model(
                    &inner.state,
                    id,
                    base_model,
                    lease,
                ))
            },
        )
    }

    fn check_name(&self, options: &SaveOptions, kind: CheckpointKind) -> Result<(), InvalidValue> {
        self.check_segment(&options.name, kind)?;
        if options.overwrite && kind != CheckpointKind::Training {
            let why = "is supported for training checkpoints only; choose another name";
            return Err(InvalidValue::new("overwrite", why));
        }
        Ok(())
    }

    fn check_segment(&self, name: &str, kind: CheckpointKind) -> Result<(), InvalidValue> {
        if name.contains('/') {
            let why = format!("{name:?} has a slash; a name is one part of a path");
            return Err(InvalidValue::new("name", why));
        }
        CheckpointPath::try_new(self.model_id().clone(), kind, name)
            .map(|_| ())
            .map_err(|error| error.within("name"))
    }
}

fn notes(notes: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    Some(notes).filter(|notes| !notes.is_empty())
}

fn missing(what: &str) -> DecodeError {
    DecodeError::new(
        SaveWeightsForSampler::NAME,
        format!("the result lacks {what}"),
    )
}
