//! Response bodies.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

use crate::store::{Archive, Tarball};
use crate::stream::Events;

/// Body of a response: a whole piece, the events of a token stream, or the pieces of a checkpoint's archive.
///
/// It fails only by an injected fault, see [`InjectedFault`](crate::InjectedFault), or if a file can no longer be read.
/// Dropping it cancels the sample that it streams.
pub struct LocalBody(Kind);

enum Kind {
    Whole(Bytes),
    Events(Box<Events>),
    Tarball(Reading),
    Broken,
}

/// An archive whose pieces are read on demand by the disk thread.
struct Reading {
    archive: Archive,
    /// Remaining bytes.
    length: u64,
    state: State,
}

enum State {
    Idle(Box<Tarball>),
    Read(oneshot::Receiver<(Box<Tarball>, io::Result<Option<Bytes>>)>),
    Ended,
}

impl LocalBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }

    /// The events of a token stream.
    pub(crate) fn events(events: Events) -> Self {
        Self(Kind::Events(Box::new(events)))
    }

    /// The archive of a checkpoint.
    pub(crate) fn tarball(tarball: Tarball, archive: Archive) -> Self {
        Self(Kind::Tarball(Reading {
            archive,
            length: tarball.length(),
            state: State::Idle(Box::new(tarball)),
        }))
    }

    /// A body that fails before its first byte.
    pub(crate) fn broken() -> Self {
        Self(Kind::Broken)
    }

    /// Whether it was made by [`broken`](Self::broken).
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
            Kind::Tarball(reading) => write!(f, "LocalBody({} bytes of files)", reading.length),
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
            Kind::Tarball(reading) => reading
                .poll_read(context)
                .map(|read| read.transpose().map(|read| read.map(Frame::data))),
            Kind::Broken => Poll::Ready(Some(Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                "the connection was broken on purpose",
            )))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Tarball(reading) => reading.length == 0,
            Kind::Events(_) | Kind::Broken => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Tarball(reading) => SizeHint::with_exact(reading.length),
            Kind::Events(_) | Kind::Broken => SizeHint::default(),
        }
    }
}

impl Reading {
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Poll::Ready(Ok(None)),
                State::Idle(mut tarball) => {
                    let (reply, read) = oneshot::channel();
                    self.archive.run(move |_| {
                        let bytes = tarball.read();
                        let _nobody_waits = reply.send((tarball, bytes));
                    });
                    self.state = State::Read(read);
                }
                State::Read(mut read) => match Pin::new(&mut read).poll(context) {
                    Poll::Pending => {
                        self.state = State::Read(read);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok((tarball, Ok(Some(bytes))))) => {
                        self.length = tarball.length();
                        self.state = State::Idle(tarball);
                        return Poll::Ready(Ok(Some(bytes)));
                    }
                    Poll::Ready(Ok((_, end))) => return Poll::Ready(end),
                    Poll::Ready(Err(_)) => {
                        let what = "the engine has stopped";
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, what)));
                    }
                },
            }
        }
    }
}
