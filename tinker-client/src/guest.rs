//! A way to the server under somebody else's token.

use std::sync::Arc;

use tinker_transport::{ApiKey, Credential, Exchange};
use tinker_types::{AccessToken, CheckpointPath, InvalidValue, WeightsInfo, WeightsInfoRequest};

use crate::api::Api;
use crate::ask::call;
use crate::core::Core;
use crate::error::{ConfigError, Error};
use crate::link::{Link, Source, with_credential};

/// What somebody else's token lets us see. Servers that load into models that are there only know
/// the token in two places: as the key of a question about the checkpoint, and in the load.
#[derive(Debug)]
pub(crate) struct Guest {
    api: Api,
    credential: Arc<dyn Credential>,
}

impl Guest {
    /// Nothing is sent yet.
    pub(crate) fn new(core: &Core, link: &Link, token: &AccessToken) -> Result<Self, Error> {
        let Source::Stack { builder, .. } = core.source() else {
            let why = "is set, but the server takes it as the key of a request, and the transport of \
                this client puts on a key of its own; make the client with ServiceClient::builder";
            return Err(InvalidValue::new("access_token", why).into());
        };
        let key: Arc<dyn Credential> = Arc::new(ApiKey::new(token.expose()));
        let raw = with_credential((**builder).clone(), Arc::clone(&key)).build()?;
        let (transport, credential) = if link.flags.fixed().pjwt_auth_enabled {
            let exchange = Exchange::new(raw).with_fingerprint_of(&*key);
            let exchange: Arc<dyn Credential> = Arc::new(exchange);
            let builder = with_credential((**builder).clone(), Arc::clone(&exchange));
            (builder.build()?, exchange)
        } else {
            (raw, key)
        };
        let api = Api::new(transport, core.config().answer_limit);
        Ok(Self { api, credential })
    }

    /// What a checkpoint holds.
    pub(crate) async fn weights_info(
        &self,
        method: &'static str,
        path: &CheckpointPath,
    ) -> Result<WeightsInfo, Error> {
        let call = call::<WeightsInfoRequest>(method);
        self.api.call(&WeightsInfoRequest::new(path), call).await
    }

    /// What a load carries: where the server exchanges keys for short-lived tokens, one of those.
    pub(crate) async fn token(&self) -> Result<AccessToken, Error> {
        let token = self.credential.token().await.map_err(|error| {
            ConfigError::new("access_token: it could not be exchanged for one that a load carries")
                .because(error)
        })?;
        Ok(AccessToken::new(token.expose()))
    }
}
