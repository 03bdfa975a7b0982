//! The body of a response over a connection.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::http1::Http1;
use super::link::Link;

/// The body of a response, with its connection. The connection can be used again when the body was read to its end; else
/// it is closed.
pub(super) struct Reading {
    incoming: Incoming,
    /// The connection and its place when it is unused; `None` if a task drives it.
    link: Option<(Box<Link>, Http1)>,
    has_ended: bool,
}

impl Reading {
    pub(super) fn new(incoming: Incoming, link: Box<Link>, place: Http1) -> Self {
        Self {
            incoming,
            link: Some((link, place)),
            has_ended: false,
        }
    }

    /// A body whose connection is driven by a task.
    pub(super) fn driven(incoming: Incoming) -> Self {
        Self {
            incoming,
            link: None,
            has_ended: false,
        }
    }
}

impl http_body::Body for Reading {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let incoming = &mut this.incoming;
        let frame = match &mut this.link {
            None => Pin::new(incoming).poll_frame(context),
            Some((link, _)) => {
                let mut frame = link.ask(context, |context| {
                    Pin::new(&mut *incoming).poll_frame(context)
                });
                if frame.is_pending() {
                    link.drive(context.waker());
                    frame = link.ask(context, |context| Pin::new(incoming).poll_frame(context));
                }
                frame
            }
        };
        this.has_ended = matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if (self.has_ended || self.incoming.is_end_stream())
            && let Some((link, place)) = self.link.take()
        {
            place.put(link);
        }
    }
}
