//! Faults of a run and their frequencies.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Request, StatusCode};
use tinker_client::transport::testing::{Fault, FaultLayer};
use tinker_client::transport::{Billing, Body, Call};

/// Faults of every request: 28 of 100.
const EVERYWHERE: [(Fault, f64); 12] = [
    (status(408), 0.02),
    (status(409), 0.02),
    (status(425), 0.02),
    (status(500), 0.02),
    (status(502), 0.02),
    (status(503), 0.02),
    (status(504), 0.02),
    (status(400), 0.02), // without a body, as an edge proxy answers
    (Fault::ResetBefore, 0.03),
    (Fault::ResetAfter, 0.03),
    (Fault::LoseAnswer, 0.04),
    (Fault::CutBody, 0.02),
];

/// A server at capacity: 1 of 100. After each, samples wait one second, then run ten at a time for ten seconds.
const FULL: (Fault, f64) = (status(429), 0.01);

/// A suspended account: 1 request of 1000 begins an episode.
const HELD_BACK: (Fault, f64) = (
    Fault::Episode {
        status: StatusCode::PAYMENT_REQUIRED,
        lasts: Duration::from_secs(8),
    },
    0.001,
);

/// An expired promise: 1 of 100 polls for a sample.
const EXPIRED: (Fault, f64) = (status(410), 0.01);

/// Late and slow answers, in addition to the 30 of 100.
const SLOW: [(Fault, f64); 2] = [
    (Fault::Overtaken, 0.01),
    (
        Fault::SlowBody {
            piece: 64,
            pause: Duration::from_millis(10),
        },
        0.01,
    ),
];

const fn status(code: u16) -> Fault {
    match StatusCode::from_u16(code) {
        Ok(status) => Fault::Status(status),
        Err(_) => panic!("not a status"),
    }
}

/// The faults of one run.
pub(crate) struct Faults {
    /// Requests that open a session or a model: a 402 to one of them is returned to the caller, not waited out.
    opening: FaultLayer,
    /// Polls for samples: only there is a 410 recoverable.
    polls: FaultLayer,
    rest: FaultLayer,
}

fn is_opening(request: &Request<Body>) -> bool {
    Call::of(request).billing == Billing::Raise
}

fn is_poll_for_a_sample(request: &Request<Body>) -> bool {
    let kind = request.headers().get("x-tinker-request-type");
    kind.is_some_and(|kind| kind == "Sample")
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let layer = |number, more: &[(Fault, f64)]| {
            let all = EVERYWHERE.iter().chain(&SLOW).chain(more);
            all.fold(
                FaultLayer::seeded(seed + number),
                |layer, (fault, share)| layer.with(*fault, *share),
            )
        };
        Self {
            opening: layer(0, &[FULL]).only(is_opening),
            // The poll loop waits out a throttled poll by itself.
            polls: layer(1 << 32, &[FULL, EXPIRED, HELD_BACK]).only(is_poll_for_a_sample),
            rest: layer(2 << 32, &[FULL, HELD_BACK])
                .only(|request| !is_opening(request) && !is_poll_for_a_sample(request)),
        }
    }

    pub(crate) fn layers(&self) -> impl Iterator<Item = FaultLayer> {
        [&self.opening, &self.polls, &self.rest]
            .into_iter()
            .cloned()
    }

    /// Number of requests for which a fault was drawn.
    pub(crate) fn requests(&self) -> usize {
        self.layers().map(|layer| layer.requests()).sum()
    }

    /// How often each fault happened.
    pub(crate) fn tally(&self) -> BTreeMap<String, usize> {
        let mut tally = BTreeMap::new();
        for injected in self.layers().flat_map(|layer| layer.injected()) {
            *tally.entry(name(injected.fault)).or_default() += 1;
        }
        tally
    }

    /// Number of requests with a fault; late and slow answers are not counted.
    pub(crate) fn hit(&self) -> usize {
        let is_slow = |fault| matches!(fault, Fault::Overtaken | Fault::SlowBody { .. });
        let all = self.layers().flat_map(|layer| layer.injected());
        all.filter(|injected| !is_slow(injected.fault)).count()
    }

    /// Number of expired promises.
    pub(crate) fn expired(&self) -> usize {
        self.tally().get(&name(EXPIRED.0)).copied().unwrap_or(0)
    }
}

/// Server errors on three of ten samples, at their submission.
pub(crate) fn server_errors_on_samples(seed: u64) -> FaultLayer {
    FaultLayer::seeded(seed)
        .with(status(500), 0.15)
        .with(status(503), 0.15)
        .only(|request| Call::of(request).operation == "asample")
}

fn name(fault: Fault) -> String {
    match fault {
        Fault::Status(StatusCode::BAD_REQUEST) => "400 without a body".to_owned(),
        Fault::Status(status) => status.as_u16().to_string(),
        Fault::Episode { status, .. } => format!("{} episode", status.as_u16()),
        Fault::ResetBefore => "reset, request not sent".to_owned(),
        Fault::ResetAfter => "reset, request sent".to_owned(),
        Fault::LoseAnswer => "answer lost after the work".to_owned(),
        Fault::CutBody => "reset within the answer".to_owned(),
        Fault::Overtaken => "answer overtaken by another".to_owned(),
        Fault::SlowBody { .. } => "slow answer".to_owned(),
        other => format!("{other:?}"),
    }
}
