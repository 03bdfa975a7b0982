//! Plan of a replay: the calls that produce a recording, in order.

use std::collections::{BTreeMap, BTreeSet};

use tinker_client::{AdamParams, Datum, Loss, OptimParams, SampleOptions, SamplingParams};
use tinker_client::{ModelInput, SamplingSource, TrainingOptions};

use super::call::{Call, Pass, Work};
use super::derivation::{Derived, derive};
use super::exchange::Exchange;
use super::known;
use super::message::Message;
use super::promised::unannounced;
use super::script::Identity;
use super::usual::MODEL;
use super::vector::Vector;

/// First sequence id of the first copy of a sampler.
const COPY: u64 = 1_000_000_000;

/// The calls that produce a recording.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The calls in the order in which they begin.
    pub(crate) steps: Vec<Step>,
    /// Features that our API lacks for it.
    pub(crate) not_yet: BTreeSet<&'static str>,
}

/// A call and its time.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) call: Call,
    /// When the official client's first request for it arrived, in seconds.
    pub(crate) begins: f64,
    /// When the official client had its result.
    pub(crate) ends: Option<f64>,
}

impl Step {
    pub(crate) fn new(call: Call) -> Self {
        Self {
            call,
            begins: 0.0,
            ends: None,
        }
    }
}

/// Derives the calls from the requests.
pub(crate) fn plan(vector: &Vector) -> Result<Plan, String> {
    let mut plan = Plan::default();
    let mut seen = BTreeSet::new();
    for (index, exchange) in vector.exchanges.iter().enumerate() {
        let asked = &exchange.request;
        let place = |error| format!("exchange {}: {error}", exchange.n);
        let message = Message::recorded(asked).map_err(place)?;
        match derive(asked, &message).map_err(place)? {
            Derived::FollowUp => {}
            Derived::NotYet(api) => {
                plan.not_yet.insert(api);
            }
            Derived::Call(call) => {
                let is_repeat = !seen.insert(Identity::recorded(asked).map_err(place)?);
                if !is_repeat && !is_sampled_anew(vector, index) {
                    plan.add(*call, exchange, vector);
                }
            }
        }
    }
    let known = known::calls(&vector.name).into_iter().map(Step::new);
    plan.steps.extend(known);
    plan.stand_in(vector);
    plan.prepare(vector)?;
    if plan.steps.is_empty() && plan.not_yet.is_empty() && !vector.exchanges.is_empty() {
        plan.steps.push(Step::new(Call::Open));
    }
    Ok(plan)
}

impl Plan {
    fn add(&mut self, mut call: Call, exchange: &Exchange, vector: &Vector) {
        let mut ends = end_of(exchange, vector);
        if let Call::Train {
            work: Work::Custom { fails, .. },
            ..
        } = &mut call
        {
            *fails = known::has_failing_loss(&vector.name);
            // It continues with a second pass, and later calls wait in the client.
            ends = None;
        }
        if let (
            Some(Step {
                call:
                    Call::Train {
                        work: Work::Pass(whole) | Work::Custom { pass: whole, .. },
                        ..
                    },
                ends: last,
                ..
            }),
            Call::Train {
                work: Work::Pass(part) | Work::Custom { pass: part, .. },
                ..
            },
        ) = (self.steps.last_mut(), &call)
            && whole.continues(part)
        {
            whole.parts.extend(part.parts.iter().cloned());
            *last = last.zip(ends).map(|(a, b)| a.max(b));
            return;
        }
        self.copy_sampler_for(&call, exchange.at);
        let place = match &call {
            Call::Sample { seq_id, .. } => self.place_of_sample(*seq_id),
            _ => self.steps.len(),
        };
        let begins = exchange.at;
        let step = Step { call, begins, ends };
        self.steps.insert(place, step);
    }

    /// Samples with sequence ids of a thousand million and more belong to a copy, which is made first.
    fn copy_sampler_for(&mut self, call: &Call, begins: f64) {
        let Call::Sample {
            sampler, seq_id, ..
        } = call
        else {
            return;
        };
        let makes_copies = |step: &Step| matches!(step.call, Call::CopySampler(_));
        if *seq_id < COPY || self.steps.iter().any(makes_copies) {
            return;
        }
        let call = Call::CopySampler(sampler.clone());
        self.steps.push(Step {
            call,
            begins,
            ends: None,
        });
    }

