//! Destination of events and error reports.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::observe::observer::ClientObservers;
use crate::observe::reach::Reach;
use crate::telemetry::Telemetry;

/// Shared handle to the registered observers and to telemetry.
#[derive(Debug, Clone)]
pub(crate) struct EventSink(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    observers: ClientObservers,
    telemetry: Option<Telemetry>,
    stuck_after: Duration,
    reach: Reach,
}

impl EventSink {
    pub(crate) fn new(
        observers: ClientObservers,
        telemetry: Option<Telemetry>,
        stuck_after: Duration,
        address: String,
    ) -> Self {
        Self(Arc::new(Inner {
            observers,
            telemetry,
            stuck_after,
            reach: Reach::new(address),
        }))
    }

    pub(crate) fn observers(&self) -> &ClientObservers {
        &self.0.observers
    }

    /// Whether the server can be reached.
    pub(crate) fn reach(&self) -> &Reach {
        &self.0.reach
    }

    /// Telemetry to the server; `None` if switched off.
    pub(crate) fn telemetry(&self) -> Option<&Telemetry> {
        self.0.telemetry.as_ref()
    }

    /// Time without progress after which a warning is given.
    pub(crate) fn stuck_after(&self) -> Duration {
        self.0.stuck_after
    }

    /// Reports the error of a public method to telemetry and passes the result on.
    pub(crate) fn outcome<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let (Err(error), Some(telemetry)) = (&result, self.telemetry()) {
            telemetry.exception(error);
        }
        result
    }
}
