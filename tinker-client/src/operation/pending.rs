//! `Pending`: the handle of an operation in flight.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use futures_util::future::{Either, select};
use futures_util::stream::unfold;
use tokio::task::JoinHandle;
use tokio::time::Sleep;
use tracing::Instrument;

use crate::error::{Closed, Error, TimedOut};
use crate::observe::reach::Reach;
use crate::operation::{progress::Progress, tracker::Tracker, waiting::Waiting};

/// The handle of an operation that is already in flight. Await it for the result.
///
/// - The operation runs in a task of its own. Several can be in flight; the one that was called first reaches the
///   server first. Awaiting fetches the result, in any order.
/// - Dropping the `Pending` of a **sample** cancels the sample, on the server too where the server supports it.
/// - Dropping any **other** `Pending` lets the operation finish; its result or error is discarded.
/// - [`waiting`](Self::waiting) returns the reason for which the operation waits; [`updates`](Self::updates) is a
///   stream of these reasons.
/// - [`within`](Self::within) sets a time limit. The default is none.
///
/// `tokio::time::timeout` around `&mut pending` ends one wait; the `Pending` can be awaited again.
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
/// let step = client.optim_step(AdamParams::new(1e-3)); // sent before the first one is done
/// assert!(gradients.await?.loss_sum().is_some_and(|loss| loss > 0.0));
/// step.await?;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// Polling after the result was returned.
#[must_use = "the operation runs, but its result and its errors are discarded; await it"]
pub struct Pending<T> {
    state: State<T>,
}

enum State<T> {
    /// Refused before anything was sent.
    Refused(Option<Error>),
    Running {
        task: JoinHandle<Result<T, Error>>,
        progress: Arc<Progress>,
        reach: Reach,
        cancels: bool,
        limit: Option<Limit>,
    },
}

