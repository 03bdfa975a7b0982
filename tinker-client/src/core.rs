//! What all clients of one service share.

use std::future::Future;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tinker_transport::{Call, Class, Observers, Replay};
use tinker_types::{CreateSession, Endpoint, SessionCreated, SessionId};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::custom::Losses;
use crate::error::{Closed, Error};
use crate::heartbeat;
use crate::identity::PROTOCOL_VERSION;
use crate::link::{self, Link, Source};
use crate::news::News;
use crate::observe::ClientObservers;
use crate::telemetry::Telemetry;

/// Session, flags and counters behind every client of one service. Nothing is sent before the
/// first use.
#[derive(Debug)]
pub(crate) struct Core {
    config: Config,
    source: Source,
    news: News,
    link: OnceCell<Arc<Link>>,
    session: OnceCell<SessionId>,
    models: AtomicU64,
    samplers: AtomicU64,
    /// Losses of the session's own.
    pub(crate) losses: Losses,
    phase: AtomicU8,
    /// The server was told that the session is over.
    pub(crate) farewell: OnceCell<()>,
    /// Background tasks. They hold no more than a `Weak` to this, and end with it.
    tasks: Mutex<JoinSet<()>>,
}

const OPEN: u8 = 0;
const CLOSED_BY_CALLER: u8 = 1;
const ENDED_BY_SERVER: u8 = 2;

impl Core {
    pub(crate) fn new(config: Config, source: Source, observers: Observers) -> Arc<Self> {
        let telemetry = config.telemetry.then(Telemetry::new);
        Arc::new(Self {
            news: News::new(
                ClientObservers::new(observers),
                telemetry,
                config.stuck_after,
            ),
            config,
            source,
            link: OnceCell::new(),
            session: OnceCell::new(),
            models: AtomicU64::new(0),
            samplers: AtomicU64::new(0),
            losses: Losses::default(),
            phase: AtomicU8::new(OPEN),
            farewell: OnceCell::new(),
            tasks: Mutex::new(JoinSet::new()),
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Those who are told what happens.
    pub(crate) fn news(&self) -> &News {
        &self.news
    }

    /// The server's flags and a way to it, asked for once.
    pub(crate) async fn link(&self) -> Result<&Arc<Link>, Error> {
        let open = || async {
            let link = Link::open(&self.config, &self.source, self.news.telemetry());
            link.await.map(Arc::new)
        };
        Box::pin(self.link.get_or_try_init(open)).await
    }

    /// The link, if it has been opened.
    pub(crate) fn opened_link(&self) -> Option<&Arc<Link>> {
        self.link.get()
    }

    /// The session, opened once.
    pub(crate) async fn session(self: &Arc<Self>) -> Result<(&SessionId, &Arc<Link>), Error> {
        self.check_open()?;
        let link = self.link().await?;
        let open = || self.open_session(link);
        let session = Box::pin(self.session.get_or_try_init(open)).await?;
        Ok((session, link))
    }

    /// The session, if it has been opened.
    pub(crate) fn opened_session(&self) -> Option<&SessionId> {
        self.session.get()
    }

    async fn open_session(self: &Arc<Self>, link: &Arc<Link>) -> Result<SessionId, Error> {
        let mut request = CreateSession::new(PROTOCOL_VERSION);
        request.tags.clone_from(&self.config.tags);
        request.user_metadata.clone_from(&self.config.user_metadata);
        request.project_id.clone_from(&self.config.project_id);
        request.display_name.clone_from(&self.config.display_name);
        let call = Call::new(CreateSession::NAME, Class::Session).with_replay(Replay::Safe);
        let created = link.api.call(&request, call).await?;
        pass_on(&created);
        let session = created.session_id;
        if let Some(telemetry) = self.news.telemetry() {
            telemetry.session_started(&session);
        }
        let (core, heart) = (
            Arc::downgrade(self),
            heartbeat::keep_alive(link.api.clone(), session.clone()),
        );
        self.spawn(async move {
            heart.await;
            if let Some(core) = core.upgrade() {
                core.end();
            }
        });
        self.spawn(refresh(Arc::downgrade(self)));
        Ok(session)
    }

    /// Position of the next model among the session's.
    pub(crate) fn next_model(&self) -> u64 {
        self.models.fetch_add(1, Ordering::Relaxed)
    }

    /// Position of the next sampler among the session's.
    pub(crate) fn next_sampler(&self) -> u64 {
        self.samplers.fetch_add(1, Ordering::Relaxed)
    }

    /// Refuses further work once the session is over.
    pub(crate) fn check_open(&self) -> Result<(), Closed> {
        match self.phase.load(Ordering::Acquire) {
            CLOSED_BY_CALLER => Err(Closed::by_caller()),
            ENDED_BY_SERVER => Err(Closed::by_server()),
            _ => Ok(()),
        }
    }

    /// The caller ends the session. False: the server had ended it.
    pub(crate) fn close(&self) -> bool {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
        self.leave(CLOSED_BY_CALLER);
        self.phase.load(Ordering::Acquire) == CLOSED_BY_CALLER
    }

    /// The server has ended the session.
    pub(crate) fn end(&self) {
        self.leave(ENDED_BY_SERVER);
    }

    /// Goes from open to over, and never on from there.
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

/// Shows the user what the server has to say about the session.
fn pass_on(created: &SessionCreated) {
    let said = |note: &Option<String>| note.clone().filter(|note| !note.is_empty());
    if let Some(note) = said(&created.info_message) {
        tracing::info!("the server says: {note}");
    }
    if let Some(note) = said(&created.warning_message) {
        tracing::warn!("the server warns: {note}");
    }
    if let Some(note) = said(&created.error_message) {
        tracing::error!("the server reports: {note}");
    }
}

/// Asks for the flags that may change, from time to time. A failure keeps the last ones.
async fn refresh(core: Weak<Core>) {
    loop {
        let link = core.upgrade().and_then(|core| core.opened_link().cloned());
        let Some(interval) = link.as_ref().and_then(|link| link.flags.refresh_interval()) else {
            return;
        };
        drop(link);
        tokio::time::sleep(interval).await;
        let Some(link) = core.upgrade().and_then(|core| core.opened_link().cloned()) else {
            return;
        };
        match link::dynamic_flags(&link.api).await {
            Ok(Some(dynamic)) => link.flags.refresh(dynamic),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the server's flags were not refreshed"),
        }
    }
}
