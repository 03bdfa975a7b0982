//! Ctrl-C and SIGTERM: the first asks to stop in good order, the second stops at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::exit;
use crate::talk::Talk;

/// Tells whether the user wants to stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    asked: AtomicBool,
    notify: Notify,
}

impl Interrupt {
    /// Listens from now on; says `notice` when the user asks for the first time.
    pub(crate) fn listen(talk: Talk, notice: &'static str) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut signals = Signals::new()?;
        let listener = Arc::clone(&shared);
        tokio::spawn(async move {
            signals.next().await;
            talk.say(&format!("\n{notice}"));
            listener.asked.store(true, Ordering::Release);
            listener.notify.notify_waiters();
            signals.next().await;
            stop_at_once();
        });
        Ok(Self { shared })
    }

    /// The user has asked to stop.
    pub(crate) fn is_asked(&self) -> bool {
        self.shared.asked.load(Ordering::Acquire)
    }

    /// Waits until the user asks to stop.
    pub(crate) async fn asked(&self) {
        let mut notified = std::pin::pin!(self.shared.notify.notified());
        // Registered before the flag is read, so that a signal in between is not missed.
        notified.as_mut().enable();
        if !self.is_asked() {
            notified.await;
        }
    }
}

#[expect(
    clippy::exit,
    reason = "the user asked twice: nothing is waited for any more"
)]
fn stop_at_once() -> ! {
    std::process::exit(i32::from(exit::INTERRUPTED))
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
