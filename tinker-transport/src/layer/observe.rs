//! Observation layer.

use tokio::time::Instant;

use super::around::{Around, tower_layer};
use super::scope::{Scope, Subject};
use crate::observe::event::{End, Event, Observation};
use crate::observe::observer::Observers;
use crate::policy::Effort;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// Reports the end of every call or attempt to observers, also if its caller dropped it.
///
/// # Order
/// One for calls outermost, one for attempts inside the gate.
#[derive(Debug, Clone)]
pub struct ObserveLayer {
    observers: Observers,
    scope: Scope,
}

impl ObserveLayer {
    /// Reports calls.
    pub fn calls(observers: Observers) -> Self {
        Self {
            observers,
            scope: Scope::Call,
        }
    }

    /// Reports attempts.
    pub fn attempts(observers: Observers) -> Self {
        Self {
            observers,
            scope: Scope::Attempt,
        }
    }
}

tower_layer!(ObserveLayer makes Observe);

impl Around for ObserveLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        // Without observers, not even the clock is read, and no space is reserved.
        let watch = (!self.observers.is_empty()).then(|| {
            Box::new(Watch {
                layer: self,
                subject: Subject::of(request),
                began: Instant::now(),
                is_over: false,
            })
        });
        let result = inner.run(request).await;
        if let Some(watch) = watch {
            watch.end(&result);
        }
        result
    }
}

/// Reports once, on drop at the latest.
struct Watch<'a> {
    layer: &'a ObserveLayer,
    subject: Subject,
    began: Instant,
    is_over: bool,
}

impl Watch<'_> {
    fn end(mut self, result: &Answer) {
        self.is_over = true;
        match result {
            Ok(response) => {
                let effort = response.extensions().get::<Effort>();
                let attempts = effort.map_or(1, |effort| effort.attempts);
                self.report(End::Answered(response.status()), attempts);
            }
            Err(error) => self.report(End::Failed(error), error.attempts()),
        }
    }

    fn report(&self, end: End<'_>, attempts: u32) {
        let Subject {
            call,
            method,
            path,
            attempt,
        } = &self.subject;
        let observation = |attempt| Observation {
            operation: call.operation,
            class: call.class,
            method,
            path,
            attempt,
            elapsed: self.began.elapsed(),
            end,
        };
        self.layer.observers.emit(|| match self.layer.scope {
            Scope::Call => Event::Call(observation(attempts)),
            Scope::Attempt => Event::Attempt(observation(*attempt)),
        });
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.report(End::Dropped, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;
    use crate::fixture::{leaf, request, scripted};
    use crate::flow::class::Class;
    use crate::layer::RetryLayer;
    use crate::observe::observer::Observer;
    use crate::request::call::Call;
    use crate::request::replay::Replay;

    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);

    impl Observer for Log {
        fn observe(&self, event: &Event<'_>) {
            let (what, seen) = match event {
                Event::Attempt(seen) => ("attempt", seen),
                Event::Call(seen) => ("call", seen),
                _ => return,
            };
            let end = match seen.end {
                End::Answered(status) => status.as_u16().to_string(),
                End::Failed(error) => format!("{:?}", error.kind()),
                End::Dropped => "dropped".into(),
            };
            let line = format!(
                "{what} {} {} {} in {} s",
                seen.operation,
                seen.attempt,
                end,
                seen.elapsed.as_secs()
            );
            self.0.lock().unwrap().push(line);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_and_calls_are_reported_with_their_ends() {
        let log = Arc::new(Log::default());
        let observers = Observers::new();
        observers.attach(log.clone());
        let (leaf, _) = scripted(&[503, 503]);
        let transport = leaf
            .layer(ObserveLayer::attempts(observers.clone()))
            .layer(RetryLayer::new())
            .layer(ObserveLayer::calls(observers));
        transport
            .call(request(
                Call::new("list", Class::Rest).with_replay(Replay::Safe),
            ))
            .await
            .unwrap();
        assert_eq!(
            *log.0.lock().unwrap(),
            [
                "attempt list 1 503 in 0 s",
                "attempt list 2 503 in 0 s",
                "attempt list 3 200 in 0 s",
                "call list 3 200 in 3 s"
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_call_is_reported_too() {
        let log = Arc::new(Log::default());
        let observers = Observers::new();
        observers.attach(log.clone());
        let transport = leaf(|_| std::future::pending()).layer(ObserveLayer::calls(observers));
        let call = transport.call(request(Call::new("list", Class::Rest)));
        tokio::time::timeout(Duration::from_secs(2), call)
            .await
            .unwrap_err();
        assert_eq!(*log.0.lock().unwrap(), ["call list 0 dropped in 2 s"]);
    }
}
