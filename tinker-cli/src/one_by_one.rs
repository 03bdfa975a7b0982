//! Requests about several objects, one after another.

use crate::context::Context;
use crate::exit::Interrupted;

/// The objects whose requests have succeeded, and the others.
#[derive(Debug)]
pub(crate) struct Attempted<T> {
    pub(crate) done: Vec<T>,
    pub(crate) left: Vec<T>,
    /// Reason for an early end: a failed request, or Ctrl-C.
    pub(crate) end: anyhow::Result<()>,
}

/// Makes a request for each object. The first failure ends the work, and so does Ctrl-C, after the started request.
pub(crate) async fn each<T>(
    objects: Vec<T>,
    context: &Context,
    request: impl AsyncFn(&T) -> anyhow::Result<()>,
) -> Attempted<T> {
    let interrupt = &context.interrupt;
    let mut attempted = Attempted {
        done: Vec::new(),
        left: Vec::new(),
        end: Ok(()),
    };
    let mut objects = objects.into_iter();
    while attempted.end.is_ok() && !interrupt.is_requested() {
        let Some(object) = objects.next() else {
            return attempted;
        };
        match interrupt.finish(context.printer, request(&object)).await {
            Ok(()) => attempted.done.push(object),
            Err(error) => {
                attempted.left.push(object);
                attempted.end = Err(error);
            }
        }
    }
    attempted.left.extend(objects);
    if attempted.end.is_ok() {
        attempted.end = Err(Interrupted.into());
    }
    attempted
}

impl<T> Attempted<T> {
    /// Whether there is a result besides the error.
    pub(crate) fn has_result(&self) -> bool {
        let is_stopped = |error: &anyhow::Error| error.is::<Interrupted>();
        !self.done.is_empty() || self.end.as_ref().err().is_none_or(is_stopped)
    }
}
