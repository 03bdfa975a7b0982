//! Access to a checkpoint with an access token of its owner.

use std::sync::Arc;

use tinker_transport::{ApiKey, Credential, Exchange};
use tinker_types::{AccessToken, CheckpointPath, GetWeightsInfo, InvalidValue, WeightsInfo};

use crate::error::{ConfigError, Error};
use crate::session::source::{TransportSource, with_credential};
use crate::session::{ask::call, connection::Connection, state::ClientState};
use crate::wire::api::Api;

/// Access with another owner's token. Servers that load only into existing models accept the token in two places: as
/// the key of a query for the checkpoint's weights info, and as a field of the load.
#[derive(Debug)]
pub(crate) struct DelegatedAccess {
    api: Api,
    credential: Arc<dyn Credential>,
}

impl DelegatedAccess {
    /// Sets up the transport. Sends nothing yet.
    pub(crate) fn new(
        state: &ClientState,
        connection: &Connection,
        token: &AccessToken,
    ) -> Result<Self, Error> {
        let TransportSource::Stack { builder, .. } = state.source() else {
            let why = "is set, but the server takes it as the key of a request, and the finished transport of \
                this client sets its own key; make the client without ServiceClientBuilder::transport";
            return Err(InvalidValue::new("access_token", why).into());
        };
        let key: Arc<dyn Credential> = Arc::new(ApiKey::new(token.expose()));
        let raw = with_credential((**builder).clone(), Arc::clone(&key)).build()?;
        let (transport, credential) = if connection.flags.fixed().pjwt_auth_enabled {
            let exchange = Exchange::new(raw).with_fingerprint_of(&*key);
            let exchange: Arc<dyn Credential> = Arc::new(exchange);
            let builder = with_credential((**builder).clone(), Arc::clone(&exchange));
            (builder.build()?, exchange)
        } else {
            (raw, key)
        };
        let manner = connection.api.manner().clone();
        let api = Api::new(transport, state.config().answer_limit, manner)
            .with_reach(state.events().reach());
        Ok(Self { api, credential })
    }

    /// The weights info of a checkpoint.
    pub(crate) async fn weights_info(
        &self,
        method: &'static str,
        path: &CheckpointPath,
    ) -> Result<WeightsInfo, Error> {
        let call = call::<GetWeightsInfo>(method);
        self.api.call(&GetWeightsInfo::new(path), call).await
    }

    /// The token for the load: a short-lived one where the server exchanges keys for tokens.
    pub(crate) async fn token(&self) -> Result<AccessToken, Error> {
        let token = self.credential.token().await.map_err(|error| {
            ConfigError::new("access_token: could not be exchanged for a short-lived token")
                .because(error)
        })?;
        Ok(AccessToken::new(token.expose()))
    }
}
