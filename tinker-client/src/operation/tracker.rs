//! The tracker of one operation.

use std::future::Future;
use std::sync::Arc;

use tinker_transport::Call;
use tinker_types::RequestId;

use crate::error::Error;
use crate::observe::sink::EventSink;
use crate::operation::waiting::WaitingFor;
use crate::operation::{group::Group, progress::Progress};

/// The progress of one operation, and the group the operation belongs to. Clones refer to the same operation.
#[derive(Debug, Clone)]
pub(crate) struct Tracker {
    progress: Arc<Progress>,
    group: Arc<Group>,
}

impl Tracker {
    /// A tracker for an operation of `group`, started by a public method named as `Class.method`.
    pub(crate) fn new(method: &'static str, group: &Arc<Group>, reason: WaitingFor) -> Self {
        Self {
            progress: Arc::new(Progress::new(method, reason)),
            group: Arc::clone(group),
        }
    }

    /// Runs the operation as one of its group, and reports an error to telemetry.
    pub(crate) fn run<T>(
        self,
        operation: impl Future<Output = Result<T, Error>>,
    ) -> impl Future<Output = Result<T, Error>> {
        let membership = Group::enter(self.group, self.progress);
        async move {
            let result = operation.await;
            let group = membership.leave();
            group.note_progress();
            group.events().outcome(result)
        }
    }

    /// The public method that started the operation.
    pub(crate) fn method(&self) -> &'static str {
        self.progress.method()
    }

    /// Names the method and the object in a call of this operation.
    pub(crate) fn identify(&self, call: Call) -> Call {
        call.with_caller(self.method())
            .with_subject(Arc::clone(self.group.id()))
    }

    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    pub(crate) fn events(&self) -> &EventSink {
        self.group.events()
    }

    /// Sets the reason for waiting. An unchanged reason keeps its start time.
    pub(crate) fn set(&self, reason: WaitingFor) {
        self.progress.set(reason);
    }

    pub(crate) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Records a promise of the server.
    pub(crate) fn accepted(&self, operation: &'static str, id: &RequestId) {
        self.progress.accepted(operation, id);
        self.group.note_progress();
    }

    /// Records the end of a promise.
    pub(crate) fn ended(&self, id: &RequestId) {
        self.progress.ended(id);
        self.group.note_progress();
    }
}
