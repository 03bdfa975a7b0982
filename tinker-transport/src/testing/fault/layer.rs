//! Fault injection layer.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::body::{Cut, Slow};
use super::kind::{Fault, Injected};
use super::plan::Plan;
use crate::body::Body;
use crate::error::{Kind, Stage, TransportError};
use crate::layer::{Around, tower_layer};
use crate::mutex::lock;
use crate::request::call::Call;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// Longest time a response waits to be overtaken.
const LONGEST_HOLD: Duration = Duration::from_secs(1);

/// Injects faults, from a list or at random.
///
/// As an attempt layer it stands where the network would fail. The same seed injects the same faults into the same
/// requests.
///
/// ```
/// use tinker_transport::testing::{Fault, FaultLayer, Script};
/// use tinker_transport::{Body, Call, Class, Replay, TransportBuilder, TransportConfig};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The server does the work twice, because the first answer is lost.
/// let script = Script::new().answer(200, "first").answer(200, "second");
/// let transport = TransportBuilder::from_config(TransportConfig::new("http://engine"))
///     .attempt_layer(FaultLayer::script([Some(Fault::LoseAnswer)]))
///     .leaf(script.clone())
///     .build()?;
///
/// let call = Call::new("optim_step", Class::Train).with_replay(Replay::Safe);
/// let request = http::Request::post("/a").extension(call).body(Body::empty())?;
/// assert_eq!(transport.call(request).await?.into_body().collect(100).await?, "second");
/// assert_eq!(script.requests().len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FaultLayer {
    plan: Plan,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    progress: Mutex<Progress>,
    passed: Notify,
}

#[derive(Default)]
struct Progress {
    requests: usize,
    injected: Vec<Injected>,
    /// The episode in progress, and its end.
    episode: Option<(Fault, Instant)>,
}

impl FaultLayer {
    /// One entry for each request in turn; `None` and all requests beyond the list succeed.
    pub fn script(faults: impl IntoIterator<Item = Option<Fault>>) -> Self {
        Self::new(Plan::script(faults.into_iter().collect()))
    }

    /// At random, repeatable with the same seed. Add faults with [`with`](Self::with).
    pub fn seeded(seed: u64) -> Self {
        Self::new(Plan::seeded(seed))
    }

    fn new(plan: Plan) -> Self {
        Self {
            plan,
            shared: Arc::default(),
        }
    }

    /// Injects this fault into this share (0 to 1) of requests. The shares of all faults should add up to at most 1. No
    /// effect on a list.
    #[must_use]
    pub fn with(mut self, fault: Fault, share: f64) -> Self {
        self.plan.add(fault, share);
        self
    }

    /// Applies only to requests for which `concerns` returns true; others pass and are not counted. The [`Call`] in the
    /// extensions usually suffices: [`Call::of`].
    #[must_use]
    pub fn only(
        mut self,
        concerns: impl Fn(&Request<Body>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.plan.only(Arc::new(concerns));
        self
    }

    /// Number of requests so far, faulty or not, to which the plan applies.
    pub fn requests(&self) -> usize {
        self.progress(|progress| progress.requests)
    }

    /// Faults injected so far, in order.
    pub fn injected(&self) -> Vec<Injected> {
        self.progress(|progress| progress.injected.clone())
    }

    fn progress<T>(&self, work: impl FnOnce(&mut Progress) -> T) -> T {
        work(&mut lock(&self.shared.progress))
    }

    fn next(&self, request: &Request<Body>) -> Option<Fault> {
        if !self.plan.concerns(request) {
            return None;
        }
        let operation = Call::of(request).operation;
        self.progress(|progress| {
            let number = progress.requests;
            progress.requests += 1;
            let fault = progress
                .episode()
                .or_else(|| Some(progress.begin(self.plan.fault(number)?)))?;
            progress.injected.push(Injected {
                request: number,
                operation,
                fault,
            });
            Some(fault)
        })
    }

    async fn inject(&self, fault: Fault, answer: impl Future<Output = Answer> + Send) -> Answer {
        match fault {
            Fault::Status(status) | Fault::Episode { status, .. } => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = status;
                Ok(response)
            }
            Fault::Delay(time) => {
                tokio::time::sleep(time).await;
                answer.await
            }
            Fault::ResetBefore => Err(broken(Stage::NotSent, "before the request left")),
            Fault::ResetAfter => Err(broken(Stage::MaybeReceived, "after the request left")),
            Fault::LoseAnswer => {
                answer.await?;
                Err(broken(Stage::MaybeReceived, "and the answer was lost"))
            }
            Fault::SlowBody { piece, pause } => {
                let slow = |body| Body::new(Slow::new(body, piece, pause));
                answer.await.map(|response| response.map(slow))
            }
            Fault::CutBody => {
                let cut = |body| Body::new(Cut::new(body));
                answer.await.map(|response| response.map(cut))
            }
            Fault::Overtaken => {
                let result = answer.await;
                let passed = self.shared.passed.notified();
                // If no other response passes, it is late enough.
                let _ = tokio::time::timeout(LONGEST_HOLD, passed).await;
                result
            }
        }
    }
}

tower_layer!(FaultLayer makes Faulty);

impl Around for FaultLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let fault = self.next(request);
        let answer = inner.run(request);
        let result = match fault {
            Some(fault) => self.inject(fault, answer).await,
            None => answer.await,
        };
        self.shared.passed.notify_waiters();
        result
    }
}

impl Progress {
    /// The episode, if it is not over.
    fn episode(&self) -> Option<Fault> {
        let (fault, end) = self.episode?;
        (Instant::now() < end).then_some(fault)
    }

    /// Starts a fault that was drawn.
    fn begin(&mut self, fault: Fault) -> Fault {
        if let Fault::Episode { lasts, .. } = fault {
            self.episode = Some((fault, Instant::now() + lasts));
        }
        fault
    }
}

fn broken(stage: Stage, when: &str) -> TransportError {
    let what = format!("the connection was reset {when} (an injected fault)");
    TransportError::new(Kind::Interrupted, stage, what)
}

impl fmt::Debug for FaultLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultLayer")
            .field("injected", &self.injected())
            .finish_non_exhaustive()
    }
}
