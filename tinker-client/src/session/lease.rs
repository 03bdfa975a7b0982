//! Release of models on servers on which the end of a session does not release them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::StatusCode;
use tinker_transport::policy::{Never, Standard};
use tinker_transport::{Call, Class, Replay};
use tinker_types::{
    Endpoint, FinishReason, FinishSession, Method, ModelId, SessionId, UnloadModel,
};

use crate::error::Error;
use crate::session::connection::Connection;
use crate::session::record::Session;
use crate::session::state::ClientState;
use crate::wire::request::{Form, address, build, repeatable};

/// Time limit for releasing models, so that a program that ends does not hang.
const LIMIT: Duration = Duration::from_secs(10);

/// A model of this client. When the last clone of its clients is dropped, it is unloaded where nothing else releases it,
/// unless a sampler checkpoint of it has a name: some servers sample from such a checkpoint only while its model is loaded.
#[derive(Debug)]
pub(crate) struct ModelLease {
    state: Arc<ClientState>,
    session: Arc<Session>,
    model: ModelId,
}

impl ModelLease {
    pub(crate) fn new(
        state: &Arc<ClientState>,
        session: &Arc<Session>,
        model: ModelId,
    ) -> Arc<Self> {
        session.add_model(model.clone());
        Arc::new(Self {
            state: Arc::clone(state),
            session: Arc::clone(session),
            model,
        })
    }

    /// The session of the model.
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Keeps the model loaded after its clients are dropped.
    pub(crate) fn keep(&self) {
        self.session.keep_model(&self.model);
    }
}

impl Drop for ModelLease {
    fn drop(&mut self) {
        let state = &self.state;
        // The hosted service ends sessions.
        if !self.session.release_model(&self.model) || state.config().has_official_form() {
            return;
        }
        let (Some(connection), Some(session)) = (state.opened_connection(), self.session.id())
        else {
            return;
        };
        let (connection, session) = (Arc::clone(connection), session.clone());
        let model = self.model.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if matches!(ends_sessions(&connection, &session).await, Ok(false)) {
                    unload(&connection, model).await;
                }
            });
        }
    }
}

/// Unloads all models of a client whose session the server does not end, except those that are kept.
pub(crate) async fn unload_all(session: &Session, connection: &Connection) {
    let models = session.release_models();
    join_all(models.into_iter().map(|model| unload(connection, model))).await;
    for (model, _) in session.loaded_models() {
        tracing::info!(%model, "stays loaded on the server, as its sampler checkpoints need it");
    }
}

async fn unload(connection: &Connection, model: ModelId) {
    let call = repeatable::<UnloadModel>(Class::Session)
        .with_policy(Standard::new().with_time_limit(LIMIT));
    let request = UnloadModel::new(model.clone());
    match connection.api.call_void(&request, call).await {
        Ok(()) => tracing::debug!(%model, "unloaded"),
        Err(error) => tracing::debug!(%model, %error, "was not unloaded"),
    }
}

/// Whether the server has the route that ends a session. A GET request of that route changes nothing: a server with the
/// route refuses the method.
async fn ends_sessions(connection: &Connection, session: &SessionId) -> Result<bool, Error> {
    let ask = || async {
        let path = address(&FinishSession::new(session.clone(), FinishReason::Success))?;
        let call = Call::new(FinishSession::NAME, Class::Session)
            .with_replay(Replay::Safe)
            .with_policy(Never);
        let request = build(Method::Get, path, Form::Json, Bytes::new(), call);
        let answer = connection.api.send(request).await?;
        Ok::<_, Error>(answer.status != StatusCode::NOT_FOUND)
    };
    let known = connection.learned.ends_sessions.get_or_try_init(ask);
    Box::pin(known).await.copied()
}
