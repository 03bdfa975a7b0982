//! Request compression layer.

use std::cell::RefCell;
use std::io;
use std::sync::LazyLock;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use tokio::sync::Semaphore;
use zstd::zstd_safe::{CCtx, CParameter, compress_bound, get_error_name};

use super::around::{Around, tower_layer};
use crate::error::{Kind, Stage, TransportError};
use crate::request::call::{Call, Compression};
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// Compression level of the official client.
const LEVEL: i32 = 3;
/// Bodies above this size are compressed on a blocking thread; below, it takes less than a millisecond.
const LARGE: usize = 32 * 1024;

/// Most bytes of joined pieces for which a thread keeps memory: the usual requests have 5 MB.
const KEPT: usize = 8 << 20;

/// Bodies that are compressed on blocking threads at a time: one for each core. More would be slower and take more memory.
static THREADS: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Semaphore::new(cores)
});

thread_local! {
    /// A thread of the blocking pool keeps it until the pool ends the thread, after ten seconds without work, so the bodies
    /// of a batch do not allocate it again.
    static COMPRESSOR: RefCell<Option<Compressor>> = const { RefCell::new(None) };
}

/// Compresses the body if the call requests it: one zstd frame with the content size in its header, whatever the length.
/// Streams, and bodies that already have an encoding, are not changed.
///
/// The whole frame is made before the request is sent, because the head of the request states its length. Large bodies are
/// compressed on the threads of the blocking pool, as many at a time as there are cores.
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
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let level = match Call::find(request).compression {
            Compression::None => None,
            Compression::Zstd => Some(LEVEL),
            Compression::ZstdAt(level) => Some(level),
        };
        let level = level.filter(|_| !request.headers().contains_key(CONTENT_ENCODING));
        let plain = request.body().pieces();
        if let Some((level, plain)) = level.zip(plain) {
            *request.body_mut() = compress(plain.to_vec(), level).await?.into();
            request.headers_mut().remove(CONTENT_LENGTH);
            request
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
        }
        inner.run(request).await
    }
}

async fn compress(plain: Vec<Bytes>, level: i32) -> Result<Vec<u8>, TransportError> {
    let failed = |error: io::Error| {
        TransportError::new(
            Kind::Request,
            Stage::NotBuilt,
            "the body could not be compressed",
        )
        .with_source(error)
    };
    let length = plain.iter().map(Bytes::len).sum();
    if length <= LARGE {
        return Compressor::new()
            .frame(&plain, length, level)
            .map_err(failed);
    }
    // Never closed. The thread keeps the permit, also when the caller is gone.
    let permit = THREADS.acquire().await;
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        COMPRESSOR.with_borrow_mut(|compressor| {
            let compressor = compressor.get_or_insert_with(Compressor::new);
            compressor.frame(&plain, length, level)
        })
    });
    work.await
        .map_err(io::Error::other)
        .and_then(|frame| frame)
        .map_err(failed)
}

/// State of compressions with its tables, some MB, and memory in which the pieces of a body are joined: zstd is faster
/// with a whole than with a stream of pieces, by more than the copy costs.
struct Compressor {
    context: CCtx<'static>,
    joined: Vec<u8>,
}

impl Compressor {
    fn new() -> Self {
        Self {
            context: CCtx::create(),
            joined: Vec::new(),
        }
    }

    /// One frame of all pieces, which have `length` bytes.
    fn frame(&mut self, pieces: &[Bytes], length: usize, level: i32) -> io::Result<Vec<u8>> {
        let Self { context, joined } = self;
        let failed = |code| io::Error::other(get_error_name(code));
        let parameter = CParameter::CompressionLevel(level);
        context.set_parameter(parameter).map_err(failed)?;
        let plain = if let [whole] = pieces {
            whole.as_ref()
        } else {
            joined.clear();
            joined.reserve(length);
            for piece in pieces {
                joined.extend_from_slice(piece);
            }
            joined.as_slice()
        };
        // Room for the worst case, as zstd is faster then. Pages that are not used cost nothing.
        let mut frame = Vec::with_capacity(compress_bound(length));
        context.compress2(&mut frame, plain).map_err(failed)?;
        joined.clear();
        joined.shrink_to(KEPT);
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
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
    async fn a_higher_level_makes_a_smaller_frame_and_a_context_can_be_used_again() {
        let text: Vec<u8> = (0..2 * LARGE as u32)
            .flat_map(|n| (n.wrapping_mul(n) % 977).to_le_bytes())
            .collect();
        let mut sizes = Vec::new();
        for level in [-5, 3, 9, 3] {
            let (leaf, seen) = scripted(&[]);
            let call = Call::new("forward_backward", Class::Train)
                .with_compression(Compression::ZstdAt(level));
            let mut original = request(call);
            *original.body_mut() = text.clone().into();
            let transport = leaf.layer(CompressLayer::new());
            transport.call(original).await.unwrap();
            let sent = seen.take().remove(0);
            let frame = sent.body().as_bytes().unwrap();
            assert_eq!(zstd::bulk::decompress(frame, text.len()).unwrap(), text);
            sizes.push(frame.len());
        }
        assert!(sizes[0] > sizes[1] && sizes[1] >= sizes[2], "{sizes:?}");
        assert_eq!(sizes[1], sizes[3]);
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
