//! An open connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// An open connection to a server or a proxy.
pub(super) struct Stream {
    kind: Kind,
    /// A proxy receives the requests themselves.
    is_for_proxy: bool,
}

enum Kind {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// TLS with the server inside of a connection through a proxy, which may be TLS too.
    ThroughProxy(Box<TlsStream<Stream>>),
}

impl Stream {
    pub(super) fn tcp(stream: TcpStream) -> Self {
        Self::of(Kind::Tcp(stream))
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::of(Kind::Tls(Box::new(stream)))
    }

    pub(super) fn tls_through_proxy(stream: TlsStream<Self>) -> Self {
        Self::of(Kind::ThroughProxy(Box::new(stream)))
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            is_for_proxy: false,
        }
    }

    /// Marks the end of the connection as a proxy, so that requests name the server.
    pub(super) fn for_proxy(mut self) -> Self {
        self.is_for_proxy = true;
        self
    }

    /// Whether a proxy receives the requests.
    pub(super) fn is_for_proxy(&self) -> bool {
        self.is_for_proxy
    }

    /// Whether the server chose HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        let protocol = match &self.kind {
            Kind::Tcp(_) => None,
            Kind::Tls(stream) => stream.get_ref().1.alpn_protocol(),
            Kind::ThroughProxy(stream) => stream.get_ref().1.alpn_protocol(),
        };
        protocol == Some(b"h2")
    }
}

/// Calls a method of the stream inside.
macro_rules! inside {
    ($this:ident.$method:ident($($argument:expr),*)) => {
        match &mut $this.get_mut().kind {
            Kind::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            Kind::Tls(stream) => Pin::new(stream).$method($($argument),*),
            Kind::ThroughProxy(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        inside!(self.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        inside!(self.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        inside!(self.poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.kind {
            Kind::Tcp(stream) => stream.is_write_vectored(),
            Kind::Tls(stream) => stream.is_write_vectored(),
            Kind::ThroughProxy(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inside!(self.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inside!(self.poll_shutdown(context))
    }
}
