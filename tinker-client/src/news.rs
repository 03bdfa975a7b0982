//! What a client tells others about its work.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::observe::ClientObservers;
use crate::telemetry::Telemetry;

/// Those who are told what happens to operations. Clones tell the same.
#[derive(Debug, Clone)]
pub(crate) struct News(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    observers: ClientObservers,
    telemetry: Option<Telemetry>,
    stuck_after: Duration,
}

impl News {
    pub(crate) fn new(
        observers: ClientObservers,
        telemetry: Option<Telemetry>,
        stuck_after: Duration,
    ) -> Self {
        Self(Arc::new(Inner {
            observers,
            telemetry,
            stuck_after,
        }))
    }

    pub(crate) fn observers(&self) -> &ClientObservers {
        &self.0.observers
    }

    /// Reports to the server, unless switched off.
    pub(crate) fn telemetry(&self) -> Option<&Telemetry> {
        self.0.telemetry.as_ref()
    }

    /// Time without progress that is worth a warning.
    pub(crate) fn stuck_after(&self) -> Duration {
        self.0.stuck_after
    }

    /// A public method gives its caller this.
    pub(crate) fn outcome<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let (Err(error), Some(telemetry)) = (&result, self.telemetry()) {
            telemetry.exception(error);
        }
        result
    }
}
