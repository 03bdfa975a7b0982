//! Circuit breaker layer.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Uri;

use super::around::{Around, tower_layer};
use crate::error::{Kind, Stage, TransportError};
use crate::flow::circuit::{Circuit, Refusal, Rules};
use crate::flow::class::Class;
use crate::mutex::lock;
use crate::observe::event::{BreakerChange, Event};
use crate::observe::observer::Observers;
use crate::policy::{Disposition, Outcome};
use crate::request::call::Call;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// A circuit breaker: refuses requests for a while after too many recent failures.
///
/// - Closed: all requests pass. When half of the last 20 tries failed (and there were at least 10), it opens.
/// - Open: every request is refused immediately with [`Kind::Unavailable`] and [`Stage::NotSent`]; the remaining time
///   is in the error and its [`TransportError::retry_after`]. 10 seconds the first time.
/// - Half open: one request passes as a probe. If it succeeds, the breaker closes; if it fails, it opens for twice as
///   long, up to two minutes. A dropped probe is replaced by another.
///
/// Failures are statuses from 500, lost connections, and timeouts after the request was sent. 4xx, 429 and 402 count as
/// success. Requests that were dropped or never sent do not count.
///
/// Off by default; enabled by [`TransportConfig::with_breaker`](crate::TransportConfig::with_breaker).
///
/// # Order
/// Inside retry: it sees every try, and a refusal ends the call, since [`Standard`] does not retry it. Wrong: outside
/// retry, where a call that retried for five minutes is one failure.
///
/// [`Standard`]: crate::policy::Standard
#[derive(Clone)]
pub struct BreakerLayer {
    rules: Rules,
    is_per_origin: bool,
    circuits: Arc<Mutex<HashMap<Subject, Arc<Circuit>>>>,
    observers: Observers,
}

/// Target of a breaker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Class(Class),
    /// The server of the base URL.
    Home,
    Origin(String),
}

impl BreakerLayer {
    /// One breaker for each [`Class`]: failing uploads do not block the listing of runs.
    pub fn per_class() -> Self {
        Self::new(false)
    }

    /// One breaker for each server, for all classes.
    pub fn per_origin() -> Self {
        Self::new(true)
    }

    fn new(is_per_origin: bool) -> Self {
        Self {
            rules: Rules {
                window: 20,
                minimum: 10,
                failure_share: 0.5,
                cool_down: Duration::from_secs(10),
                longest: Duration::from_mins(2),
            },
            is_per_origin,
            circuits: Arc::default(),
            observers: Observers::new(),
        }
    }

    tinker_types::setters! {
        /// Evaluates this many of the last tries, up to 64.
        with_window(tries: u32) => rules.window = tries;

        /// Opens only after this many tries.
        with_minimum(tries: u32) => rules.minimum = tries;

        /// Stays open this long at first.
        with_cool_down(first: Duration) => rules.cool_down = first;

        /// Stays open this long at most.
        with_longest_cool_down(longest: Duration) => rules.longest = longest;

        /// Opens when this share of tries failed, from 0 to 1.
        with_failure_share(share: f64) => rules.failure_share = share;

        /// Reports changes to these observers.
        with_observers(observers: Observers) => observers = observers;
    }

    fn subject(&self, class: Class, uri: &Uri) -> Subject {
        match (self.is_per_origin, uri.authority()) {
            (false, _) => Subject::Class(class),
            (true, None) => Subject::Home,
            (true, Some(authority)) => {
                let scheme = uri.scheme_str().unwrap_or("http");
                Subject::Origin(format!("{scheme}://{}", host_of(authority.as_str())))
            }
        }
    }

    fn circuit(&self, subject: &Subject) -> Arc<Circuit> {
        let mut circuits = lock(&self.circuits);
        if let Some(circuit) = circuits.get(subject) {
            return Arc::clone(circuit);
        }
        let circuit = Arc::new(Circuit::new(self.rules));
        circuits.insert(subject.clone(), Arc::clone(&circuit));
        circuit
    }

    fn report(&self, subject: &Subject, change: Option<BreakerChange>) {
        let Some(change) = change else { return };
        let subject = subject.to_string();
        self.observers.emit(|| Event::Breaker {
            subject: &subject,
            change,
        });
    }
}

tower_layer!(BreakerLayer makes Breaker);

impl Around for BreakerLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let call = Call::of(request);
        let subject = self.subject(call.class, request.uri());
        let circuit = self.circuit(&subject);
        let (pass, change) = circuit.admit();
        self.report(&subject, change);
        let pass = pass.map_err(|refusal| refused(&subject, refusal))?;
        let result = inner.run(request).await;
        if let Some(has_failed) = has_failed(&result) {
            self.report(&subject, pass.end(has_failed));
        }
        result
    }
}

/// Whether this end is a failure of the server. `None`: it shows nothing about the server.
fn has_failed(result: &Answer) -> Option<bool> {
    match Disposition::of(result).outcome {
        Outcome::Transient(status) => Some(status.is_server_error()),
        Outcome::Failed { kind, stage } => match kind {
            Kind::Connect | Kind::Interrupted => Some(true),
            Kind::Timeout if stage > Stage::NotSent => Some(true),
            _ => None,
        },
        _ => Some(false),
    }
}

fn refused(subject: &Subject, refusal: Refusal) -> TransportError {
    let Refusal { left, failures, of } = refusal;
    let when = match left {
        Some(left) => format!("it lets a request through in {:.1} s", left.as_secs_f64()),
        None => "a probe is in flight".into(),
    };
    let what = format!(
        "not sent: {failures} of the last {of} tries failed and the circuit breaker for {subject} is open; {when}"
    );
    let error = TransportError::new(Kind::Unavailable, Stage::NotSent, what);
    match left {
        Some(left) => error.with_retry_after(left),
        None => error,
    }
}

/// Without user name and password.
fn host_of(authority: &str) -> &str {
    authority.rsplit('@').next().unwrap_or_default()
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(class) => write!(f, "{class} requests"),
            Self::Home => f.write_str("the server"),
            Self::Origin(origin) => f.write_str(origin),
        }
    }
}

impl fmt::Debug for BreakerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerLayer")
            .field("rules", &self.rules)
            .field("is_per_origin", &self.is_per_origin)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