    /// Concurrent samples arrive in any order; the sequence id gives the order of the calls.
    fn place_of_sample(&self, seq_id: u64) -> usize {
        let is_later = |step: &Step| match &step.call {
            Call::Sample { seq_id: other, .. } => *other > seq_id,
            _ => false,
        };
        let later = self.steps.iter().rev().take_while(|step| is_later(step));
        self.steps.len() - later.count()
    }

    /// Calls of which only the polls were recorded.
    fn stand_in(&mut self, vector: &Vector) {
        for (kind, _) in unannounced(vector) {
            let model = format!("{}:train:0", "sess-0001");
            let work = match kind.as_str() {
                "Forward" | "ForwardBackward" => Work::Pass(Pass {
                    forward_only: kind == "Forward",
                    loss: Loss::cross_entropy(),
                    parts: vec![(1, vec![Datum::supervised(&[1, 2], &[3, 4])])],
                }),
                "OptimStep" => Work::Optim(OptimParams::Adam(AdamParams::default())),
                "Sample" => {
                    let call = Call::Sample {
                        sampler: "sess-0001:sample:0".to_owned(),
                        seq_id: 0,
                        prompt: ModelInput::from_tokens([1]),
                        options: SampleOptions::new(SamplingParams::default()),
                        logprobs_only: false,
                    };
                    self.steps.insert(0, Step::new(call));
                    continue;
                }
                // Models are made on demand.
                _ => continue,
            };
            self.steps.insert(0, Step::new(Call::Train { model, work }));
        }
    }

    /// Adds the creation of models and samplers that was not recorded.
    fn prepare(&mut self, vector: &Vector) -> Result<(), String> {
        let mut models = BTreeSet::new();
        let mut samplers = BTreeSet::new();
        for step in &self.steps {
            match &step.call {
                Call::Train { model, .. } => models.insert(model.clone()),
                Call::Sample { sampler, .. } => samplers.insert(sampler.clone()),
                _ => false,
            };
        }
        for exchange in &vector.exchanges {
            if exchange.request.route() == ["get_info"] {
                let message = Message::recorded(&exchange.request)?;
                models.extend(message.text("model_id").map(str::to_owned));
            }
        }
        let makes = |wanted: fn(&Call) -> bool| self.steps.iter().any(|step| wanted(&step.call));
        let makes_models =
            makes(|call| matches!(call, Call::NewModel { .. } | Call::LoadModel { .. }));
        let makes_samplers = makes(|call| matches!(call, Call::NewSampler(_)));
        let new_model = || Call::NewModel {
            base: MODEL.to_owned(),
            options: TrainingOptions::default(),
        };
        let new_sampler = || Call::NewSampler(SamplingSource::BaseModel(MODEL.to_owned()));
        let models = models.iter().filter(|_| !makes_models).map(|_| new_model());
        let samplers = samplers
            .iter()
            .filter(|_| !makes_samplers)
            .map(|_| new_sampler());
        let first: Vec<Step> = models.chain(samplers).map(Step::new).collect();
        self.steps.splice(0..0, first);
        Ok(())
    }
}

/// The time of the last answer about the operation that `exchange` submits.
fn end_of(exchange: &Exchange, vector: &Vector) -> Option<f64> {
    let body = exchange.response.as_ref()?.body.json();
    let Some(id) = body.and_then(|body| body["request_id"].as_str()) else {
        return Some(exchange.answered_at());
    };
    let polls = vector.exchanges.iter().filter(|poll| {
        let body = poll.request.body.json();
        body.is_some_and(|body| body["request_id"] == id)
    });
    polls.map(Exchange::answered_at).reduce(f64::max)
}

/// A sample whose promise expired is submitted again, which is not a separate call.
fn is_sampled_anew(vector: &Vector, index: usize) -> bool {
    let is_sample = |exchange: &Exchange| exchange.request.route() == ["asample"];
    let statuses: BTreeMap<usize, u16> = vector.exchanges[..index]
        .iter()
        .enumerate()
        .filter(|(_, exchange)| exchange.request.route() == ["retrieve_future"])
        .map(|(at, exchange)| (at, exchange.status()))
        .collect();
    let last = statuses.last_key_value().map(|(_, status)| *status);
    is_sample(&vector.exchanges[index]) && last == Some(410)
}
