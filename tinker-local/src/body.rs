//! Bodies of answers.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Body of an answer: one whole piece.
///
/// It fails only where a broken connection was asked for, see [`Trouble`](crate::Trouble).
pub struct LocalBody(Kind);

enum Kind {
    Whole(Bytes),
    Broken,
}

impl LocalBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
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
            Kind::Broken => f.write_str("LocalBody(broken)"),
        }
    }
}

impl Body for LocalBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Kind::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
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
            Kind::Broken => SizeHint::default(),
        }
    }
}
