//! State shared by all clients of one service.

use std::future::Future;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tinker_transport::{Class, Observers};
use tinker_types::{CreateSession, SessionCreated, SessionId};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::custom_loss::registry::Losses;
use crate::error::{Closed, Error};
use crate::observe::{observer::ClientObservers, sink::EventSink};
use crate::session::{connection, connection::Connection, heartbeat, source::TransportSource};
use crate::telemetry::Telemetry;
use crate::wire::{request::repeatable, version::PROTOCOL_VERSION};

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
    phase: AtomicU8,
    /// Set once the server has confirmed the end of the session.
    pub(crate) finished: OnceCell<()>,
    /// Background tasks. They hold a `Weak` reference to this state and end with it.
    tasks: Mutex<JoinSet<()>>,
}

const OPEN: u8 = 0;
const CLOSED_BY_CALLER: u8 = 1;
const ENDED_BY_SERVER: u8 = 2;

impl ClientState {
    pub(crate) fn new(config: Config, source: TransportSource, observers: Observers) -> Arc<Self> {
        let telemetry = config.telemetry.then(Telemetry::new);
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
            phase: AtomicU8::new(OPEN),
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
        let open = || async {
            let connection = Connection::open(&self.config, &self.source, self.events.telemetry());
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
        let mut request = CreateSession::new(PROTOCOL_VERSION);
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
        self.spawn(refresh(Arc::downgrade(self)));
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

    /// Refuses work after the end of the session.
    pub(crate) fn check_open(&self) -> Result<(), Closed> {
        match self.phase.load(Ordering::Acquire) {
            CLOSED_BY_CALLER => Err(Closed::by_caller()),
            ENDED_BY_SERVER => Err(Closed::by_server()),
            _ => Ok(()),
        }
    }

    /// Ends the session for the caller. Returns false if the server had ended it before.
    pub(crate) fn close(&self) -> bool {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
        self.leave(CLOSED_BY_CALLER);
        self.phase.load(Ordering::Acquire) == CLOSED_BY_CALLER
    }

    /// Ends the session for the server.
    pub(crate) fn end(&self) {
        self.leave(ENDED_BY_SERVER);
    }

    /// Leaves the open phase; later calls have no effect.
    fn leave(&self, phase: u8) {
        let _was_over =
            self.phase
                .compare_exchange(OPEN, phase, Ordering::AcqRel, Ordering::Acquire);
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
async fn refresh(state: Weak<ClientState>) {
    loop {
        let connection = state
            .upgrade()
            .and_then(|state| state.opened_connection().cloned());
        let Some(interval) = connection
            .as_ref()
            .and_then(|connection| connection.flags.refresh_interval())
        else {
            return;
        };
        drop(connection);
        tokio::time::sleep(interval).await;
        let Some(connection) = state
            .upgrade()
            .and_then(|state| state.opened_connection().cloned())
        else {
            return;
        };
        match connection::dynamic_flags(&connection.api).await {
            Ok(Some(dynamic)) => connection.flags.refresh(dynamic),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the flags of the server were not refreshed"),
        }
    }
}
