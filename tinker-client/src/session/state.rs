//! State shared by all clients of one service.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tinker_transport::{Class, Observers};
use tinker_types::{CreateSession, ModelId, SessionCreated, SessionId};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::custom_loss::registry::Losses;
use crate::error::{Closed, Error};
use crate::observe::{observer::ClientObservers, sink::EventSink};
use crate::session::connection::{self, Connection, Repeats};
use crate::session::source::TransportSource;
use crate::session::{flags::Flags, heartbeat};
use crate::telemetry::Telemetry;
use crate::wire::{api::Api, request::repeatable};

/// The session, flags and counters shared by all clients of one service. Nothing is sent before the first use.
#[derive(Debug)]
pub(crate) struct ClientState {
    config: Config,
    source: TransportSource,
    events: EventSink,
    connection: OnceCell<Arc<Connection>>,
    session: OnceCell<SessionId>,
    models: AtomicU64,
    samplers: AtomicU64,
    /// Custom losses registered with the session.
    pub(crate) losses: Losses,
    /// Models of this client that were not released, and whether they are kept after their clients are dropped.
    own_models: Mutex<BTreeMap<ModelId, bool>>,
    /// The party that ended the session, once it has ended.
    ended_by: OnceLock<Party>,
    /// Set once the server has confirmed the end of the session.
    pub(crate) finished: OnceCell<()>,
    /// Background tasks. They hold a `Weak` reference to this state and end with it.
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Party {
    Caller,
    Server,
}

impl ClientState {
    pub(crate) fn new(config: Config, source: TransportSource, observers: Observers) -> Arc<Self> {
        let telemetry = config
            .telemetry
            .then(|| Telemetry::new(&config.dialect.sdk_version));
        Arc::new(Self {
            events: EventSink::new(
                ClientObservers::new(observers),
                telemetry,
                config.stuck_after,
            ),
            config,
            source,
            connection: OnceCell::new(),
            session: OnceCell::new(),
            models: AtomicU64::new(0),
            samplers: AtomicU64::new(0),
            losses: Losses::default(),
            own_models: Mutex::default(),
            ended_by: OnceLock::new(),
            finished: OnceCell::new(),
            tasks: Mutex::new(JoinSet::new()),
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn source(&self) -> &TransportSource {
        &self.source
    }

    /// Destination of events and error reports.
    pub(crate) fn events(&self) -> &EventSink {
        &self.events
    }

    /// The connection, opened on first use.
    pub(crate) async fn connection(&self) -> Result<&Arc<Connection>, Error> {
        self.connection_with(Repeats::ByPolicy).await
    }

    /// The connection. If it is not open, it is opened with requests that are, or are not, repeated.
    pub(crate) async fn connection_with(
        &self,
        repeats: Repeats,
    ) -> Result<&Arc<Connection>, Error> {
        let open = || async {
            let telemetry = self.events.telemetry();
            let connection = Connection::open(&self.config, &self.source, telemetry, repeats);
            connection.await.map(Arc::new)
        };
        Box::pin(self.connection.get_or_try_init(open)).await
    }

    /// The connection, if it is open.
    pub(crate) fn opened_connection(&self) -> Option<&Arc<Connection>> {
        self.connection.get()
    }

    /// The session, opened on first use.
    pub(crate) async fn session(self: &Arc<Self>) -> Result<(&SessionId, &Arc<Connection>), Error> {
        self.check_open()?;
        let connection = self.connection().await?;
        let open = || self.open_session(connection);
        let session = Box::pin(self.session.get_or_try_init(open)).await?;
        Ok((session, connection))
    }

    /// The session, if it is open.
    pub(crate) fn opened_session(&self) -> Option<&SessionId> {
        self.session.get()
    }

    async fn open_session(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
    ) -> Result<SessionId, Error> {
        let mut request = CreateSession::new(&self.config.dialect.sdk_version);
        request.tags.clone_from(&self.config.tags);
        request.user_metadata.clone_from(&self.config.user_metadata);
        request.project_id.clone_from(&self.config.project_id);
        request.display_name.clone_from(&self.config.display_name);
        let call = repeatable::<CreateSession>(Class::Session);
        let created = connection.api.call(&request, call).await?;
        log_notes(&created);
        let session = created.session_id;
        if let Some(telemetry) = self.events.telemetry() {
            telemetry.session_started(&session);
        }
        let (state, heart) = (
            Arc::downgrade(self),
            heartbeat::keep_alive(connection.api.clone(), session.clone()),
        );
        self.spawn(async move {
            heart.await;
            if let Some(state) = state.upgrade() {
                state.end();
            }
        });
        let flags = Arc::clone(&connection.flags);
        self.spawn(refresh(connection.api.clone(), flags));
        Ok(session)
    }

    /// Number of the next model of the session.
    pub(crate) fn next_model(&self) -> u64 {
        self.models.fetch_add(1, Ordering::Relaxed)
    }

    /// Number of the next sampler of the session.
    pub(crate) fn next_sampler(&self) -> u64 {
        self.samplers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn add_model(&self, model: ModelId) {
        self.own_models().insert(model, false);
    }

    /// Keeps a model when its clients are dropped and the session is closed.
    pub(crate) fn keep_model(&self, model: &ModelId) {
        if let Some(is_kept) = self.own_models().get_mut(model) {
            *is_kept = true;
        }
    }

    /// Keeps no model.
    pub(crate) fn keep_no_model(&self) {
        self.own_models()
            .values_mut()
            .for_each(|is_kept| *is_kept = false);
    }

    /// Takes a model that is not kept. Returns false if there is none.
    pub(crate) fn release_model(&self, model: &ModelId) -> bool {
        let mut models = self.own_models();
        models.get(model) == Some(&false) && models.remove(model).is_some()
    }

    /// Takes all models that are not kept.
    pub(crate) fn release_models(&self) -> Vec<ModelId> {
        let mut models = self.own_models();
        let released = models.extract_if(.., |_, is_kept| !*is_kept);
        released.map(|(model, _)| model).collect()
    }

    /// Forgets a model that the server has released.
    pub(crate) fn forget_model(&self, model: &ModelId) {
        self.own_models().remove(model);
    }

    /// Forgets all models, which the server has released.
    pub(crate) fn forget_models(&self) {
        self.own_models().clear();
    }

    /// Models of this client that were not released, and whether they are kept.
    pub(crate) fn loaded_models(&self) -> Vec<(ModelId, bool)> {
        let models = self.own_models();
        models
            .iter()
            .map(|(model, is_kept)| (model.clone(), *is_kept))
            .collect()
    }

    fn own_models(&self) -> MutexGuard<'_, BTreeMap<ModelId, bool>> {
        self.own_models
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses work after the end of the session.
    pub(crate) fn check_open(&self) -> Result<(), Closed> {
        match self.ended_by.get() {
            Some(Party::Caller) => Err(Closed::by_caller()),
            Some(Party::Server) => Err(Closed::by_server()),
            None => Ok(()),
        }
    }

    /// Ends the session for the caller. Returns false if the server had ended it before.
    pub(crate) fn close(&self) -> bool {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
        *self.ended_by.get_or_init(|| Party::Caller) == Party::Caller
    }

    /// Ends the session for the server.
    pub(crate) fn end(&self) {
        self.ended_by.get_or_init(|| Party::Server);
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(task);
    }
}

/// Logs the notes of the server about the session.
fn log_notes(created: &SessionCreated) {
    let filled = |note: &Option<String>| note.clone().filter(|note| !note.is_empty());
    if let Some(note) = filled(&created.info_message) {
        tracing::info!("note from the server: {note}");
    }
    if let Some(note) = filled(&created.warning_message) {
        tracing::warn!("warning from the server: {note}");
    }
    if let Some(note) = filled(&created.error_message) {
        tracing::error!("error from the server: {note}");
    }
}

/// Refreshes the dynamic flags periodically. A failure keeps the last ones.
async fn refresh(api: Api, flags: Arc<Flags>) {
    while let Some(interval) = flags.refresh_interval() {
        tokio::time::sleep(interval).await;
        match connection::dynamic_flags(&api, Repeats::ByPolicy).await {
            Ok(Some(dynamic)) => flags.refresh(dynamic),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the flags of the server were not refreshed"),
        }
    }
}
