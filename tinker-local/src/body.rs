//! Bodies of answers.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::stream::Events;

/// Body of an answer: one whole piece, or for a watched sample one event after the other.
///
/// It fails only where a broken connection was asked for, see [`Trouble`](crate::Trouble).
pub struct LocalBody(Kind);

enum Kind {
    Whole(Bytes),
    Events(Box<Events>),
    Broken,
}

impl LocalBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }

    /// Events, one after the other.
    pub(crate) fn events(events: Events) -> Self {
        Self(Kind::Events(Box::new(events)))
    }

    /// A body that breaks off before its first byte.
    pub(crate) fn broken() -> Self {
        Self(Kind::Broken)
    }

    /// It was made by [`broken`](Self::broken).
    #[cfg(feature = "serve")]
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.0, Kind::Broken)
    }
}

impl fmt::Debug for LocalBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Whole(bytes) => write!(f, "LocalBody({} bytes)", bytes.len()),
            Kind::Events(_) => f.write_str("LocalBody(events)"),
            Kind::Broken => f.write_str("LocalBody(broken)"),
        }
    }
}

impl Body for LocalBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Kind::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Events(events) => events
                .poll_next(context)
                .map(|event| event.map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Broken => Poll::Ready(Some(Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                "the connection was broken on purpose",
            )))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Events(_) | Kind::Broken => SizeHint::default(),
        }
    }
}
