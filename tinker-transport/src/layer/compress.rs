//! Request compression layer.

use std::io::Write as _;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderValue, Request};

use super::around::{Around, tower_layer};
use crate::body::Body;
use crate::error::{Kind, Stage, TransportError};
use crate::request::call::{Call, Compression};
use crate::service::{Answer, Inner};

/// Compression level of the official client.
const LEVEL: i32 = 3;
/// Bodies above this size are compressed on a blocking thread; below, it takes about a millisecond.
const LARGE: usize = 256 * 1024;

/// Compresses the body if the call requests it: one zstd frame of level 3 with the content size in its header, whatever
/// the length. Streams, and bodies that already have an encoding, are not changed.
///
/// # Order
/// Near the wire, so that the outer layers see uncompressed bodies and weights.
#[derive(Debug, Clone, Copy, Default)]
pub struct CompressLayer;

impl CompressLayer {
    /// A layer without settings; each call decides.
    pub fn new() -> Self {
        Self
    }
}

tower_layer!(CompressLayer makes Compress);

impl Around for CompressLayer {
    async fn around(&self, request: &mut Request<Body>, inner: &impl Inner) -> Answer {
        let plain = match Call::find(request).compression {
            Compression::Zstd if !request.headers().contains_key(CONTENT_ENCODING) => {
                request.body().pieces().map(<[Bytes]>::to_vec)
            }
            _ => None,
        };
        if let Some(plain) = plain {
            *request.body_mut() = compress(plain).await?.into();
            request.headers_mut().remove(CONTENT_LENGTH);
            request
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
        }
        inner.run(request).await
    }
}

async fn compress(plain: Vec<Bytes>) -> Result<Vec<u8>, TransportError> {
    let failed = |error: std::io::Error| {
        TransportError::new(
            Kind::Request,
            Stage::NotBuilt,
            "the body could not be compressed",
        )
        .with_source(error)
    };
    let length = plain.iter().map(Bytes::len).sum();
    if length <= LARGE {
        return frame(&plain, length).map_err(failed);
    }
    let work = tokio::task::spawn_blocking(move || frame(&plain, length));
    work.await
        .map_err(std::io::Error::other)
        .and_then(|frame| frame)
        .map_err(failed)
}

/// One frame of all pieces, which have `length` bytes.
fn frame(pieces: &[Bytes], length: usize) -> std::io::Result<Vec<u8>> {
    if let [whole] = pieces {
        return zstd::bulk::compress(whole, LEVEL);
    }
    let mut encoder = zstd::Encoder::new(Vec::with_capacity(length / 2), LEVEL)?;
    encoder.set_pledged_src_size(Some(length as u64))?;
    for piece in pieces {
        encoder.write_all(piece)?;
    }
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{request, scripted};
    use crate::flow::class::Class;

    #[tokio::test]
    async fn small_and_large_bodies_become_one_frame_with_their_size_in_its_head() {
        for size in [0, 138, LARGE + 1] {
            let (leaf, seen) = scripted(&[]);
            let call =
                Call::new("forward_backward", Class::Train).with_compression(Compression::Zstd);
            let mut original = request(call);
            *original.body_mut() = vec![7; size].into();
            leaf.layer(CompressLayer::new())
                .call(original)
                .await
                .unwrap();

            let sent = seen.take().remove(0);
            assert_eq!(sent.headers()[CONTENT_ENCODING], "zstd");
            let frame = sent.body().as_bytes().unwrap();
            assert_eq!(
                zstd::zstd_safe::get_frame_content_size(frame).unwrap(),
                Some(size as u64)
            );
            assert_eq!(zstd::bulk::decompress(frame, size).unwrap(), vec![7; size]);
        }
    }

    #[tokio::test]
    async fn pieces_become_one_frame_with_their_size_in_its_head() {
        for size in [5, LARGE] {
            let (leaf, seen) = scripted(&[]);
            let call =
                Call::new("forward_backward", Class::Train).with_compression(Compression::Zstd);
            let mut original = request(call);
            *original.body_mut() = Body::from_pieces(vec![vec![7; size].into(), "end".into()]);
            leaf.layer(CompressLayer::new())
                .call(original)
                .await
                .unwrap();
            let sent = seen.take().remove(0);
            let frame = sent.body().as_bytes().unwrap();
            let whole = Some(size as u64 + 3);
            assert_eq!(
                zstd::zstd_safe::get_frame_content_size(frame).unwrap(),
                whole
            );
            let plain = zstd::bulk::decompress(frame, size + 3).unwrap();
            assert_eq!(plain, [vec![7; size], b"end".to_vec()].concat());
        }
    }

    #[tokio::test]
    async fn nothing_is_compressed_unasked_or_twice() {
        let (leaf, seen) = scripted(&[]);
        let transport = leaf.layer(CompressLayer::new());
        transport
            .call(request(Call::new("x", Class::Train)))
            .await
            .unwrap();
        let mut encoded = request(Call::new("x", Class::Train).with_compression(Compression::Zstd));
        encoded
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        transport.call(encoded).await.unwrap();
        assert!(
            seen.take()
                .iter()
                .all(|request| request.body().as_bytes().unwrap() == "body")
        );
    }
}
