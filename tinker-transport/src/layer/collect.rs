//! Layer that reads responses completely within a try.

use http::Response;

use super::around::{Around, tower_layer};
use crate::body::Body;
use crate::request::call::Call;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// Reads the response body within the attempt if the [`Call`] requests it.
///
/// A connection can break in the middle of a body. A caller that reads the body itself then has lost the result of work
/// that was done; for [`RetryLayer`](super::RetryLayer) it is an ordinary failed try. Intended for small responses:
/// they are held in memory, and the permits of [`AdmissionLayer`](super::AdmissionLayer) are held until the last byte.
///
/// # Order
/// Inside retry. Wrong: outside, where the error comes too late for another try.
#[derive(Debug, Clone, Copy, Default)]
pub struct CollectLayer(());

impl CollectLayer {
    /// A layer without settings; each call decides.
    pub fn new() -> Self {
        Self::default()
    }
}

tower_layer!(CollectLayer makes Collect);

impl Around for CollectLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let limit = request
            .extensions()
            .get()
            .and_then(|call: &Call| call.whole);
        let response = inner.run(request).await?;
        let Some(limit) = limit.filter(|_| response.body().as_bytes().is_none()) else {
            return Ok(response);
        };
        let (head, body) = response.into_parts();
        let body = Box::pin(body.collect(limit)).await?;
        Ok(Response::from_parts(head, Body::from(body)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::Kind;
    use crate::fixture::request;
    use crate::flow::class::Class;
    use crate::policy::Effort;
    use crate::request::replay::Replay;
    use crate::stack::builder::TransportBuilder;
    use crate::stack::config::TransportConfig;
    use crate::testing::{Fault, FaultLayer, Script};

    async fn ask(call: Call) -> (Answer, Duration) {
        let script = Script::new().answer(200, "first").answer(200, "second");
        let transport = TransportBuilder::from_config(TransportConfig::new("http://engine.test"))
            .attempt_layer(FaultLayer::script([Some(Fault::CutBody)]))
            .leaf(script.clone())
            .build()
            .unwrap();
        let began = tokio::time::Instant::now();
        let answer = transport.call(request(call)).await;
        let took = began.elapsed();
        while script.requests().len() < 2 {
            let _ = transport
                .call(request(Call::new("rest", Class::Rest)))
                .await;
        }
        (answer, took)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_breaks_off_is_a_try_that_failed() {
        let call = Call::new("x", Class::Train).with_replay(Replay::Safe);
        let (answer, took) = ask(call.clone().with_whole_answer(100)).await;
        let answer = answer.unwrap();
        assert_eq!(answer.body().as_bytes().unwrap(), "second");
        assert_eq!(answer.extensions().get::<Effort>().unwrap().attempts, 2);
        assert_eq!(took, Duration::from_secs(1));

        let (answer, _) = ask(call).await;
        let error = answer.unwrap().into_body().collect(100).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Body, "left to the caller");
    }

    #[tokio::test(start_paused = true)]
    async fn the_work_was_done_so_only_what_may_be_repeated_is() {
        let call = Call::new("x", Class::Rest).with_whole_answer(100);
        let (answer, _) = ask(call.clone()).await;
        assert_eq!(answer.unwrap_err().kind(), Kind::Body);
        // As large as allowed, and no larger.
        let (answer, _) = ask(call.with_replay(Replay::Safe).with_whole_answer(1)).await;
        assert_eq!(answer.unwrap_err().kind(), Kind::TooLarge);
    }
}
