//! Ctrl-C and SIGTERM: the first requests an orderly stop, the second exits at once.

use tinker_train::StopFlag;

use crate::exit;
use crate::printer::Printer;

/// Whether the user has requested a stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    flag: StopFlag,
}

impl Interrupt {
    /// Starts to listen; prints `notice` at the first signal.
    pub(crate) fn listen(printer: Printer, notice: &'static str) -> anyhow::Result<Self> {
        let flag = StopFlag::default();
        let mut signals = Signals::new()?;
        let listener = flag.clone();
        tokio::spawn(async move {
            signals.next().await;
            printer.print_line(&format!("\n{notice}"));
            listener.request();
            signals.next().await;
            stop_at_once();
        });
        Ok(Self { flag })
    }

    /// The request as the training loop takes it.
    pub(crate) fn flag(&self) -> StopFlag {
        self.flag.clone()
    }

    /// Waits until a stop is requested.
    pub(crate) async fn requested(&self) {
        self.flag.requested().await;
    }
}

#[expect(
    clippy::exit,
    reason = "the second signal ends the program without waiting for anything"
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
