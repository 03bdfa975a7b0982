//! Tar archives of checkpoints.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};
use tinker_types::CheckpointPath;

use super::file::open_whole;
use super::{Store, StoreError};

/// The last entry, an empty file, which shows that the archive is complete.
const COMPLETE: &str = "checkpoint_complete";

/// Most bytes that are read at once.
const CHUNK: usize = 128 << 10;

/// Entries and their files begin at multiples of this.
const BLOCK: u64 = 512;

/// A tar archive, read piece by piece from open files.
///
/// The contents stay the same if the checkpoint is removed or overwritten meanwhile.
#[derive(Debug)]
pub(crate) struct Tarball {
    pieces: VecDeque<Piece>,
    length: u64,
    tag: String,
}

#[derive(Debug)]
enum Piece {
    /// Headers and padding.
    Bytes(Bytes),
    File(Rest),
}

/// The rest of a file.
#[derive(Debug)]
struct Rest {
    file: File,
    start: u64,
    length: u64,
}

impl Store {
    /// Opens the archive of a checkpoint. The same checkpoint gives the same bytes each time.
    pub(crate) fn tarball(&mut self, path: &CheckpointPath) -> Result<Tarball, StoreError> {
        self.drop_expired();
        let (record, place) = self.entry(path)?;
        let second = u64::try_from(record.created.as_second()).unwrap_or(0);
        let mut tarball = Tarball {
            pieces: VecDeque::new(),
            length: 0,
            tag: String::new(),
        };
        // The time of creation distinguishes checkpoints that were saved under the same name.
        let mut digest = Sha256::new();
        digest.update(format!("{path}\n{}", record.created));
        for (name, &size) in &record.files {
            let file = open_whole(place, name, record).map_err(|why| why.into_error(path))?;
            digest.update(format!("\n{name}\n{size}"));
            tarball.push_header(path, name, size, second)?;
            tarball.push_file(file, size);
        }
        tarball.push_header(path, COMPLETE, 0, second)?;
        // Two empty blocks end an archive.
        tarball.push_empty(2 * BLOCK);
        tarball.tag = STANDARD.encode(digest.finalize());
        Ok(tarball)
    }
}

impl Tarball {
    fn push_header(
        &mut self,
        path: &CheckpointPath,
        name: &str,
        size: u64,
        second: u64,
    ) -> Result<(), StoreError> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(second);
        header.set_size(size);
        header.set_path(name).map_err(|error| StoreError::Unfit {
            path: path.clone(),
            why: format!("has a file {name:?} that does not fit into an archive: {error}"),
        })?;
        header.set_cksum();
        self.length += BLOCK;
        let bytes = Bytes::copy_from_slice(header.as_bytes());
        self.pieces.push_back(Piece::Bytes(bytes));
        Ok(())
    }

    fn push_file(&mut self, file: File, size: u64) {
        self.length += size;
        self.pieces.push_back(Piece::File(Rest {
            file,
            start: 0,
            length: size,
        }));
        self.push_empty(size.next_multiple_of(BLOCK) - size);
    }

    fn push_empty(&mut self, count: u64) {
        const EMPTY: [u8; 2 * BLOCK as usize] = [0; 2 * BLOCK as usize];
        self.length += count;
        let bytes = Bytes::from_static(&EMPTY[..count as usize]);
        self.pieces.push_back(Piece::Bytes(bytes));
    }

    /// Number of remaining bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Entity tag, in base64: archives with equal tags have equal bytes.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// Skips the first bytes, at most all of them.
    pub(crate) fn skip(&mut self, mut count: u64) {
        while let Some(piece) = self.pieces.front_mut()
            && count > 0
        {
            let taken = match piece {
                Piece::Bytes(bytes) => {
                    let taken = count.min(bytes.len() as u64);
                    let _left_out = bytes.split_to(taken as usize);
                    taken
                }
                Piece::File(rest) => rest.skip(count),
            };
            count -= taken;
            self.length -= taken;
            if piece.is_empty() {
                self.pieces.pop_front();
            }
        }
    }

    /// Reads the next piece from disk; `None` at the end.
    pub(crate) fn read(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let bytes = match self.pieces.front_mut() {
                None => return Ok(None),
                Some(Piece::Bytes(bytes)) => std::mem::take(bytes),
                Some(Piece::File(rest)) => rest.read()?,
            };
            if self.pieces.front().is_some_and(Piece::is_empty) {
                self.pieces.pop_front();
            }
            self.length -= bytes.len() as u64;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }
}

impl Rest {
    fn skip(&mut self, count: u64) -> u64 {
        let taken = count.min(self.length);
        self.start += taken;
        self.length -= taken;
        taken
    }

    fn read(&mut self) -> io::Result<Bytes> {
        let mut bytes = vec![0; self.length.min(CHUNK as u64) as usize];
        self.file.seek(SeekFrom::Start(self.start))?;
        // A truncated file is an error, not padded.
        self.file.read_exact(&mut bytes)?;
        self.skip(bytes.len() as u64);
        Ok(bytes.into())
    }
}

impl Piece {
    fn is_empty(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::File(rest) => rest.length == 0,
        }
    }
}

#[cfg(test)]
mod tests;
