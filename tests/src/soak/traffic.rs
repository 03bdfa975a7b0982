//! Samples and steps at a steady rate, each with a time limit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tinker_client::{
    AdamParams, Datum, Error, Loss, ModelInput, Pending, SamplingClient, SamplingParams,
    TrainingClient,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::ledger::Ledger;

const STEPS_BETWEEN_SAVES: usize = 3;
/// Time between two looks at a pause.
const REST: Duration = Duration::from_millis(5);

/// Times of the calls.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Stated end of each call.
    pub call: Duration,
    /// Time between the starts of two samples.
    pub between_samples: Duration,
    /// Time between two steps.
    pub between_steps: Duration,
}

/// The calls of one client.
#[derive(Debug)]
pub struct Traffic {
    /// Calls and executions.
    pub ledger: Ledger,
    limits: Limits,
    is_over: AtomicBool,
    is_paused: AtomicBool,
    in_flight: AtomicUsize,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    longest: Duration,
    /// Number and first text of the errors of each kind.
    errors: BTreeMap<&'static str, (usize, String)>,
    /// Errors that are not as they should be.
    wrong: Vec<String>,
}

impl Traffic {
    /// Before the first call.
    pub fn new(ledger: Ledger, limits: Limits) -> Self {
        Self {
            ledger,
            limits,
            is_over: AtomicBool::new(false),
            is_paused: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            seen: Mutex::default(),
        }
    }

    /// Starts no further calls. [`draw`](Self::draw) and [`train`](Self::train) return when those in flight have ended.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// Starts no further calls until [`resume`](Self::resume), and waits for those in flight.
    pub async fn pause(&self) {
        self.is_paused.store(true, Ordering::SeqCst);
        while self.in_flight.load(Ordering::SeqCst) > 0 {
            sleep(REST).await;
        }
    }

    /// Starts calls again.
    pub fn resume(&self) {
        self.is_paused.store(false, Ordering::SeqCst);
    }

    async fn unpaused(&self) {
        while self.is_paused.load(Ordering::SeqCst) && self.goes_on() {
            sleep(REST).await;
        }
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::SeqCst)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that the longest call took.
    pub fn longest(&self) -> Duration {
        self.seen().longest
    }

    /// Number and first text of the errors of each kind.
    pub fn errors(&self) -> BTreeMap<&'static str, (usize, String)> {
        self.seen().errors.clone()
    }

    /// Errors that are the caller's fault, or do not tell how to go on.
    pub fn wrong(&self) -> Vec<String> {
        self.seen().wrong.clone()
    }

    async fn wait<T>(&self, pending: Pending<T>) -> Result<T, Error> {
        let began = Instant::now();
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let result = pending.within(self.limits.call).await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        let mut seen = self.seen();
        seen.longest = seen.longest.max(began.elapsed());
        if let Err(error) = &result {
            let text = error.to_string();
            let (kind, advice) = kind_and_advice(error);
            let is_told = advice.iter().any(|advice| text.contains(advice));
            if error.is_user_error() || !is_told {
                seen.wrong.push(text.clone());
            }
            seen.errors.entry(kind).or_insert_with(|| (0, text)).0 += 1;
        }
        result
    }

    /// Draws samples, whatever happens to the earlier ones.
    pub async fn draw(self: Arc<Self>, sampler: SamplingClient) {
        let mut samples = JoinSet::new();
        while self.goes_on()
            && let Some(number) = self.ledger.start_sample()
        {
            let (traffic, sampler) = (Arc::clone(&self), sampler.clone());
            samples.spawn(async move {
                let params = SamplingParams::default()
                    .with_max_tokens(4)
                    .with_seed(number as u64);
                let sample = sampler.sample(ModelInput::from_tokens(vec![97]), params);
                if traffic.wait(sample).await.is_ok() {
                    traffic.ledger.acknowledge_sample(number);
                }
            });
            while samples.try_join_next().is_some() {}
            sleep(self.limits.between_samples).await;
            self.unpaused().await;
        }
        samples.join_all().await;
    }

    /// Trains, saves now and then, and goes on from the last checkpoint when the session is lost.
    pub async fn train(self: Arc<Self>, mut training: TrainingClient) {
        let mut saved = 0;
        while self.goes_on()
            && let Some(number) = self.ledger.start_step()
        {
            let adam = AdamParams::new(Ledger::rate(number));
            let step = training.train_step(datums(), Loss::cross_entropy(), adam);
            let mut done = self.wait(step).await.map(drop);
            if done.is_ok() {
                self.ledger.acknowledge_step(number);
                if number.is_multiple_of(STEPS_BETWEEN_SAVES) {
                    saved += 1;
                    let save = training.save_state(format!("s{saved}"));
                    done = self.wait(save).await.map(drop);
                }
            }
            let mut is_lost = matches!(done, Err(Error::SessionLost(_)));
            while is_lost && self.goes_on() {
                // The server may be killed again meanwhile.
                let renewed = self.wait(training.renew()).await;
                is_lost = renewed.map(|renewed| training = renewed).is_err();
            }
            sleep(self.limits.between_steps).await;
            self.unpaused().await;
        }
    }
}

/// The kind of an error, and the phrases of which its text must contain one: what a person does next.
fn kind_and_advice(error: &Error) -> (&'static str, &'static [&'static str]) {
    match error {
        Error::SessionLost(_) => (
            "lost session",
            &["TrainingClient::renew", "call again, which opens"],
        ),
        Error::Gone(_) => ("lost promise", &["saved checkpoints can be loaded again"]),
        Error::TimedOut(_) => ("time limit", &["it was waiting for: "]),
        _ => ("unexpected", &[]),
    }
}

/// Pairs that the base model does not answer correctly.
fn datums() -> Arc<[Datum]> {
    let tokens = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
    let pairs = [("sky ->", " blue"), ("grass ->", " green")];
    pairs
        .into_iter()
        .map(|(prompt, answer)| Datum::supervised(&tokens(prompt), &tokens(answer)))
        .collect()
}
