//! Ctrl-C and SIGTERM: the first requests an orderly stop, the second exits at once.

use std::task::Poll;

use tinker_train::StopFlag;

use crate::exit::{self, Interrupted};
use crate::printer::{self, Printer};

/// Printed while started requests are awaited after the first signal.
const FINISHING: &str = "\nstopping after the started requests; Ctrl-C again exits at once";

/// Whether the user has requested a stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    flag: StopFlag,
}

impl Interrupt {
    /// Starts to listen; prints `notice` at the first signal.
    pub(crate) fn listen(printer: Printer, notice: &'static str) -> anyhow::Result<Self> {
        let interrupt = Self::default();
        interrupt.start(move || printer.print_line(&format!("\n{notice}")))?;
        Ok(interrupt)
    }

    /// Starts to listen, and prints nothing.
    pub(crate) fn listen_silently(&self) -> anyhow::Result<()> {
        self.start(|| ())
    }

    fn start(&self, notify: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
        let mut signals = Signals::new()?;
        let flag = self.flag.clone();
        tokio::spawn(async move {
            signals.next().await;
            notify();
            flag.request();
            signals.next().await;
            stop_at_once();
        });
        Ok(())
    }

    /// Whether a stop is requested.
    pub(crate) fn is_requested(&self) -> bool {
        self.flag.is_requested()
    }

    /// Does work that can be dropped at any point, and drops it when a stop is requested. Work that sees the request
    /// itself can still return its own result.
    pub(crate) async fn or_stop<T>(
        &self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            result = &mut work => return result,
            () = self.requested() => {}
        }
        // The request may have come just after the work looked for it.
        let look = std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context)));
        match look.await {
            Poll::Ready(result) => result,
            Poll::Pending => Err(Interrupted.into()),
        }
    }

    /// Does work that must not be dropped. Says so if a stop is requested meanwhile.
    pub(crate) async fn finish<T>(&self, printer: Printer, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            result = &mut work => return result,
            () = self.requested() => {}
        }
        printer.print_line(FINISHING);
        work.await
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

/// Runs a command that Ctrl-C may end at any point.
pub(crate) async fn stoppable(
    interrupt: &Interrupt,
    command: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    interrupt.listen_silently()?;
    Box::pin(interrupt.or_stop(command)).await
}

#[expect(
    clippy::exit,
    reason = "the second signal ends the program without waiting for anything"
)]
fn stop_at_once() -> ! {
    printer::close_bar();
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

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn work_returns_its_own_result_if_the_request_comes_while_it_runs() {
        let interrupt = Interrupt::default();
        let flag = interrupt.flag();
        let mut looked = false;
        let work = std::future::poll_fn(|_| {
            if std::mem::replace(&mut looked, true) {
                return Poll::Ready(Ok("its own"));
            }
            flag.request();
            Poll::Pending
        });
        assert_eq!(interrupt.or_stop(work).await.unwrap(), "its own");
        let endless = std::future::pending::<anyhow::Result<()>>();
        assert!(interrupt.or_stop(endless).await.is_err());
    }
}
