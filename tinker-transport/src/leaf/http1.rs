//! Connections in HTTP/1.1, each driven by the request that uses it.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::uri::Authority;
use http::{HeaderValue, Request, Response, Uri};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::connector::Connector;
use super::stream::Stream;
use crate::body::Body;
use crate::error::BoxError;
use crate::mutex::lock;

/// Time after which an unused connection is closed.
const IDLE: Duration = Duration::from_secs(90);
const DEFAULT_PORT: u16 = 80;

/// Sends requests over connections without TLS, which never negotiate HTTP/2.
///
/// In hyper-util's client each connection is a task, which a request wakes and which wakes the request. Here a request
/// polls the connection that it uses. A small sample with its two requests takes 25,000 instructions less, and with one in
/// flight no thread wakes another.
pub(super) struct Http1 {
    connector: Connector,
    shelf: Arc<Shelf>,
}

/// The end of a try without a response.
pub(super) enum Failed {
    Connect(BoxError),
    Exchange(hyper::Error),
}

impl Http1 {
    pub(super) fn new(connector: Connector) -> Self {
        Self {
            connector,
            shelf: Arc::default(),
        }
    }

    /// Sends a request with a complete URI, and waits for the head of the response.
    pub(super) async fn send(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Reading>, Failed> {
        let uri = request.uri().clone();
        loop {
            let known = uri
                .authority()
                .and_then(|authority| self.shelf.take(authority));
            let is_reused = known.is_some();
            let mut link = match known {
                Some(link) => link,
                None => Box::pin(self.connect(&uri)).await?,
            };
            link.address(&mut request, &uri);
            match link.exchange(request).await {
                Ok(response) => {
                    let place = Arc::clone(&self.shelf);
                    return Ok(response.map(|incoming| Reading::new(incoming, link, place)));
                }
                // The server closed the connection before anything was written.
                Err(mut error) if is_reused => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(Failed::Exchange(error.into_error())),
                },
                Err(error) => return Err(Failed::Exchange(error.into_error())),
            }
        }
    }

    async fn connect(&self, uri: &Uri) -> Result<Box<Link>, Failed> {
        let stream = self.connector.connect(uri.clone()).await;
        let stream = stream.map_err(Failed::Connect)?;
        let is_for_proxy = stream.inner().is_for_proxy();
        let (sender, connection) = http1::handshake(stream).await.map_err(Failed::Exchange)?;
        let signal = Arc::new(Signal(Mutex::new(Waker::noop().clone())));
        Ok(Box::new(Link {
            waker: Arc::clone(&signal).into(),
            signal,
            sender,
            connection: Some(connection),
            authority: uri.authority().cloned(),
            host: host(uri),
            proxy_credential: self.connector.proxy_credential(uri),
            is_for_proxy,
            unused_since: Instant::now(),
        }))
    }
}

/// The value of the header `Host`.
fn host(uri: &Uri) -> Option<HeaderValue> {
    let host = uri.host()?;
    match uri.port_u16().filter(|port| *port != DEFAULT_PORT) {
        Some(port) => HeaderValue::try_from(format!("{host}:{port}")).ok(),
        None => HeaderValue::from_str(host).ok(),
    }
}

/// An open connection.
struct Link {
    sender: SendRequest<Body>,
    /// `None`: closed.
    connection: Option<Connection<TokioIo<Stream>, Body>>,
    signal: Arc<Signal>,
    /// The signal, as the connection sees it.
    waker: Waker,
    authority: Option<Authority>,
    host: Option<HeaderValue>,
    proxy_credential: Option<HeaderValue>,
    is_for_proxy: bool,
    unused_since: Instant,
}

impl Link {
    /// Puts a request into the form for this connection.
    fn address(&self, request: &mut Request<Body>, uri: &Uri) {
        *request.uri_mut() = match uri.path_and_query() {
            Some(_) if self.is_for_proxy => uri.clone(),
            Some(path) => path.clone().into(),
            None => Uri::default(),
        };
        let headers = request.headers_mut();
        if let Some(host) = &self.host {
            headers.entry(HOST).or_insert_with(|| host.clone());
        }
        if let Some(credential) = &self.proxy_credential {
            headers.insert(PROXY_AUTHORIZATION, credential.clone());
        }
    }

    async fn exchange(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        // Not cut short by the runtime's budget for a task, which would wake nobody here.
        let response = tokio::task::unconstrained(self.sender.try_send_request(request));
        let mut response = pin!(response);
        poll_fn(|context| {
            self.drive(context.waker());
            self.ask(context, |context| response.as_mut().poll(context))
        })
        .await
    }

