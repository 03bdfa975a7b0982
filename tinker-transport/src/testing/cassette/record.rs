//! Writes traffic down while it passes.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::content::Content;
use super::exchange::{End, Exchange, Sent};
use super::scrub::Scrub;
use super::{CassetteError, HEAD};
use crate::body::Body;
use crate::error::{BoxError, TransportError};
use crate::layer::{Around, tower_layer};
use crate::service::{Answer, Inner};

/// Records every exchange that passes into a cassette, without secrets.
///
/// Best as an attempt layer: there it sees every try, before the credential is attached and with
/// plain bodies. An exchange is written when its answer's body has been read to the end, or is
/// dropped. A streamed request body passes without being kept.
///
/// ```
/// use tinker_transport::testing::{Cassette, RecordLayer, Scrub, Script};
/// use tinker_transport::{Body, Transport, TransportBuilder, TransportConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Script::new().answer(200, r#"{"jwt":"eyJh.eyJi.c"}"#);
/// # let path = std::env::temp_dir().join(format!("recorded-{}.jsonl", std::process::id()));
/// let recording = RecordLayer::create(&path, Scrub::new())?;
/// let transport = TransportBuilder::from_config(TransportConfig::new("http://engine"))
///     .attempt_layer(recording)
///     .leaf(server) // leave it out to record the network
///     .build()?;
/// let ask = || http::Request::post("/api/v1/auth/token").body(Body::from("{}"));
/// transport.call(ask()?).await?.into_body().collect(1000).await?;
///
/// let replay = Transport::new(Cassette::load(&path)?.strict());
/// let answer = replay.call(ask()?).await?.into_body().collect(1000).await?;
/// assert_eq!(answer, r#"{"jwt":"[removed]"}"#);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RecordLayer {
    tape: Arc<Tape>,
}

struct Tape {
    scrub: Scrub,
    next: AtomicU64,
    file: Mutex<File>,
}

impl RecordLayer {
    /// Writes to a new file at `path`; one that is there is replaced.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: impl AsRef<Path>, scrub: Scrub) -> Result<Self, CassetteError> {
        let path = path.as_ref();
        let create = || {
            let mut file = File::create(path)?;
            writeln!(file, "{HEAD}").map(|()| file)
        };
        let file = create().map_err(|error: io::Error| {
            let what = format!("the cassette {} cannot be written", path.display());
            CassetteError::new(what).with_source(error)
        })?;
        Ok(Self {
            tape: Arc::new(Tape {
                scrub,
                next: AtomicU64::new(1),
                file: Mutex::new(file),
            }),
        })
    }
}

tower_layer!(RecordLayer makes Recorded);

impl Around for RecordLayer {
    async fn around(&self, request: &mut Request<Body>, inner: &impl Inner) -> Answer {
        let take = Take {
            tape: Arc::clone(&self.tape),
            number: self.tape.next.fetch_add(1, Ordering::Relaxed),
            request: self.tape.sent(request),
            began: Instant::now(),
        };
        match inner.run(request).await {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let body = Tee {
                    inner: body,
                    kept: BytesMut::new(),
                    head: Some((take, parts.status, parts.headers.clone())),
                };
                // A body at hand need not be read again by whoever gets it.
                let body = match body.inner.as_bytes().cloned() {
                    Some(bytes) => {
                        body.keep(&bytes)?;
                        Body::from(bytes)
                    }
                    None => Body::new(body),
                };
                Ok(http::Response::from_parts(parts, body))
            }
            Err(error) => {
                let what = take.tape.scrub.text(&error.to_string()).into_owned();
                take.write(End::Failed {
                    kind: error.kind(),
                    stage: error.stage(),
                    what,
                })?;
                Err(error)
            }
        }
    }
}

impl Tape {
    fn sent(&self, request: &Request<Body>) -> Sent {
        let body = request
            .body()
            .as_bytes()
            .map_or(Content::Empty, Content::of);
        Sent {
            method: request.method().to_string(),
            path: self.scrub.text(&path_of(request.uri())).into_owned(),
            headers: self.scrub.headers(request.headers()),
            body: self.scrub.content(body),
        }
    }
}

/// Path and query; before them the origin, if the URI names one.
pub(super) fn path_of(uri: &Uri) -> String {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let Some(host) = uri.host() else {
        return path.to_owned();
    };
    // Not the authority, which may hold a password.
    let scheme = uri.scheme_str().unwrap_or("http");
    let port = uri
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("{scheme}://{host}{port}{path}")
}

/// An exchange that is under way.
struct Take {
    tape: Arc<Tape>,
    number: u64,
    request: Sent,
    began: Instant,
}

impl Take {
    fn write(self, end: End) -> Result<(), TransportError> {
        let exchange = Exchange {
            number: self.number,
            request: self.request,
            end,
            took: self.began.elapsed(),
        };
        let line = exchange.line();
        let mut file = self
            .tape
            .file
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // A recording with a gap is worse than a test that stops.
        writeln!(file, "{line}").map_err(|error| {
            TransportError::from_boxed(
                CassetteError::new("an exchange could not be recorded")
                    .with_source(error)
                    .into(),
            )
        })
    }
}

/// Keeps what passes.
struct Tee {
    inner: Body,
    kept: BytesMut,
    head: Option<(Take, StatusCode, HeaderMap)>,
}

impl Tee {
    /// Writes the exchange with a body that was there from the beginning.
    fn keep(mut self, bytes: &Bytes) -> Result<(), TransportError> {
        self.kept.extend_from_slice(bytes);
        self.end(false)
    }

    fn end(&mut self, is_cut: bool) -> Result<(), TransportError> {
        let Some((take, status, headers)) = self.head.take() else {
            return Ok(());
        };
        let scrub = &take.tape.scrub;
        let body = Content::of(&std::mem::take(&mut self.kept).freeze());
        let end = End::Answered {
            status: status.as_u16(),
            headers: scrub.headers(&headers),
            body: scrub.content(body),
            is_cut,
        };
        take.write(end)
    }
}

impl http_body::Body for Tee {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
        let written = match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.kept.extend_from_slice(data);
                }
                // Whoever knows the length may not ask again for the end.
                if self.inner.is_end_stream() {
                    self.end(false)
                } else {
                    Ok(())
                }
            }
            Some(Err(_)) => self.end(true),
            None => self.end(false),
        };
        Poll::Ready(match written {
            Ok(()) => frame,
            Err(error) => Some(Err(error.into())),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.head.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        if let Err(error) = self.end(true) {
            tracing::warn!(%error, "an exchange is missing on the cassette");
        }
    }
}

impl fmt::Debug for RecordLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordLayer")
            .field("scrub", &self.tape.scrub)
            .finish_non_exhaustive()
    }
}
