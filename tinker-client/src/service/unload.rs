//! Models of a client on its server.

use tinker_transport::{Call, Class, Replay};
use tinker_types::{Endpoint, ModelId, UnloadModel};

use super::client::ServiceClient;
use crate::error::Error;

impl ServiceClient {
    /// Models that this client holds on the server: those in use, and those that stay after their clients are dropped
    /// because a sampler checkpoint of them has a name; see
    /// [`save_weights_for_sampler`](crate::TrainingClient::save_weights_for_sampler). Empty after the end of a session
    /// that releases its models.
    ///
    #[doc = setup!(training)]
    /// assert_eq!(service.loaded_models(), [training.model_id().clone()]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn loaded_models(&self) -> Vec<ModelId> {
        let loaded = self.state.latest_session().loaded_models().into_iter();
        loaded.map(|(model, _)| model).collect()
    }

    /// Releases a model on the server, also one of another session. Frees its place on servers that limit the number of
    /// models. Its checkpoints stay; on some servers its sampler checkpoints can then no longer be sampled. Opens no
    /// session.
    ///
    #[doc = setup!(training)]
    /// service.unload_model(training.model_id().clone()).await?;
    /// assert!(service.loaded_models().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A model that the server does not know; a server without the route.
    pub async fn unload_model(&self, model: impl Into<ModelId>) -> Result<(), Error> {
        let model = model.into();
        let connection = self.state.connection().await?;
        let call = Call::new(UnloadModel::NAME, Class::Rest)
            .with_replay(Replay::Safe)
            .with_caller("ServiceClient.unload_model");
        let request = UnloadModel::new(model.clone());
        let answer = Box::pin(connection.api.call_void(&request, call)).await;
        self.state.events().outcome(answer)?;
        self.state.latest_session().forget_model(&model);
        Ok(())
    }
}
