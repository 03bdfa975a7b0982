//! Timeout layer.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use super::around::{Around, tower_layer};
use crate::body::Body;
use crate::error::{BoxError, Kind, Stage, TransportError};
use crate::flow::class::PerClass;
use crate::flow::limits::ClassLimits;
use crate::request::call::Call;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// Ends a try whose response does not begin in time, and a body with a gap that is too long.
///
/// The limit is that of the [`Call`], else of its class. It applies to the time until the head of the response, and
/// again to each gap within the body, so that a large download may take as long as data arrives. The deadline of a call
/// shortens the first.
///
/// # Order
/// Inside retry and gate. Wrong: outside retry; see [`RetryLayer`](super::RetryLayer).
#[derive(Debug, Clone)]
pub struct TimeoutLayer {
    limits: Arc<PerClass<ClassLimits>>,
}

impl TimeoutLayer {
    /// Uses the timeouts of each class from `limits`.
    pub fn new(limits: PerClass<ClassLimits>) -> Self {
        Self {
            limits: Arc::new(limits),
        }
    }
}

tower_layer!(TimeoutLayer makes Timeout);

impl Around for TimeoutLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let (silence, limit) = {
            let call = Call::find(request);
            let silence = call.timeout.unwrap_or(self.limits.get(call.class).timeout);
            let limit = call.remaining().map_or(silence, |left| left.min(silence));
            (silence, limit)
        };
        let server = request.uri().authority().cloned();
        let response = within(limit, server.as_ref(), pin!(inner.run(request))).await?;
        if response.body().as_bytes().is_some() {
            return Ok(response); // it is all there
        }
        Ok(response.map(|inner| {
            Body::new(Watched {
                inner,
                silence,
                alarm: None,
            })
        }))
    }
}

async fn within(
    limit: Duration,
    server: Option<&Authority>,
    mut answer: Pin<&mut impl Future<Output = Answer>>,
) -> Answer {
    // A response that is ready immediately needs no timer, and so no look at the clock (0.05 us).
    if let Poll::Ready(answer) = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await
    {
        return answer;
    }
    tokio::time::timeout(limit, answer)
        .await
        .unwrap_or_else(|_| {
            // User information of a URI is not repeated.
            let from = server.map_or_else(String::new, |server| match server.port() {
                Some(port) => format!(" from {}:{port}", server.host()),
                None => format!(" from {}", server.host()),
            });
            let what = format!("no answer{from} within {:.1} s", limit.as_secs_f64());
            Err(TransportError::new(
                Kind::Timeout,
                Stage::MaybeReceived,
                what,
            ))
        })
}

/// A body with a limit on gaps between frames.
struct Watched {
    inner: Body,
    silence: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            self.alarm = None;
            return Poll::Ready(frame);
        }
        let silence = self.silence;
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(silence)));
        ready!(alarm.as_mut().poll(context));
        let what = format!(
            "the answer's body fell silent for {:.1} s",
            silence.as_secs_f64()
        );
        Poll::Ready(Some(Err(TransportError::new(
            Kind::Timeout,
            Stage::Answered,
            what,
        )
        .into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::fixture::{answer, chunks, leaf, request};
    use crate::flow::class::Class;
    use crate::stack::transport::Transport;

    /// Answers after `head`, with a body that never comes.
    fn slow(head: Duration) -> Transport {
        struct Silent;
        impl http_body::Body for Silent {
            type Data = Bytes;
            type Error = BoxError;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
                Poll::Pending
            }
        }
        leaf(move |_| async move {
            tokio::time::sleep(head).await;
            Ok(answer(200).map(|_| Body::new(Silent)))
        })
        .layer(TimeoutLayer::new(PerClass::default()))
    }

    #[tokio::test(start_paused = true)]
    async fn each_class_has_its_time_and_a_call_may_bring_its_own() {
        let transport = slow(Duration::from_secs(9999));
        for (call, seconds) in [
            (Call::new("x", Class::Rest), 60),
            (Call::new("x", Class::Train), 120),
            (Call::new("x", Class::Retrieve), 45),
            (Call::new("x", Class::Telemetry), 5),
            (
                Call::new("x", Class::Session).with_timeout(Duration::from_secs(10)),
                10,
            ),
            (
                Call::new("x", Class::Rest)
                    .with_deadline(Instant::now() + Duration::from_secs(400)),
                60,
            ),
            (
                Call::new("x", Class::Rest)
                    .with_deadline(Instant::now() + Duration::from_secs(303)),
                3,
            ),
        ] {
            let began = Instant::now();
            let error = transport.call(request(call)).await.unwrap_err();
            assert!(error.is_timeout() && error.may_have_been_received());
            assert_eq!(began.elapsed().as_secs(), seconds);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_falls_silent_is_ended() {
        let call = Call::new("x", Class::Rest);
        let response = slow(Duration::from_secs(59))
            .call(request(call))
            .await
            .unwrap();
        let began = Instant::now();
        let error = response.into_body().collect(100).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.stage()),
            (Kind::Timeout, Stage::Answered)
        );
        assert_eq!(began.elapsed(), Duration::from_mins(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_is_passed_on() {
        let leaf = leaf(|_| async { Ok(answer(200).map(|_| chunks(&["ab", "c"]))) });
        let transport = leaf.layer(TimeoutLayer::new(PerClass::default()));
        let response = transport
            .call(request(Call::new("x", Class::Rest)))
            .await
            .unwrap();
        assert_eq!(response.into_body().collect(100).await.unwrap(), "abc");
    }
}
