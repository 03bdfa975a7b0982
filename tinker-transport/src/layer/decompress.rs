//! Response decompression layer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderValue;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use http_body::{Body as _, Frame};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::around::{Around, tower_layer};
use crate::body::Body;
use crate::error::{BoxError, Kind, Stage, TransportError};
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// Bytes decoded at a time.
const PIECE: usize = 64 * 1024;

/// Offers `Accept-Encoding: zstd` and decodes such responses while they stream.
///
/// A request that names encodings itself is not changed, nor is its response. Other encodings are not offered: no
/// server needs them, and `tower-http`'s `DecompressionLayer` is available for such a server.
///
/// # Order
/// Inside [`TimeoutLayer`](super::TimeoutLayer), near the wire.
#[derive(Debug, Clone, Copy, Default)]
pub struct DecompressLayer;

impl DecompressLayer {
    /// A layer without settings.
    pub fn new() -> Self {
        Self
    }
}

tower_layer!(DecompressLayer makes Decompress);

impl Around for DecompressLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let is_ours = !request.headers().contains_key(ACCEPT_ENCODING);
        if is_ours {
            request
                .headers_mut()
                .insert(ACCEPT_ENCODING, HeaderValue::from_static("zstd"));
        }
        let mut response = inner.run(request).await?;
        let is_zstd = response
            .headers()
            .get(CONTENT_ENCODING)
            .is_some_and(|encoding| encoding == "zstd");
        if !is_ours || !is_zstd || response.body().is_end_stream() {
            return Ok(response);
        }
        let decoder = Decoder::new().map_err(|error| undecodable(error.into()))?;
        response.headers_mut().remove(CONTENT_ENCODING);
        response.headers_mut().remove(CONTENT_LENGTH);
        Ok(response.map(|inner| {
            Body::new(Decoded {
                inner,
                decoder,
                input: Bytes::new(),
                is_within_frame: true,
                is_flushed: true,
            })
        }))
    }
}

fn undecodable(source: BoxError) -> TransportError {
    TransportError::new(
        Kind::Body,
        Stage::Answered,
        "the answer's zstd body cannot be decoded",
    )
    .with_source(source)
}

struct Decoded {
    inner: Body,
    decoder: Decoder<'static>,
    input: Bytes,
    /// Whether the body may not end here.
    is_within_frame: bool,
    /// Whether the decoder has no more output for its input.
    is_flushed: bool,
}

impl Decoded {
    /// Decodes the next piece of the available input; `None` when all of it is consumed.
    fn decode(&mut self) -> Result<Option<Bytes>, BoxError> {
        while !self.input.is_empty() || !self.is_flushed {
            let mut piece = vec![0; PIECE];
            let mut source = InBuffer::around(&self.input);
            let mut target = OutBuffer::around(&mut piece[..]);
            let wanted = self
                .decoder
                .run(&mut source, &mut target)
                .map_err(|error| undecodable(error.into()))?;
            let (used, made) = (source.pos(), target.pos());
            let _ = self.input.split_to(used);
            self.is_within_frame = wanted != 0;
            self.is_flushed = made < PIECE;
            if made > 0 {
                piece.truncate(made);
                return Ok(Some(piece.into()));
            }
        }
        Ok(None)
    }
}

impl http_body::Body for Decoded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            match self.decode() {
                Ok(Some(piece)) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            let frame = match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if std::mem::take(&mut self.is_within_frame) => {
                    return Poll::Ready(Some(Err(undecodable(
                        "it ends in the middle of a frame".into(),
                    )
                    .into())));
                }
                None => return Poll::Ready(None),
            };
            match frame.into_data() {
                Ok(data) => self.input = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{answer, leaf, request};
    use crate::flow::class::Class;
    use crate::request::call::Call;

    /// A body in pieces of `size`.
    struct Pieces(Bytes, usize);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = BoxError;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            let size = self.1.min(self.0.len());
            Poll::Ready((size > 0).then(|| Ok(Frame::data(self.0.split_to(size)))))
        }
    }

    async fn fetch(encoded: Vec<u8>, piece: usize) -> Result<Bytes, TransportError> {
        let encoded = Bytes::from(encoded);
        let leaf = leaf(move |request| {
            assert_eq!(request.headers()[ACCEPT_ENCODING], "zstd");
            let mut response = answer(200);
            response
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
            response
                .headers_mut()
                .insert(CONTENT_LENGTH, encoded.len().into());
            *response.body_mut() = Body::new(Pieces(encoded.clone(), piece));
            async move { Ok(response) }
        });
        let response = leaf
            .layer(DecompressLayer::new())
            .call(request(Call::new("x", Class::Rest)))
            .await?;
        assert!(!response.headers().contains_key(CONTENT_LENGTH));
        response.into_body().collect(10_000_000).await
    }

    fn text() -> Vec<u8> {
        (0..300_000_u32)
            .flat_map(|n| (n / 7).to_le_bytes())
            .collect()
    }

    #[tokio::test]
    async fn frames_in_pieces_come_out_whole() {
        let encoded = zstd::bulk::compress(&text(), 3).unwrap();
        for piece in [1, 1000, usize::MAX] {
            assert_eq!(
                fetch(encoded.clone(), piece).await.unwrap(),
                text(),
                "pieces of {piece}"
            );
        }
        let two = [
            zstd::bulk::compress(b"one", 3).unwrap(),
            zstd::bulk::compress(b"two", 3).unwrap(),
        ]
        .concat();
        assert_eq!(fetch(two, 4).await.unwrap(), "onetwo");
    }

    #[tokio::test]
    async fn broken_bodies_are_errors() {
        let mut cut = zstd::bulk::compress(&text(), 3).unwrap();
        cut.truncate(cut.len() - 5);
        assert_eq!(fetch(cut, 1000).await.unwrap_err().kind(), Kind::Body);
        assert_eq!(
            fetch(b"not zstd at all".to_vec(), 100)
                .await
                .unwrap_err()
                .kind(),
            Kind::Body
        );
    }
}
