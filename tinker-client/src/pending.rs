//! `Pending`: an operation that is already under way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::error::{Closed, Error};
use crate::waiting::{Board, Waiting};

/// An operation that is already under way. Await it for its result.
///
/// - It runs by itself: several started one after the other are all under way, and what was called
///   first reaches the server first. Awaiting only fetches the result, in any order.
/// - Dropping the `Pending` of a **sample** cancels it, on the server too where that is possible.
/// - Dropping the `Pending` of **anything else** lets it finish; its result, or its error, is lost.
/// - [`waiting`](Self::waiting) says why it is not done yet, from the first moment.
///
/// There is no time limit. `tokio::time::timeout` round the `Pending` ends the wait; give it
/// `&mut pending` to go on waiting later.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tinker_client::{AdamParams, Datum, LoraConfig, Loss};
/// # let engine = tinker_local::LocalEngine::builtin()?;
/// # let service = tinker_client::ServiceClient::builder().leaf(engine.service()).build()?;
///
/// let client = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(8)).await?;
/// let data = vec![Datum::supervised(&[104, 105], &[33, 256])];
///
/// let gradients = client.forward_backward(data, Loss::cross_entropy());
/// let step = client.optim_step(AdamParams::new(1e-3)); // on its way before the first is done
/// assert!(gradients.await?.loss_sum().is_some_and(|loss| loss > 0.0));
/// step.await?;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// Polling it again after it gave its result panics.
#[must_use = "the operation runs, but its result and its errors are lost; await it"]
pub struct Pending<T> {
    state: State<T>,
}

enum State<T> {
    /// Refused before anything was sent.
    Refused(Option<Error>),
    Running {
        task: JoinHandle<Result<T, Error>>,
        board: Board,
        cancels: bool,
    },
}

impl<T: Send + 'static> Pending<T> {
    /// Starts an operation that goes on when this is dropped.
    pub(crate) fn detached(
        board: Board,
        operation: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Self {
        Self::start(board, operation, false)
    }

    /// Starts an operation that ends when this is dropped.
    pub(crate) fn cancelling(
        board: Board,
        operation: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Self {
        Self::start(board, operation, true)
    }

    fn start(
        board: Board,
        operation: impl Future<Output = Result<T, Error>> + Send + 'static,
        cancels: bool,
    ) -> Self {
        let task = tokio::spawn(operation.in_current_span());
        Self {
            state: State::Running {
                task,
                board,
                cancels,
            },
        }
    }
}

impl<T> Pending<T> {
    /// An operation that was refused before anything was sent.
    pub(crate) fn refused(error: impl Into<Error>) -> Self {
        Self {
            state: State::Refused(Some(error.into())),
        }
    }

    /// Why it is not done yet; `None` once it is.
    pub fn waiting(&self) -> Option<Waiting> {
        match &self.state {
            State::Running { task, board, .. } if !task.is_finished() => Some(board.get()),
            _ => None,
        }
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Refused(error) => {
                let error = error
                    .take()
                    .expect("a Pending is not polled after its result");
                Poll::Ready(Err(error))
            }
            State::Running { task, .. } => {
                Poll::Ready(match ready!(Pin::new(task).poll(context)) {
                    Ok(result) => result,
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_) => Err(Closed::with_runtime().into()),
                    },
                })
            }
        }
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let State::Running {
            task,
            cancels: true,
            ..
        } = &self.state
        {
            task.abort();
        }
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waiting::WaitingFor;
    use std::time::Duration;
    use tokio::sync::oneshot;

    fn board() -> Board {
        Board::new(WaitingFor::Turn)
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_cancels_a_sample_and_nothing_else() {
        let slow = |done: oneshot::Sender<()>| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = done.send(());
            Ok(())
        };
        let (sender, sampled) = oneshot::channel();
        drop(Pending::cancelling(board(), slow(sender)));
        assert!(sampled.await.is_err());
        let (sender, trained) = oneshot::channel();
        drop(Pending::detached(board(), slow(sender)));
        assert!(trained.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_limit_on_a_reference_leaves_it_running() {
        let mut pending = Pending::cancelling(board(), async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok(7)
        });
        assert_eq!(pending.waiting().unwrap().reason, WaitingFor::Turn);
        assert!(
            tokio::time::timeout(Duration::from_secs(1), &mut pending)
                .await
                .is_err()
        );
        assert_eq!(pending.await.unwrap(), 7);
    }

    #[test]
    fn a_pending_is_small() {
        assert!(
            size_of::<Pending<()>>() <= 64,
            "{}",
            size_of::<Pending<()>>()
        );
    }
}
