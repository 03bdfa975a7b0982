//! Digests of what is written.

use std::hash::Hasher as _;
use std::io::{self, Write};

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// A writer that computes a digest of the bytes.
pub(crate) struct Hashing<W> {
    pub(crate) inner: W,
    hasher: SipHasher13,
}

impl<W: Write> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: SipHasher13::new(),
        }
    }

    /// A writer that computes the digest of the bytes up to here and of further ones, and keeps none.
    pub(crate) fn fork(&self) -> Hashing<io::Sink> {
        Hashing {
            inner: io::sink(),
            hasher: self.hasher,
        }
    }

    /// The digest of the bytes up to here.
    pub(crate) fn digest(&self) -> [u8; 16] {
        u128::from(self.hasher.finish128()).to_le_bytes()
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.write(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
