//! Paused clock that is held while the engine works.
//!
//! Tokio moves a paused clock to the next timer whenever its runtime has nothing to do. An engine
//! works on separate threads, so a client that waits for it would see the clock jump and its polls
//! time out. Here the engine runs on another runtime, and the clock is held until it has answered:
//! back-off, cool-downs and pauses take no real time, the work takes as long as it takes.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::{Request, Response};
use tinker_client::transport::Body;
use tinker_local::{LocalBody, LocalService};
use tokio::runtime::{Builder, Handle};
use tower::Service;

/// An engine in this process, behind any service.
pub(crate) trait Leaf:
    Service<
        Request<Body>,
        Response = Response<LocalBody>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Leaf for S where
    S: Service<
            Request<Body>,
            Response = Response<LocalBody>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// Runs a future on a paused clock, with the handle of a second runtime for engines.
pub(crate) fn on_a_halted_clock<T, F>(work: impl FnOnce(Handle) -> F) -> Result<T, Box<dyn Error>>
where
    F: Future<Output = Result<T, Box<dyn Error>>>,
{
    let threads = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let paused = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()?;
    paused.block_on(work(threads.handle().clone()))
}

/// An engine that holds the clock while it works.
#[derive(Clone)]
pub(crate) struct Halted {
    engine: LocalService,
    threads: Handle,
    hold: Arc<Hold>,
}

impl Halted {
    /// Calls `engine` on the runtime of this handle.
    pub(crate) fn new(engine: LocalService, threads: Handle) -> Self {
        Self {
            engine,
            threads,
            hold: Arc::default(),
        }
    }
}

impl Service<Request<Body>> for Halted {
    type Response = Response<LocalBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let held = Held::new(&self.hold);
        let answer = AbortOnDrop(self.threads.spawn(self.engine.call(request)));
        Box::pin(async move {
            let _held = held;
            answer.await
        })
    }
}

/// Number of unanswered requests.
#[derive(Default)]
struct Hold {
    count: Mutex<usize>,
    is_free: Condvar,
}

/// An unanswered request; the clock is held until it is dropped.
struct Held(Arc<Hold>);

impl Held {
    fn new(hold: &Arc<Hold>) -> Self {
        let mut count = hold.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        if *count == 1 {
            let hold = Arc::clone(hold);
            // Tokio does not advance a paused clock while a blocking thread is busy.
            tokio::task::spawn_blocking(move || {
                let count = hold.count.lock().unwrap_or_else(PoisonError::into_inner);
                drop(hold.is_free.wait_while(count, |count| *count > 0));
            });
        }
        Self(Arc::clone(hold))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut count = self.0.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count -= 1;
        if *count == 0 {
            self.0.is_free.notify_all();
        }
    }
}

/// A task that is aborted when its handle is dropped.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|result| result.expect("the engine does not panic"))
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
