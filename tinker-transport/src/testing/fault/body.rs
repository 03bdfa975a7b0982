//! Slow bodies, and bodies that break off.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Sleep;

use crate::body::Body;
use crate::error::{BoxError, Kind, Stage, TransportError};

/// A body in small pieces.
pub(super) struct Slow {
    inner: Body,
    rest: Bytes,
    piece: usize,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Slow {
    pub(super) fn new(inner: Body, piece: usize, pause: Duration) -> Self {
        Self {
            inner,
            rest: Bytes::new(),
            piece: piece.max(1),
            pause,
            sleep: None,
        }
    }
}

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let pause = self.pause;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
        ready!(sleep.as_mut().poll(context));
        self.sleep = None;
        let length = self.piece.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }
}

/// A body that breaks off in the middle of its first frame.
pub(super) struct Cut {
    inner: Body,
    is_broken: bool,
}

impl Cut {
    pub(super) fn new(inner: Body) -> Self {
        Self {
            inner,
            is_broken: false,
        }
    }
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.is_broken {
            self.is_broken = true;
            if let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                let mut data = frame?.into_data().unwrap_or_default();
                data.truncate(data.len() / 2);
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
        let what = "the answer's body broke off (an injected fault)";
        let error = TransportError::new(Kind::Body, Stage::Answered, what);
        Poll::Ready(Some(Err(error.into())))
    }
}