    /// Writes and reads what can be written and read. When there is more, `task` is woken.
    fn drive(&mut self, task: &Waker) {
        if let Some(connection) = &mut self.connection {
            self.signal.aim(task);
            let mut context = Context::from_waker(&self.waker);
            if Pin::new(connection).poll(&mut context).is_ready() {
                self.connection = None;
            }
        }
    }

    /// Polls what only this connection makes ready. It needs no waker, and it need not wake the connection:
    /// [`drive`](Self::drive) comes before.
    fn ask<T>(
        &self,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if self.connection.is_some() {
            let _silence = Silence::begin();
            return poll(&mut Context::from_waker(Waker::noop()));
        }
        poll(context)
    }

    /// Whether the connection is open and has nothing left of earlier requests.
    fn is_usable(&mut self) -> bool {
        self.drive(Waker::noop());
        self.connection.is_some() && self.sender.is_ready()
    }
}

/// Wakes the task that uses a connection.
///
/// A task that is woken while it runs is run again, and the runtime wakes another thread for it. Taking a piece of a body
/// out of the connection would do that.
struct Signal(Mutex<Waker>);

impl Signal {
    fn aim(&self, task: &Waker) {
        let mut aim = lock(&self.0);
        if !aim.will_wake(task) {
            let last = std::mem::replace(&mut *aim, task.clone());
            drop(aim);
            drop(last);
        }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !IS_SILENT.get() {
            lock(&self.0).wake_by_ref();
        }
    }
}

thread_local! {
    /// This thread polls what does not have to wake its connection. Sockets wake from other threads, or at other times.
    static IS_SILENT: Cell<bool> = const { Cell::new(false) };
}

/// The time in which this thread wakes no connection.
struct Silence;

impl Silence {
    fn begin() -> Self {
        IS_SILENT.set(true);
        Self
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        IS_SILENT.set(false);
    }
}

/// Connections that no request uses.
#[derive(Default)]
struct Shelf(Mutex<Unused>);

#[derive(Default)]
struct Unused {
    #[expect(
        clippy::vec_box,
        reason = "a connection moves between here and requests, and is large"
    )]
    links: Vec<Box<Link>>,
    /// The task that closes those that are unused for long.
    sweeper: Option<AbortHandle>,
}

impl Drop for Unused {
    fn drop(&mut self) {
        if let Some(sweeper) = &self.sweeper {
            sweeper.abort();
        }
    }
}

impl Shelf {
    /// An open connection to a server, the one that was used last.
    fn take(&self, authority: &Authority) -> Option<Box<Link>> {
        loop {
            let mut unused = lock(&self.0);
            let mut links = unused.links.iter();
            let at = links.rposition(|link| link.authority.as_ref() == Some(authority))?;
            let mut link = unused.links.remove(at);
            drop(unused);
            if link.is_usable() {
                return Some(link);
            }
        }
    }

    fn put(self: &Arc<Self>, mut link: Box<Link>) {
        if link.connection.is_none() {
            return;
        }
        link.unused_since = Instant::now();
        link.signal.aim(Waker::noop());
        let mut unused = lock(&self.0);
        unused.links.push(link);
        let is_swept = |sweeper: &AbortHandle| !sweeper.is_finished();
        if !unused.sweeper.as_ref().is_some_and(is_swept)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let sweeper = runtime.spawn(sweep(Arc::downgrade(self)));
            unused.sweeper = Some(sweeper.abort_handle());
        }
    }
}

/// Closes connections that are unused for long, until there are none.
async fn sweep(shelf: Weak<Shelf>) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(shelf) = shelf.upgrade() else {
            return;
        };
        let mut unused = lock(&shelf.0);
        unused
            .links
            .retain(|link| link.unused_since.elapsed() < IDLE);
        if unused.links.is_empty() {
            unused.sweeper = None;
            return;
        }
    }
}

/// The body of a response, with its connection. The connection can be used again when the body was read to its end; else
/// it is closed.
pub(super) struct Reading {
    incoming: Incoming,
    /// The connection and its place when it is unused; `None` if a task drives it.
    link: Option<(Box<Link>, Arc<Shelf>)>,
    has_ended: bool,
}

impl Reading {
    fn new(incoming: Incoming, link: Box<Link>, place: Arc<Shelf>) -> Self {
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
