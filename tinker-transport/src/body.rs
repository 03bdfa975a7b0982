//! Request and response bodies.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

use crate::error::{BoxError, Kind, Stage, TransportError};
use crate::mutex::lock;

/// Body of a request or response: one [`Bytes`], several of them in order, or a stream.
///
/// A body of bytes or of pieces clones in O(1), so that a retry is cheap; everything the client sends is of these kinds,
/// and only large training batches are in pieces. Responses may stream, and layers must pass streams on without
/// collecting them.
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
    Pieces(Pieces),
    // The mutex is never contended: it makes a body `Sync`, as the network leaf requires, without
    // requiring it of user streams.
    Stream(Mutex<Stream>),
}

/// Bytes in several pieces, from the next one on.
#[derive(Clone)]
struct Pieces {
    all: Arc<[Bytes]>,
    next: usize,
    /// Bytes that are left.
    left: u64,
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

    /// A body of several pieces, sent one behind the other without a copy. One piece is a body of bytes.
    ///
    /// ```
    /// # use tinker_transport::Body;
    /// let body = Body::from_pieces(vec!["ab".into(), "cd".into()]);
    /// assert_eq!(body.exact_len(), Some(4));
    /// ```
    pub fn from_pieces(mut pieces: Vec<Bytes>) -> Self {
        pieces.retain(|piece| !piece.is_empty());
        if pieces.len() <= 1 {
            return pieces.pop().unwrap_or_default().into();
        }
        Self(Content::Pieces(Pieces {
            left: pieces.iter().map(|piece| piece.len() as u64).sum(),
            all: pieces.into(),
            next: 0,
        }))
    }

    /// A second body with the same content, unless this one is a stream.
    pub fn try_clone(&self) -> Option<Self> {
        match &self.0 {
            Content::Bytes(bytes) => Some(bytes.clone().into()),
            Content::Pieces(pieces) => Some(Self(Content::Pieces(pieces.clone()))),
            Content::Stream(_) => None,
        }
    }

    /// The content, if this body is one [`Bytes`]. A large training batch is not: it is in several pieces, which
    /// [`try_clone`](Self::try_clone) and [`collect`](Self::collect) give as one.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Content::Bytes(bytes) => Some(bytes),
            Content::Pieces(_) | Content::Stream(_) => None,
        }
    }

    /// The pieces of the content, unless it is a stream.
    pub(crate) fn pieces(&self) -> Option<&[Bytes]> {
        match &self.0 {
            Content::Bytes(bytes) => Some(std::slice::from_ref(bytes)),
            Content::Pieces(pieces) => Some(&pieces.all[pieces.next..]),
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
            Content::Pieces(pieces) if pieces.left > limit => return Err(too_large()),
            Content::Pieces(pieces) => return Ok(pieces.all[pieces.next..].concat().into()),
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

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let piece = self.all.get(self.next)?.clone();
        self.next += 1;
        self.left -= piece.len() as u64;
        Some(piece)
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
            Content::Pieces(pieces) => {
                Poll::Ready(pieces.next().map(|piece| Ok(Frame::data(piece))))
            }
            Content::Stream(stream) => {
                let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
                stream.as_mut().poll_frame(context)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::Pieces(pieces) => pieces.left == 0,
            Content::Stream(stream) => lock(stream).is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Pieces(pieces) => SizeHint::with_exact(pieces.left),
            Content::Stream(stream) => lock(stream).size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Content::Pieces(pieces) => write!(f, "Body({} bytes in pieces)", pieces.left),
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

    #[tokio::test]
    async fn pieces_are_sent_one_by_one_and_cloned_from_where_they_are() {
        let pieces: Vec<Bytes> = ["ab", "", "cd", "e"].map(Bytes::from).to_vec();
        let mut body = Body::from_pieces(pieces.clone());
        assert!(body.as_bytes().is_none() && body.try_clone().is_some());
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.as_ptr(), pieces[0].as_ptr(), "not copied");
        assert_eq!(body.exact_len(), Some(3));
        let again = body.try_clone().unwrap();
        assert_eq!(again.collect(2).await.unwrap_err().kind(), Kind::TooLarge);
        assert_eq!(body.try_clone().unwrap().collect(3).await.unwrap(), "cde");
        while body.frame().await.is_some() {}
        assert!(http_body::Body::is_end_stream(&body));
        let one = Body::from_pieces(vec!["abc".into()]);
        assert_eq!(one.as_bytes().unwrap(), "abc");
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
