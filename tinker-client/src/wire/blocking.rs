//! Blocking work.

use crate::error::{Closed, Error};

/// Runs `work` on the blocking pool. A panic in it is resumed here.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Closed::with_runtime().into()),
        },
    }
}
