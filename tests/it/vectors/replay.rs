//! Replay: makes the calls of a plan against the recorded answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tinker_client::{Config, ServiceClient};

use super::call::Call;
use super::known;
use super::notes::{Note, Notes};
use super::outcome::Outcome;
use super::plan::{Plan, Step};
use super::running::{self, Clients, Running};
use super::sent::Sent;
use super::setup;
use super::stub::Stub;
use super::vector::Vector;

/// The result of a replay.
#[derive(Debug)]
pub(crate) struct Replay {
    /// The outcome of each call, in order.
    pub(crate) outcomes: Vec<(&'static str, Outcome)>,
    pub(crate) sent: Vec<Sent>,
    /// The log lines for the user.
    pub(crate) notes: Vec<Note>,
}

/// Time limit of a replay, longer than any recording.
const LIMIT: Duration = Duration::from_hours(4);
/// Time for requests that follow a call: a cancel, for example.
const SETTLE: Duration = Duration::from_millis(200);
/// Time after which a caller drops a call.
const SECOND_THOUGHTS: Duration = Duration::from_millis(500);

/// Makes each call at the time of the recording, and waits for all results.
pub(crate) async fn replay(vector: &Arc<Vector>, plan: Plan) -> Result<Replay, String> {
    let stub = Stub::new(vector)?;
    let notes = Notes::default();
    let outcomes = {
        let _listening = notes.listen();
        let calls = run(vector, plan, &stub);
        tokio::time::timeout(LIMIT, calls)
            .await
            .map_err(|_| format!("hangs; asked so far: {}", titles(&stub.sent())))??
    };
    Ok(Replay {
        outcomes,
        sent: stub.sent(),
        notes: notes.take(),
    })
}

fn titles(sent: &[Sent]) -> String {
    let last = sent.iter().rev().take(8).map(Sent::title);
    last.collect::<Vec<_>>().join(", before that ")
}

fn connect(vector: &Vector, config: Config, stub: &Stub) -> Result<ServiceClient, Outcome> {
    let leaf = stub.clone();
    let leaf = tower::service_fn(move |request| leaf.clone().answer(request));
    let client = if known::goes_to_the_hosted_service(&vector.name) {
        // Refused before a request is sent; with a leaf no key would be needed.
        ServiceClient::new(config)
    } else {
        ServiceClient::builder().config(config).leaf(leaf).build()
    };
    client.map_err(Outcome::Failed)
}

async fn run(
    vector: &Vector,
    plan: Plan,
    stub: &Stub,
) -> Result<Vec<(&'static str, Outcome)>, String> {
    let service = connect(vector, setup::config(vector)?, stub);
    let apart = connect(vector, setup::config_of_the_last(vector)?, stub);
    let (service, apart) = match (service, apart) {
        (Ok(service), Ok(apart)) => (service, apart),
        (Err(outcome), _) | (_, Err(outcome)) => return Ok(vec![("ServiceClient", outcome)]),
    };
    let mut clients = Clients {
        service,
        apart,
        models: BTreeMap::new(),
        samplers: BTreeMap::new(),
        losses: BTreeMap::new(),
    };
    let mut calls = Calls::default();
    for (index, step) in plan.steps.into_iter().enumerate() {
        calls.settle_before(&step, &mut clients).await;
        tokio::time::sleep(known::pause_before(&vector.name, index)).await;
        calls.start(step, &clients).await?;
    }
    let sketch = vector.sketch();
    if let Some(seconds) = vector.number_after("result(timeout=") {
        calls.limit(Duration::from_secs_f64(seconds)).await;
    }
    if sketch.contains(".cancel()") {
        calls.settle_makers(&mut clients).await;
        tokio::time::sleep(SECOND_THOUGHTS).await;
        calls.drop_last();
    }
    if let Some(seconds) = vector.number_after("sleep ") {
        calls.settle_all(&mut clients).await;
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }
    calls.settle_all(&mut clients).await;
    tokio::time::sleep(SETTLE).await;
    Ok(calls.into_outcomes())
}

/// Running and finished calls, in the order in which they began.
#[derive(Default)]
struct Calls(Vec<Entry>);

struct Entry {
    name: &'static str,
    makes_client: bool,
    ends: Option<f64>,
    state: State,
}

enum State {
    Running(Running),
    Done(Outcome),
}

impl Calls {
    async fn start(&mut self, step: Step, clients: &Clients) -> Result<(), String> {
        let (name, makes_client) = (step.call.name(), step.call.makes_client());
        self.0.push(Entry {
            name,
            makes_client,
            ends: step.ends,
            state: State::Running(running::start(step.call, clients).await?),
        });
        Ok(())
    }

    /// Waits for the results that the official client had before it began `step`, and for the clients it needs.
    async fn settle_before(&mut self, step: &Step, clients: &mut Clients) {
        let needs_clients = !matches!(
            step.call,
            Call::NewModel { .. } | Call::LoadModel { .. } | Call::NewSampler(_)
        );
        for entry in &mut self.0 {
            let is_over = entry.ends.is_some_and(|ends| ends < step.begins);
            if is_over || (needs_clients && entry.makes_client) {
                entry.settle(clients).await;
            }
        }
    }

    async fn settle_makers(&mut self, clients: &mut Clients) {
        for entry in self.0.iter_mut().filter(|entry| entry.makes_client) {
            entry.settle(clients).await;
        }
    }

    async fn settle_all(&mut self, clients: &mut Clients) {
        for entry in &mut self.0 {
            entry.settle(clients).await;
        }
    }

    /// Waits for the last call, at most this long.
    async fn limit(&mut self, limit: Duration) {
        let Some(entry) = self.0.last_mut() else {
            return;
        };
        if let State::Running(running) = &mut entry.state {
            let result = tokio::time::timeout(limit, running).await;
            entry.state = State::Done(result.unwrap_or(Outcome::TimedOut));
        }
    }

    fn drop_last(&mut self) {
        if let Some(entry) = self.0.last_mut() {
            entry.state = State::Done(Outcome::Dropped);
        }
    }

    fn into_outcomes(self) -> Vec<(&'static str, Outcome)> {
        let outcome = |entry: Entry| match entry.state {
            State::Done(outcome) => (entry.name, outcome),
            State::Running(_) => (entry.name, Outcome::TimedOut),
        };
        self.0.into_iter().map(outcome).collect()
    }
}

impl Entry {
    /// Waits for the result, and stores a client that it made for later calls.
    async fn settle(&mut self, clients: &mut Clients) {
        let State::Running(running) = &mut self.state else {
            return;
        };
        let outcome = running.await;
        match &outcome {
            Outcome::Model(client) => {
                let id = client.model_id().to_string();
                clients.models.insert(id, client.clone());
            }
            Outcome::Sampler(client) => {
                let id = client.sampler_id().to_string();
                clients.samplers.insert(id, client.clone());
            }
            Outcome::Loss(handle) => {
                if let Some(id) = handle.loss_id() {
                    clients.losses.insert(id.to_string(), handle.clone());
                }
            }
            _ => {}
        }
        self.state = State::Done(outcome);
    }
}
