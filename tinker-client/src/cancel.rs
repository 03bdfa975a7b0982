//! Telling the server about samples nobody waits for any more.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tinker_transport::policy::Standard;
use tinker_transport::{Call, Class, Replay};
use tinker_types::{CancelFuture, Endpoint, RequestId};
use tokio::sync::mpsc;

use crate::api::Api;
use crate::flags::Flags;

/// A cancel that cannot be delivered is not worth more than this.
const PATIENCE: Duration = Duration::from_mins(1);
const TIMEOUT: Duration = Duration::from_secs(30);

/// A queue of abandoned requests, drained in batches by a task that ends with its last sender.
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

    /// Gives up a request, if the server cares to know.
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
    let call = Call::new(CancelFuture::NAME, Class::Retrieve)
        .with_replay(Replay::Safe)
        .with_timeout(TIMEOUT)
        .with_policy(Standard::new().with_time_limit(PATIENCE));
    if let Err(error) = api.call_void(&CancelFuture::new(request_id), call).await {
        tracing::debug!(%error, "a cancel was not delivered");
    }
}
