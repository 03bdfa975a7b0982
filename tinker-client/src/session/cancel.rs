//! Cancellation of dropped samples on the server.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tinker_transport::Class;
use tinker_transport::policy::Standard;
use tinker_types::{CancelFuture, RequestId};
use tokio::sync::mpsc;

use crate::session::flags::Flags;
use crate::wire::{api::Api, request::repeatable};

/// Time limit for delivering a cancellation.
const DELIVERY_LIMIT: Duration = Duration::from_mins(1);
const TIMEOUT: Duration = Duration::from_secs(30);

/// A queue of dropped samples. A task sends the cancellations in batches and ends when the queue is dropped.
#[derive(Debug)]
pub(crate) struct CancelQueue {
    sender: mpsc::UnboundedSender<RequestId>,
    flags: Arc<Flags>,
}

impl CancelQueue {
    /// Starts the task.
    pub(crate) fn start(api: Api, flags: Arc<Flags>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(drain(api, Arc::clone(&flags), receiver));
        Self { sender, flags }
    }

    /// Queues a cancellation, if the server accepts them.
    pub(crate) fn push(&self, request_id: RequestId) {
        if self.flags.cancels_samples() {
            // The task ends before its senders only when the runtime shuts down.
            let _ = self.sender.send(request_id);
        }
    }
}

async fn drain(api: Api, flags: Arc<Flags>, mut queue: mpsc::UnboundedReceiver<RequestId>) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, flags.cancel_batch()).await > 0 {
        join_all(batch.drain(..).map(|request_id| cancel(&api, request_id))).await;
    }
}

async fn cancel(api: &Api, request_id: RequestId) {
    let call = repeatable::<CancelFuture>(Class::Retrieve)
        .with_timeout(TIMEOUT)
        .with_policy(Standard::new().with_time_limit(DELIVERY_LIMIT));
    if let Err(error) = api.call_void(&CancelFuture::new(request_id), call).await {
        tracing::debug!(%error, "a cancellation was not delivered");
    }
}
