//! Tells observers how calls and attempts end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tokio::time::Instant;

use super::around::{Around, tower_layer};
use super::scope::{Scope, Subject};
use crate::body::Body;
use crate::effort::Effort;
use crate::observer::{End, Event, Observation, Observer};
use crate::service::{Answer, Inner};

/// Hands the end of every call or attempt to observers, also when its caller dropped it.
///
/// # Order
/// One for calls outermost, one for attempts inside the gate.
#[derive(Clone)]
pub struct ObserveLayer {
    observers: Arc<[Arc<dyn Observer>]>,
    scope: Scope,
}

impl ObserveLayer {
    /// Reports calls.
    pub fn calls(observers: impl Into<Arc<[Arc<dyn Observer>]>>) -> Self {
        Self {
            observers: observers.into(),
            scope: Scope::Call,
        }
    }

    /// Reports attempts.
    pub fn attempts(observers: impl Into<Arc<[Arc<dyn Observer>]>>) -> Self {
        Self {
            observers: observers.into(),
            scope: Scope::Attempt,
        }
    }
}

tower_layer!(ObserveLayer makes Observe);

impl Around for ObserveLayer {
    async fn around(&self, request: &mut Request<Body>, inner: &impl Inner) -> Answer {
        let mut watch = Watch {
            layer: self.clone(),
            subject: Subject::of(request),
            began: Instant::now(),
            is_over: false,
        };
        let result = inner.run(request).await;
        watch.is_over = true;
        match &result {
            Ok(response) => {
                let attempts = response
                    .extensions()
                    .get()
                    .map_or(1, |effort: &Effort| effort.attempts);
                watch.report(End::Answered(response.status()), attempts);
            }
            Err(error) => watch.report(End::Failed(error), error.attempts()),
        }
        result
    }
}

/// Reports once, at the latest when it is dropped.
struct Watch {
    layer: ObserveLayer,
    subject: Subject,
    began: Instant,
    is_over: bool,
}

impl Watch {
    fn report(&self, end: End<'_>, attempts: u32) {
        let Subject {
            call,
            method,
            path,
            attempt,
        } = &self.subject;
        let elapsed: Duration = self.began.elapsed();
        let (operation, class) = (call.operation, call.class);
        let observation = |attempt| Observation {
            operation,
            class,
            method,
            path,
            attempt,
            elapsed,
            end,
        };
        let event = match self.layer.scope {
            Scope::Call => Event::Call(observation(attempts)),
            Scope::Attempt => Event::Attempt(observation(*attempt)),
        };
        for observer in &*self.layer.observers {
            observer.observe(&event);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.is_over {
            self.report(End::Dropped, 0);
        }
    }
}

impl fmt::Debug for ObserveLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveLayer")
            .field("observers", &self.observers.len())
            .field("scope", &self.scope)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::call::{Call, Replay};
    use crate::class::Class;
    use crate::layer::RetryLayer;
    use crate::testing::{leaf, request, scripted};

    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);

    impl Observer for Log {
        fn observe(&self, event: &Event<'_>) {
            let (what, seen) = match event {
                Event::Attempt(seen) => ("attempt", seen),
                Event::Call(seen) => ("call", seen),
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
        let observers: Arc<[Arc<dyn Observer>]> = Arc::new([log.clone()]);
        let (leaf, _) = scripted(&[503, 503]);
        let transport = leaf
            .layer(ObserveLayer::attempts(Arc::clone(&observers)))
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
        let observers: Vec<Arc<dyn Observer>> = vec![log.clone()];
        let transport = leaf(|_| std::future::pending()).layer(ObserveLayer::calls(observers));
        let call = transport.call(request(Call::new("list", Class::Rest)));
        tokio::time::timeout(Duration::from_secs(2), call)
            .await
            .unwrap_err();
        assert_eq!(*log.0.lock().unwrap(), ["call list 0 dropped in 2 s"]);
    }
}
