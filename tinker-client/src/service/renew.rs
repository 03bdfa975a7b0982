//! Renewal of a model from its last checkpoint.

use tinker_types::{CheckpointPath, InvalidValue};

use super::create;
use crate::operation::pending::Pending;
use crate::training::client::TrainingClient;

impl TrainingClient {
    /// Makes a new model from the [last training checkpoint](Self::last_checkpoint) of this one, with the optimizer state
    /// if the checkpoint was saved by this client. For a session that the server has lost, and to go back after an
    /// operation that was done in part. This client and its model are not changed.
    ///
    /// Later passes and steps are not repeated, and custom losses must be created again after the loss of a session.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::Error;
    ///
    /// training.save_state("step-10").await?;
    /// # let data = vec![tinker_client::Datum::supervised(&[72, 105], &[33])];
    /// # engine.expire_session(&service.session_id().ok_or("no session")?);
    /// let loss = tinker_client::Loss::cross_entropy();
    /// let pass = training.forward_backward(data, loss).await;
    /// let Err(Error::SessionLost(lost)) = pass else {
    ///     return Err("the session was ended above".into());
    /// };
    /// println!("{lost}"); // "... go on from tinker://.../weights/step-10 with TrainingClient::renew"
    /// let training = training.renew().await?;
    /// # assert!(lost.checkpoint().is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A model without a training checkpoint, before anything is sent. Otherwise those of
    /// [`create_training_client_from_state`](crate::ServiceClient::create_training_client_from_state).
    pub fn renew(&self) -> Pending<TrainingClient> {
        let Some(restore) = self.inner.restore() else {
            let why = "is missing: this model was not saved with save_state and not made from a checkpoint; make a \
                new one with ServiceClient::create_lora_training_client";
            return Pending::refused(InvalidValue::new("checkpoint", why));
        };
        let method = "TrainingClient.renew";
        let state = &self.inner.state;
        create::load(state, method, restore.options, restore.with_optimizer)
    }

    /// The training checkpoint that [`renew`](Self::renew) goes on from: the last one that this client or a clone saved
    /// with [`save_state`](Self::save_state), otherwise the one that the model was made from.
    ///
    #[doc = setup!(training)]
    /// assert_eq!(training.last_checkpoint(), None);
    /// let saved = training.save_state("step-10").await?;
    /// assert_eq!(training.last_checkpoint(), Some(saved.path));
    /// # Ok(())
    /// # }
    /// ```
    pub fn last_checkpoint(&self) -> Option<CheckpointPath> {
        self.inner.restore()?.path()
    }
}
