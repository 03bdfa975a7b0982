//! State shared by all clients of one service.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tinker_transport::{Class, Observers};
use tinker_types::{CreateSession, SessionCreated, SessionId};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::error::{Closed, Error};
use crate::observe::{observer::ClientObservers, sink::EventSink};
use crate::session::connection::{self, Connection, Repeats};
use crate::session::record::Session;
use crate::session::source::TransportSource;
use crate::session::{flags::Flags, heartbeat};
use crate::telemetry::Telemetry;
use crate::wire::{api::Api, request::repeatable};

/// The session and what was negotiated with the server. Nothing is sent before the first use.
#[derive(Debug)]
pub(crate) struct ClientState {
    config: Config,
    source: TransportSource,
    events: EventSink,
    connection: OnceCell<Arc<Connection>>,
    /// The latest session. A lost one is replaced when the next one is needed.
    session: Mutex<Arc<Session>>,
    is_closed: AtomicBool,
    refreshes_flags: AtomicBool,
    /// Background tasks. They end with this state.
    tasks: Mutex<JoinSet<()>>,
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
                config.shown_base_url(),
            ),
            config,
            source,
            connection: OnceCell::new(),
            session: Mutex::default(),
            is_closed: AtomicBool::new(false),
            refreshes_flags: AtomicBool::new(false),
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
        if let Some(connection) = self.connection.get() {
            return Ok(connection);
        }
        let open = || async {
            let connection = Connection::open(&self.config, &self.source, &self.events, repeats);
            connection.await.map(Arc::new)
        };
        Box::pin(self.connection.get_or_try_init(open)).await
    }

    /// The connection, if it is open.
    pub(crate) fn opened_connection(&self) -> Option<&Arc<Connection>> {
        self.connection.get()
    }

    /// The session for new work; a new one if the last one was lost. It may have to be opened.
    pub(crate) fn session(&self) -> Arc<Session> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.end().is_some() {
            *session = Arc::default();
        }
        Arc::clone(&session)
    }

    /// The latest session, which may be lost.
    pub(crate) fn latest_session(&self) -> Arc<Session> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&session)
    }

    /// Opens a session, if it is not open.
    pub(crate) async fn open<'a>(
        &'a self,
        session: &'a Arc<Session>,
    ) -> Result<(&'a SessionId, &'a Arc<Connection>), Error> {
        self.check_open()?;
        let connection = self.connection().await?;
        let open = || self.open_session(session, connection);
        let id = Box::pin(session.id.get_or_try_init(open)).await?;
        Ok((id, connection))
    }

    async fn open_session(
        &self,
        session: &Arc<Session>,
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
        let id = created.session_id;
        if let Some(telemetry) = self.events.telemetry() {
            telemetry.session_started(&id);
        }
        self.keep_alive(session, &id, connection);
        if !self.refreshes_flags.swap(true, Ordering::Relaxed) {
            let flags = Arc::clone(&connection.flags);
            self.spawn(refresh(connection.api.clone(), flags));
        }
        Ok(id)
    }

    /// Starts the heartbeat of a session, which ends with the session or its last user. Later calls do nothing.
    pub(crate) fn keep_alive(
        &self,
        session: &Arc<Session>,
        id: &SessionId,
        connection: &Connection,
    ) {
        if session.starts_heartbeat() {
            let api = connection.api.clone();
            self.spawn(heartbeat::keep_alive(api, Arc::clone(session), id.clone()));
        }
    }

    /// Refuses work after the caller has closed the client.
    pub(crate) fn check_open(&self) -> Result<(), Closed> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Closed::by_caller());
        }
        Ok(())
    }

    /// Closes the client for the caller.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Heartbeats of lost sessions have ended.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
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
