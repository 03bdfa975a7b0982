//! A connection in HTTP/1.1, driven by the request that uses it.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::server::Server;
use super::stream::Stream;
use crate::body::Body;
use crate::mutex::lock;

/// An open connection in HTTP/1.1.
///
/// In hyper-util's client each connection is a task, which a request wakes and which wakes the request. Here a request
/// polls the connection that it uses. A small sample with its two requests takes 25,000 instructions less, and with one in
/// flight no thread wakes another.
pub(super) struct Link {
    sender: SendRequest<Body>,
    /// `None`: closed.
    connection: Option<Connection<TokioIo<Stream>, Body>>,
    signal: Arc<Signal>,
    /// The signal, as the connection sees it.
    waker: Waker,
    pub(super) server: Server,
    host: Option<HeaderValue>,
    proxy_credential: Option<HeaderValue>,
    is_for_proxy: bool,
    pub(super) unused_since: Instant,
}

impl Link {
    /// Speaks HTTP/1.1 over a stream. An HTTP proxy that receives the requests themselves gets a credential.
    pub(super) async fn begin(
        server: &Server,
        stream: TokioIo<Stream>,
        proxy_credential: Option<HeaderValue>,
    ) -> hyper::Result<Box<Self>> {
        let is_for_proxy = stream.inner().is_for_proxy();
        let (sender, connection) = http1::handshake(stream).await?;
        let signal = Arc::new(Signal(Mutex::new(Waker::noop().clone())));
        Ok(Box::new(Self {
            waker: Arc::clone(&signal).into(),
            signal,
            sender,
            connection: Some(connection),
            host: host(server),
            server: server.clone(),
            proxy_credential,
            is_for_proxy,
            unused_since: Instant::now(),
        }))
    }

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

    /// Sends a request to `uri`, and waits for the head of the response.
    pub(super) async fn exchange(
        &mut self,
        uri: &Uri,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        self.address(&mut request, uri);
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
    pub(super) fn drive(&mut self, task: &Waker) {
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
    pub(super) fn ask<T>(
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

    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Lets no task be woken by the connection.
    pub(super) fn rest(&mut self) {
        self.unused_since = Instant::now();
        self.signal.aim(Waker::noop());
    }

    /// Whether the connection is open and has nothing left of earlier requests.
    pub(super) fn is_usable(&mut self) -> bool {
        self.drive(Waker::noop());
        self.connection.is_some() && self.sender.is_ready()
    }
}

/// The value of the header `Host`.
fn host(server: &Server) -> Option<HeaderValue> {
    match server.unusual_port() {
        Some(port) => HeaderValue::try_from(format!("{}:{port}", server.host())).ok(),
        None => HeaderValue::from_str(server.host()).ok(),
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
