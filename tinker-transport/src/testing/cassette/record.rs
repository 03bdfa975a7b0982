//! Recording of cassettes.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::content::Content;
use super::error::CassetteError;
use super::exchange::{End, Exchange, HEAD, Sent};
use super::scrub::Scrub;
use crate::body::Body;
use crate::error::{BoxError, TransportError};
use crate::layer::{Around, tower_layer};
use crate::mutex::lock;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// Records every exchange into a cassette, without secrets.
///
/// Use it as an attempt layer: there it sees every try, before the credential is attached and with uncompressed bodies.
/// An exchange is written when the response body has been read to its end, or is dropped. Streamed request bodies are
/// not recorded.
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
    /// Writes to a new file at `path`; an existing file is replaced.
    ///
    /// # Errors
    /// The file cannot be written.
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
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let take = Take {
            tape: Arc::clone(&self.tape),
            number: self.tape.next.fetch_add(1, Ordering::Relaxed),
            request: self.tape.scrub.sent(request),
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
                // A buffered body need not be read by the caller to be recorded.
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

/// An exchange in progress.
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
        // A recording with a gap is worse than a test that stops.
        writeln!(lock(&self.tape.file), "{line}").map_err(|error| {
            TransportError::from_boxed(
                CassetteError::new("an exchange could not be recorded")
                    .with_source(error)
                    .into(),
            )
        })
    }
}

/// Records the passing body.
struct Tee {
    inner: Body,
    kept: BytesMut,
    head: Option<(Take, StatusCode, HeaderMap)>,
}

impl Tee {
    /// Writes an exchange whose body was buffered from the beginning.
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
                // A caller that knows the length may not poll for the end.
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