impl<T: Send + 'static> Pending<T> {
    /// Starts an operation that continues when the `Pending` is dropped.
    pub(crate) fn detached(
        tracker: Tracker,
        operation: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Self {
        Self::start(tracker, operation, false)
    }

    /// Starts an operation that is cancelled when the `Pending` is dropped.
    pub(crate) fn cancelling(
        tracker: Tracker,
        operation: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Self {
        Self::start(tracker, operation, true)
    }

    fn start(
        tracker: Tracker,
        operation: impl Future<Output = Result<T, Error>> + Send + 'static,
        cancels: bool,
    ) -> Self {
        let progress = Arc::clone(tracker.progress());
        let reach = tracker.events().reach().clone();
        // Boxed once: a future of 7 KB would be copied ten times on its way into the task.
        let task = tracker.run(Box::pin(operation));
        Self {
            state: State::Running {
                task: tokio::spawn(task.in_current_span()),
                progress,
                reach,
                cancels,
                limit: None,
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

    /// The reason for which the operation waits; `None` once it has ended.
    pub fn waiting(&self) -> Option<Waiting> {
        match &self.state {
            State::Running {
                task,
                progress,
                reach,
                ..
            } if !task.is_finished() => Some(reach.over(progress.get())),
            _ => None,
        }
    }

    /// The reasons for which the operation waits, as a stream: first the current reason, then each new one. The
    /// stream ends with the operation and is empty for an operation that has ended.
    ///
    /// A slow reader misses reasons that were replaced in the meantime and always receives the latest one. The
    /// stream is independent of the `Pending`: either can be dropped.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use futures_util::StreamExt;
    /// # let engine = tinker_local::LocalEngine::builtin()?;
    /// # let service = tinker_client::ServiceClient::builder().leaf(engine.service()).build()?;
    /// let pending = service.create_sampling_client("tinker-local/tiny");
    /// let mut updates = Box::pin(pending.updates());
    /// tokio::spawn(async move {
    ///     while let Some(waiting) = updates.next().await {
    ///         println!("{waiting}"); // "opening the session", "on the way to the server" ...
    ///     }
    /// });
    /// pending.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn updates(&self) -> impl Stream<Item = Waiting> + Send + 'static + use<T> {
        let state = match &self.state {
            State::Running {
                progress, reach, ..
            } => {
                let mut waiting = progress.subscribe();
                waiting.mark_changed();
                Some((waiting, reach.subscribe(), None))
            }
            State::Refused(_) => None,
        };
        unfold(state, |state| async move {
            let (mut waiting, mut outage, last) = state?;
            loop {
                // An error means that the sender is gone: the operation has ended.
                match select(pin!(waiting.changed()), pin!(outage.changed())).await {
                    Either::Left((changed, _)) => changed.ok()?,
                    Either::Right(_) => {}
                }
                let reason = waiting.borrow_and_update().clone();
                let reason = outage.borrow_and_update().clone().unwrap_or(reason);
                if last.as_ref() != Some(&reason) {
                    return Some((reason.clone(), Some((waiting, outage, Some(reason)))));
                }
            }
        })
    }

    /// Sets a time limit, counted from this call. When it expires the result is [`Error::TimedOut`], which holds the
    /// reason for which the operation was waiting. A sample is cancelled; any other operation continues.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tinker_client::{ModelInput, SamplingParams};
    /// use std::time::Duration;
    /// # let engine = tinker_local::LocalEngine::builtin()?;
    /// # let service = tinker_client::ServiceClient::builder().leaf(engine.service()).build()?;
    /// # let client = service.create_sampling_client("tinker-local/tiny").await?;
    /// let params = SamplingParams::default().with_max_tokens(4);
    /// let sample = client.sample(ModelInput::from_tokens([72, 105]), params);
    /// let response = sample.within(Duration::from_secs(60)).await?;
    /// # assert_eq!(response.sequences.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn within(mut self, time: Duration) -> Self {
        if let State::Running { limit, .. } = &mut self.state {
            *limit = Some(Limit {
                time,
                sleep: Box::pin(tokio::time::sleep(time)),
            });
        }
        self
    }
}

/// A running time limit.
struct Limit {
    time: Duration,
    sleep: Pin<Box<Sleep>>,
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
            State::Running {
                task,
                progress,
                reach,
                cancels,
                limit,
            } => {
                if let Poll::Ready(result) = Pin::new(&mut *task).poll(context) {
                    return Poll::Ready(match result {
                        Ok(result) => result,
                        Err(error) => match error.try_into_panic() {
                            Ok(panic) => std::panic::resume_unwind(panic),
                            Err(_) => Err(Closed::with_runtime().into()),
                        },
                    });
                }
                let Some(limit) = limit else {
                    return Poll::Pending;
                };
                std::task::ready!(limit.sleep.as_mut().poll(context));
                if *cancels {
                    task.abort();
                }
                let waiting = reach.over(progress.get());
                let error = TimedOut::new(progress.method(), limit.time, waiting, !*cancels);
                Poll::Ready(Err(error.into()))
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
    use crate::operation::waiting::WaitingFor;
    use futures_util::StreamExt;
    use tokio::sync::oneshot;

    fn tracker() -> Tracker {
        Tracker::new("Class.method", &crate::fixture::group(), WaitingFor::Turn)
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_cancels_a_sample_and_nothing_else() {
        let slow = |done: oneshot::Sender<()>| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = done.send(());
            Ok(())
        };
        let (sender, sampled) = oneshot::channel();
        drop(Pending::cancelling(tracker(), slow(sender)));
        assert!(sampled.await.is_err());
        let (sender, trained) = oneshot::channel();
        drop(Pending::detached(tracker(), slow(sender)));
        assert!(trained.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_limit_on_a_reference_leaves_it_running() {
        let mut pending = Pending::cancelling(tracker(), async {
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

    #[tokio::test(start_paused = true)]
    async fn a_time_limit_says_what_was_waited_for_and_cancels_a_sample_only() {
        for cancels in [true, false] {
            let tracker = tracker();
            let (sender, done) = oneshot::channel();
            let pending = Pending::start(
                tracker.clone(),
                async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    tracker.set(lost());
                    tokio::time::sleep(Duration::from_secs(9)).await;
                    let _ = sender.send(());
                    Ok(7)
                },
                cancels,
            );
            let Err(Error::TimedOut(error)) = pending.within(Duration::from_secs(5)).await else {
                panic!("it was in time");
            };
            assert_eq!(error.waiting().reason, lost());
            assert_eq!(error.waiting().elapsed(), Duration::from_secs(4));
            assert_eq!(
                (error.method(), error.continues()),
                ("Class.method", !cancels)
            );
            assert_eq!(done.await.is_ok(), !cancels);
        }
        let quick = Pending::cancelling(tracker(), async { Ok(7) });
        assert_eq!(quick.within(Duration::from_secs(5)).await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn updates_begin_with_now_and_end_with_the_operation() {
        let tracker = tracker();
        let pending = Pending::cancelling(tracker.clone(), async move {
            for reason in [WaitingFor::Acceptance, lost()] {
                tokio::time::sleep(Duration::from_secs(1)).await;
                tracker.set(reason);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(())
        });
        let updates: Vec<Waiting> = pending.updates().collect().await;
        let reasons: Vec<_> = updates.into_iter().map(|waiting| waiting.reason).collect();
        let expected = [WaitingFor::Turn, WaitingFor::Acceptance, lost()];
        assert_eq!(reasons, expected);
        pending.await.unwrap();
        let refused = Pending::<()>::refused(Closed::by_caller());
        assert_eq!(refused.updates().count().await, 0);
    }

    fn lost() -> WaitingFor {
        WaitingFor::Payload { bytes: 1 }
    }

    #[test]
    fn a_pending_is_small() {
        assert!(
            size_of::<Pending<()>>() <= 96,
            "{}",
            size_of::<Pending<()>>()
        );
    }
}
