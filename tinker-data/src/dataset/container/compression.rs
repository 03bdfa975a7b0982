//! Compressed files.

use std::io::Read;

use crate::dataset::error::{ErrorKind, LineError};

/// A source of bytes.
pub(super) type Bytes = Box<dyn Read + Send>;

const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// Whether a file that begins like this is compressed in a way that is read.
pub(super) fn is_compressed(head: &[u8]) -> bool {
    head.starts_with(GZIP) || head.starts_with(ZSTD)
}

/// The content of a compressed source that begins with `head`.
#[cfg(feature = "compression")]
pub(super) fn decompressed(head: &[u8], bytes: Bytes) -> Result<Bytes, LineError> {
    if head.starts_with(GZIP) {
        return Ok(Box::new(flate2::read::MultiGzDecoder::new(
            std::io::BufReader::new(bytes),
        )));
    }
    let decoder = zstd::Decoder::new(bytes).map_err(|error| {
        let reason = format!("cannot be decompressed: {error}");
        LineError::new(ErrorKind::File, reason, "compress the file again")
    })?;
    Ok(Box::new(decoder))
}

#[cfg(not(feature = "compression"))]
pub(super) fn decompressed(_: &[u8], _: Bytes) -> Result<Bytes, LineError> {
    Err(LineError::new(
        ErrorKind::File,
        "is compressed, and this build reads no compressed files",
        "decompress it, or build with the feature `compression`",
    ))
}
