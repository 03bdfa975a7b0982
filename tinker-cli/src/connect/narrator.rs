//! Explanations on stderr while a command waits for a server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tinker_client::transport::policy::Outcome;
use tinker_client::transport::{Class, Event};
use tinker_client::{
    ClientEvent, ClientObserver, PromiseStep, QueueState, ServiceClient, WaitingFor,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::format;
use crate::printer::Printer;

/// Time without progress after which accepted work is explained.
const PATIENCE: Duration = Duration::from_millis(2500);
/// Least time between two lines of the same kind.
const AGAIN: Duration = Duration::from_secs(20);

/// Prints why a command waits: for an answer, for accepted work, for a server that cannot be reached.
#[derive(Debug)]
pub(super) struct Narrator {
    printer: Printer,
    server: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Operations of accepted and unfinished promises, by id.
    promises: BTreeMap<String, &'static str>,
    /// When the last promise was accepted or ended.
    progress: Instant,
    /// When a line of each kind was printed last.
    printed: BTreeMap<&'static str, Instant>,
}

/// Keeps the explanations running; they end with it.
#[derive(Debug)]
pub(crate) struct Narration(JoinHandle<()>);

impl Drop for Narration {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Narrator {
    pub(super) fn new(printer: Printer, server: &str) -> Arc<Self> {
        Arc::new(Self {
            printer,
            server: server.to_owned(),
            state: Mutex::new(State {
                promises: BTreeMap::new(),
                progress: Instant::now(),
                printed: BTreeMap::new(),
            }),
        })
    }

    /// Explains the waits of a service.
    pub(super) fn attach(self: &Arc<Self>, service: &ServiceClient) -> Narration {
        service.observers().attach(Arc::clone(self) as _);
        let narrator = Arc::clone(self);
        Narration(tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                narrator.explain_promises();
            }
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Explains accepted work that makes no progress.
    fn explain_promises(&self) {
        let (operation, waited) = {
            let state = self.state();
            let Some(operation) = state.promises.values().next() else {
                return;
            };
            (*operation, state.progress.elapsed())
        };
        if waited >= PATIENCE {
            let text = format!(
                "for {} to do {operation}, {} so far; Ctrl-C stops",
                self.server,
                format::duration(waited)
            );
            self.print("promise", &text);
        }
    }

    /// Prints a line, unless one of its kind was printed a short time ago.
    fn print(&self, kind: &'static str, text: &str) {
        {
            let mut state = self.state();
            let last = state.printed.get(kind);
            if last.is_some_and(|last| last.elapsed() < AGAIN) {
                return;
            }
            state.printed.insert(kind, Instant::now());
        }
        self.printer.print_labelled("waiting", text);
    }

    fn on_http(&self, event: &Event<'_>) {
        let Event::Unanswered {
            operation,
            class,
            attempts,
            outcome,
            elapsed,
            remaining,
            ..
        } = event
        else {
            return;
        };
        // Long polls wait for accepted work, which is explained by its promise.
        if matches!(class, Class::Retrieve | Class::Telemetry) {
            return;
        }
        let mut text = format!(
            "for {} to answer ({operation}), {} so far",
            self.server,
            format::duration(*elapsed)
        );
        if let (1.., Some(outcome)) = (attempts, outcome) {
            let attempts = format::count(*attempts as usize, "attempt");
            text += &format!(", {attempts}, the last {}", describe(*outcome));
        }
        if let Some(left) = remaining {
            text += &format!(", at most {} more", format::duration(*left));
        }
        self.print("answer", &text);
    }
}

impl ClientObserver for Narrator {
    fn observe(&self, event: &ClientEvent<'_>) {
        match event {
            ClientEvent::Http(event) => self.on_http(event),
            ClientEvent::Promise {
                operation,
                id,
                step,
                ..
            } => {
                let mut state = self.state();
                state.progress = Instant::now();
                if *step == PromiseStep::Accepted {
                    state.promises.insert((*id).to_owned(), operation);
                } else {
                    state.promises.remove(*id);
                }
            }
            ClientEvent::Waiting {
                operation, waiting, ..
            } => match &waiting.reason {
                WaitingFor::Connection { .. } => {
                    let text = format!("for {} to be reached again ({operation})", self.server);
                    self.print("connection", &text);
                }
                // A poll may end without a result; the next one follows.
                WaitingFor::Recovery { status } if status.as_u16() != 408 => {
                    let text = format!(
                        "for {}, which answered {status} to a poll ({operation})",
                        self.server
                    );
                    self.print("recovery", &text);
                }
                WaitingFor::Server {
                    state: Some(state), ..
                } if *state != QueueState::Active => {
                    let text = format!("for {} ({operation}): {waiting}", self.server);
                    self.print("queue", &text);
                }
                _ => {}
            },
            _ => {}
        }
    }
}

fn describe(outcome: Outcome) -> String {
    match outcome {
        Outcome::Throttled | Outcome::Held => "refused as too many (429)".to_owned(),
        Outcome::Transient(status) | Outcome::Refused(status) => format!("answered {status}"),
        Outcome::EdgeRejection => "refused by a proxy".to_owned(),
        Outcome::Failed { .. } => "failed without an answer".to_owned(),
        _ => "not final".to_owned(),
    }
}
