//! What a training client saves: checkpoints, files, samplers.

use std::collections::BTreeMap;

use tinker_types::{
    CheckpointKind, CheckpointPath, Endpoint, InvalidValue, SamplerSaveKind, SaveWeights,
    SaveWeightsExternal, SaveWeightsForSampler, SavedExternal, SavedForSampler, SavedWeights,
};

use super::TrainingClient;
use crate::error::{Closed, DecodeError};
use crate::options::{ExportOptions, SaveOptions};
use crate::pending::Pending;
use crate::sampling::SamplingClient;

impl TrainingClient {
    /// Saves weights and optimizer state, to train on from.
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
    /// A name that is no path segment, before anything is sent; a name that is taken, unless
    /// [`SaveOptions::overwrite`] is set.
    pub fn save_state(&self, options: impl Into<SaveOptions>) -> Pending<SavedWeights> {
        let options = options.into();
        if let Err(error) = self.check_name(&options, CheckpointKind::Training) {
            return Pending::refused(error);
        }
        self.operate(
            "TrainingClient.save_state",
            |model, seq_id| {
                let mut request = SaveWeights::new(model, seq_id, &options.name);
                request.ttl_seconds = options.ttl.map(|ttl| ttl.as_secs());
                request.overwrite = options.overwrite;
                request.user_metadata = notes(options.user_metadata);
                request
            },
            |result, _| Ok(result),
        )
    }

    /// Saves weights to sample from, under a name. Give the path to
    /// [`create_sampling_client`](crate::ServiceClient::create_sampling_client), now or later.
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
    /// A name that is no path segment, or `overwrite`, which these checkpoints do not have, before
    /// anything is sent.
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
            |model, seq_id| {
                let mut request = SaveWeightsForSampler::named(model, seq_id, &options.name);
                request.ttl_seconds = options.ttl.map(|ttl| ttl.as_secs());
                request.user_metadata = notes(options.user_metadata);
                request
            },
            |saved: SavedForSampler, _| Ok(saved.path.ok_or_else(|| missing("a `path`"))?),
        )
    }

    /// Saves weights as files for use elsewhere.
    /// [`get_external_weights_urls`](crate::RestClient::get_external_weights_urls) tells where to
    /// fetch them.
    ///
    #[doc = setup!(training)]
    /// let saved = training.save_weights_external("adapter").await?;
    /// let files = service.rest().get_external_weights_urls(&saved.path).await?.urls;
    /// assert!(!files.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A name that is no path segment, or more than ten keys to encrypt for, before anything is sent.
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
            |model, seq_id| {
                let mut request = SaveWeightsExternal::new(model, seq_id, &options.name);
                request.ttl_seconds = options.ttl.map(|ttl| ttl.as_secs());
                request.age_encryption_recipients =
                    Some(options.age_recipients).filter(|keys| !keys.is_empty());
                request
            },
            |result, _| Ok(result),
        )
    }

    /// A sampler with the model's weights as they are when every earlier operation is done. Later
    /// training does not change it, and nothing is stored under a name.
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

    /// A sampler whose weights later calls of this method replace, even while it samples: all such
    /// samplers of the model share one set of weights. No sample uses weights older than those at
    /// the call that made its sampler; a long one may use older weights for its first tokens than for
    /// its last. Keep one sampler and let the calls update it, for training that does not wait for
    /// samples.
    ///
    #[doc = setup!(training)]
    /// let sampler = training.save_weights_and_get_inflight_sampling_client().await?;
    /// // After some steps: what `sampler` draws from now on is up to date.
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
        let sampler = self.inner.core.next_sampler();
        self.operate(
            method,
            |model, seq_id| {
                let mut request = SaveWeightsForSampler::ephemeral(model, seq_id, sampler);
                request.kind = kind;
                request
            },
            |saved: SavedForSampler, inner| {
                let id = saved
                    .sampling_session_id
                    .ok_or_else(|| missing("a `sampling_session_id`"))?;
                let session = inner.core.opened_session().cloned();
                let session = session.ok_or_else(Closed::by_caller)?;
                let base_model = inner.info.model_data.model_name.clone();
                let base_model = base_model.or_else(|| inner.info.model_name.clone());
                Ok(SamplingClient::new(&inner.core, session, id, base_model))
            },
        )
    }

    fn check_name(&self, options: &SaveOptions, kind: CheckpointKind) -> Result<(), InvalidValue> {
        self.check_segment(&options.name, kind)?;
        if options.overwrite && kind != CheckpointKind::Training {
            let why = "is for training checkpoints only; choose another name";
            return Err(InvalidValue::new("overwrite", why));
        }
        Ok(())
    }

    fn check_segment(&self, name: &str, kind: CheckpointKind) -> Result<(), InvalidValue> {
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
