//! One operation of a line.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use tinker_types::RequestId;
use tokio::sync::watch;

use crate::error::Error;
use crate::line::Line;
use crate::news::News;
use crate::waiting::{Notice, Waiting, WaitingFor};

/// What one operation is, where it tells why it waits, and the line it belongs to. Clones are the
/// same.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    notice: Arc<Notice>,
    line: Arc<Line>,
}

impl Board {
    /// For an operation of `line` that a public method, named as `Class.method`, has begun.
    pub(crate) fn new(method: &'static str, line: &Arc<Line>, reason: WaitingFor) -> Self {
        Self {
            notice: Arc::new(Notice::new(method, reason)),
            line: Arc::clone(line),
        }
    }

    /// Runs the operation, says when it is stuck, and reports how it ended.
    pub(crate) async fn run<T>(
        self,
        operation: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Self { notice, line } = self;
        let place = line.enter(notice);
        let result = match select(pin!(operation), pin!(line.complain())).await {
            Either::Left((result, _)) => result,
            Either::Right((never, _)) => match never {},
        };
        drop(place);
        line.moved();
        line.news().outcome(result)
    }

    /// The public method behind the operation.
    pub(crate) fn method(&self) -> &'static str {
        self.notice.method()
    }

    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    pub(crate) fn news(&self) -> &News {
        self.line.news()
    }

    /// It waits for this now. The same reason again keeps its time.
    pub(crate) fn set(&self, reason: WaitingFor) {
        self.notice.set(reason);
    }

    /// Hears of every change, as long as the operation is under way.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Waiting> {
        self.notice.subscribe()
    }

    /// The server has promised a result.
    pub(crate) fn accepted(&self, operation: &'static str, id: &RequestId) {
        self.notice.accepted(operation, id);
        self.line.moved();
    }

    /// The promise came to an end.
    pub(crate) fn ended(&self, id: &RequestId) {
        self.notice.ended(id);
        self.line.moved();
    }
}
