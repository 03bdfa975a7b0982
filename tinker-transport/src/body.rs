//! Request and response bodies.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

use crate::error::{BoxError, Kind, Stage, TransportError};
use crate::mutex::lock;

/// Body of a request or response: one [`Bytes`], or a stream.
///
/// A body of bytes clones in O(1), so that a retry is cheap; everything the client sends is of this kind. Responses may
/// stream, and layers must pass streams on without collecting them.
///
/// ```
/// # use tinker_transport::Body;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tinker_transport::TransportError> {
/// let body = Body::from("hello");
/// let again = body.try_clone().unwrap();
/// assert_eq!(again.collect(1024).await?, "hello");
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Body(Content);

enum Content {
    Bytes(Bytes),
    // The mutex is never contended: it makes a body `Sync`, as the network leaf requires, without
    // requiring it of user streams.
    Stream(Mutex<Stream>),
}

type Stream = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>;

impl Default for Content {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Body {
    /// An empty body.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Wraps any body. A `Body` is passed through unchanged.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut body = Some(body);
        if let Some(ours) = (&mut body as &mut dyn Any).downcast_mut::<Option<Self>>() {
            return ours.take().unwrap_or_default();
        }
        match body {
            Some(body) if body.is_end_stream() => Self::empty(),
            Some(body) => Self(Content::Stream(Mutex::new(Box::pin(
                body.map_err(Into::into),
            )))),
            None => Self::empty(),
        }
    }

    /// A second body with the same content, if this one consists of bytes.
    pub fn try_clone(&self) -> Option<Self> {
        self.as_bytes().map(|bytes| Self::from(bytes.clone()))
    }

    /// The content, if this body consists of bytes.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Content::Bytes(bytes) => Some(bytes),
            Content::Stream(_) => None,
        }
    }

    /// Length in bytes, if known before reading.
    pub fn exact_len(&self) -> Option<u64> {
        http_body::Body::size_hint(self).exact()
    }

    /// Reads the whole body, at most `limit` bytes of it.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] if the body is larger. [`Kind::Body`] or [`Kind::Timeout`] if it breaks off.
    pub async fn collect(self, limit: u64) -> Result<Bytes, TransportError> {
        let too_large = || {
            let what = format!("the answer is larger than the {limit} bytes allowed");
            TransportError::new(Kind::TooLarge, Stage::Answered, what)
        };
        let mut body = match self.0 {
            Content::Bytes(bytes) if bytes.len() as u64 > limit => return Err(too_large()),
            Content::Bytes(bytes) => return Ok(bytes),
            Content::Stream(stream) => stream.into_inner().unwrap_or_else(PoisonError::into_inner),
        };
        if body.size_hint().lower() > limit {
            return Err(too_large());
        }
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(TransportError::from_body)?.into_data() else {
                continue; // trailers
            };
            if (first.len() + rest.len() + data.len()) as u64 > limit {
                return Err(too_large());
            }
            // Most responses are one frame, which is passed on without a copy.
            if first.is_empty() && rest.is_empty() {
                first = data;
            } else {
                if rest.is_empty() {
                    let more = body.size_hint().lower().min(limit) as usize;
                    rest.reserve(first.len() + data.len() + more);
                    rest.extend_from_slice(&std::mem::take(&mut first));
                }
                rest.extend_from_slice(&data);
            }
        }
        Ok(if rest.is_empty() {
            first
        } else {
            rest.freeze()
        })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Content::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Stream(stream) => {
                let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
                stream.as_mut().poll_frame(context)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::Stream(stream) => lock(stream).is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(stream) => lock(stream).size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Content::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Content::Bytes(bytes))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::chunks as stream;

    #[tokio::test]
    async fn collect_joins_frames_and_keeps_the_limit() {
        assert_eq!(
            stream(&["ab", "cd", "e"]).collect(5).await.unwrap(),
            "abcde"
        );
        let error = stream(&["ab", "cd", "e"]).collect(4).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge);
        assert_eq!(
            Body::from("abcde").collect(4).await.unwrap_err().kind(),
            Kind::TooLarge
        );
    }

    #[test]
    fn bytes_clone_without_copying_and_streams_do_not_clone() {
        let body = Body::from(vec![7; 1000]);
        let again = body.try_clone().unwrap();
        assert_eq!(
            body.as_bytes().unwrap().as_ptr(),
            again.as_bytes().unwrap().as_ptr()
        );
        assert!(stream(&["a"]).try_clone().is_none());
    }

    #[test]
    fn wrapping_ours_changes_nothing() {
        assert_eq!(Body::new(Body::from("abc")).as_bytes().unwrap(), "abc");
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", Body::from("secret")), "Body(6 bytes)");
    }

    #[test]
    fn a_body_is_send_and_sync() {
        fn check<T: Send + Sync + Unpin>() {}
        check::<Body>();
    }
}
