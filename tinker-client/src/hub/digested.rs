//! A file to be pushed, with its size and hashes.

use std::io::{Read, Seek as _, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body::{Body as HttpBody, Frame, SizeHint};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tinker_transport::Body;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::error::{HubError, HubErrorKind};
use super::push::PushContent;

/// Bytes of a file by which the Hub tells texts from other files.
const SAMPLE: usize = 512;
/// Size of the read buffer in bytes.
const PIECE: usize = 256 << 10;

/// Name, size and hashes of a file.
#[derive(Debug)]
pub(super) struct Digested {
    pub(super) name: String,
    pub(super) content: PushContent,
    pub(super) size: u64,
    pub(super) sample: Vec<u8>,
    pub(super) sha256: String,
    /// The hash that git gives the file.
    pub(super) git: String,
}

impl Digested {
    /// Reads a file to its end. Blocks the thread.
    pub(super) fn read(name: String, content: PushContent) -> Result<Self, HubError> {
        let read = match &content {
            PushContent::Bytes(bytes) => digest(&mut &bytes[..], bytes.len() as u64),
            PushContent::Path(path) => std::fs::File::open(path).and_then(|mut file| {
                let size = file.seek(SeekFrom::End(0))?;
                file.rewind()?;
                digest(&mut file, size)
            }),
        };
        let (size, sample, sha256, git) = read.map_err(|error| match &content {
            PushContent::Path(path) => HubError::disk(path, "cannot be read", error),
            PushContent::Bytes(_) => HubError::invalid("unreadable bytes").because(error),
        })?;
        Ok(Self {
            name,
            content,
            size,
            sample,
            sha256,
            git,
        })
    }

    /// The whole content, in memory.
    pub(super) async fn bytes(&self) -> Result<Bytes, HubError> {
        match &self.content {
            PushContent::Bytes(bytes) => Ok(bytes.clone()),
            PushContent::Path(path) => {
                let read = tokio::fs::read(path).await;
                let bytes = read.map_err(|error| HubError::disk(path, "cannot be read", error))?;
                self.unchanged(bytes.len() as u64)?;
                Ok(bytes.into())
            }
        }
    }

    fn unchanged(&self, size: u64) -> Result<(), HubError> {
        if size == self.size {
            return Ok(());
        }
        let what = format!("{} was changed while it was pushed; push again", self.name);
        Err(HubError::new(HubErrorKind::Damaged, what))
    }

    /// A part of the content as a body of known length. `sent` receives the number of bytes that were taken from it.
    pub(super) async fn body(
        &self,
        from: u64,
        length: u64,
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Body, HubError> {
        let path = match &self.content {
            PushContent::Bytes(bytes) => {
                let part = bytes.slice(from as usize..(from + length) as usize);
                sent(length);
                return Ok(Body::from(part));
            }
            PushContent::Path(path) => path,
        };
        let pieces = pieces(path, from).await;
        let pieces = pieces.map_err(|error| HubError::disk(path, "cannot be read", error))?;
        Ok(Body::new(Part {
            pieces: Box::pin(pieces),
            left: length,
            length,
            sent: Arc::new(sent),
        }))
    }
}

type Piece = std::io::Result<Bytes>;

/// The content of a file from a byte on.
async fn pieces(
    path: &Path,
    from: u64,
) -> std::io::Result<impl Stream<Item = Piece> + Send + use<>> {
    let mut file = tokio::fs::File::open(path).await?;
    file.seek(SeekFrom::Start(from)).await?;
    let read = |mut file: tokio::fs::File| async move {
        let mut piece = Vec::with_capacity(PIECE);
        match (&mut file).take(PIECE as u64).read_to_end(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(piece.into()), file)),
            Err(error) => Some((Err(error), file)),
        }
    };
    Ok(stream::unfold(file, read))
}

/// A part of a file.
struct Part {
    pieces: Pin<Box<dyn Stream<Item = Piece> + Send>>,
    left: u64,
    length: u64,
    sent: Arc<dyn Fn(u64) + Send + Sync>,
}

impl HttpBody for Part {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let Poll::Ready(piece) = self.pieces.as_mut().poll_next(context) else {
            return Poll::Pending;
        };
        let ended = || std::io::Error::other("the file became shorter while it was pushed");
        let mut piece = match piece {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(Some(Err(ended()))),
        };
        piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= piece.len() as u64;
        (self.sent)(self.length - self.left);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

type Hashes = (u64, Vec<u8>, String, String);

fn digest(from: &mut dyn Read, size: u64) -> std::io::Result<Hashes> {
    let mut git = Sha1::new_with_prefix(format!("blob {size}\0"));
    let mut sha256 = Sha256::new();
    let (mut sample, mut read) = (Vec::new(), 0);
    let mut piece = vec![0; PIECE];
    loop {
        let count = from.read(&mut piece)?;
        if count == 0 {
            break;
        }
        let bytes = &piece[..count];
        sample.extend(bytes.iter().take(SAMPLE - sample.len()));
        sha256.update(bytes);
        git.update(bytes);
        read += count as u64;
    }
    Ok((read, sample, hex(&sha256.finalize()), hex(&git.finalize())))
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
