//! Encoded sequences in a file, by index.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::encode::{EncodedRow, nothing_short_enough};
use super::encoded_counts::EncodedCounts;
use super::error::{DatasetError, LineError};
use super::errors::Errors;
use super::index::Index;
use super::length::LengthLimit;
use super::parallel;
use super::record;
use super::spool;
use crate::chat::{EncodedExample, Renderer};
use crate::hashing::Hashing;

/// Last bytes of a file that [`Sequences::save`] wrote.
const MARK: &[u8; 8] = b"tinkseq1";

/// Encoded sequences in a file, read one at a time. Memory: 8 bytes for each sequence.
///
/// ```
/// use tinker_data::{Index, LengthLimit, ReadOptions, Renderer};
///
/// let mut index = Index::new(ReadOptions::new());
/// index.add("-", &b"{\"prompt\": \"a\", \"completion\": \" b\"}\n"[..])?;
/// let sequences = index.encode(&Renderer::plain(), LengthLimit::Unknown, &|_| ())?;
/// assert_eq!((sequences.len(), sequences.counts().learned), (1, 3));
/// assert_eq!(sequences.get(0)?.tokens, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Sequences {
    file: Mutex<File>,
    /// Offset of the end of each sequence.
    ends: Vec<u64>,
    counts: EncodedCounts,
}

impl Index {
    /// Encodes the rows on all cores, into a temporary file. `progress` receives the number of rows that are done.
    ///
    /// # Errors
    /// Rows that the renderer cannot encode or that are too long, all of them at once, unless bad lines are skipped; no
    /// sequence within the limit; or files that cannot be read or written.
    pub fn encode(
        &self,
        renderer: &Renderer,
        limit: LengthLimit,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Sequences, DatasetError> {
        let path = self.paths().next().unwrap_or("".as_ref());
        let failed = |error: io::Error| spool::failed(path, self.folder(), &error);
        let mut file = BufWriter::new(spool::temporary(self.folder()).map_err(failed)?);
        let mut errors = Errors::new(self.options().skip_bad);
        let (mut ends, mut end) = (Vec::with_capacity(self.len()), 0);
        let mut counts = EncodedCounts::default();
        let mut start = 0;
        while start < self.len() {
            let batch = self.batch(start);
            let encode = |at: &usize| -> Result<Result<_, LineError>, DatasetError> {
                let row = self.row(*at)?;
                Ok(EncodedRow::new(renderer, &row, limit).map(|row| {
                    let written = records(&row);
                    (row, written)
                }))
            };
            for row in parallel::map(&batch, encode, &|done| progress(start + done)) {
                let Some((row, written)) = errors.keep(row?) else {
                    continue;
                };
                counts.add(&row);
                let (bytes, lengths) = written.map_err(failed)?;
                for length in lengths {
                    end += length as u64;
                    ends.push(end);
                }
                file.write_all(&bytes).map_err(failed)?;
            }
            start += batch.len();
        }
        if errors.has_only_rows() && ends.is_empty() {
            let error = nothing_short_enough().at_file(path);
            return Err(DatasetError::of(path, error));
        }
        counts.skipped = errors.finish(path)?;
        let file = file
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        Ok(Sequences {
            file: Mutex::new(file),
            ends,
            counts,
        })
    }
}

/// The sequences of a row as bytes, and the length of each.
fn records(row: &EncodedRow) -> io::Result<(Vec<u8>, Vec<usize>)> {
    let (mut bytes, mut lengths) = (Vec::new(), Vec::new());
    for example in &row.examples {
        let start = bytes.len();
        record::write(example, &mut bytes)?;
        lengths.push(bytes.len() - start);
    }
    Ok((bytes, lengths))
}

impl Sequences {
    /// Opens a file that [`Self::save`] wrote, and checks all of its bytes.
    ///
    /// # Errors
    /// A file that cannot be read, that is damaged, or that is no such file.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the file is damaged");
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        // A digest, two lengths and the mark.
        let mut last = [0; 16 + 16 + 8];
        let whole = length.checked_sub(last.len() as u64).ok_or_else(damaged)?;
        let mut bytes = BufReader::with_capacity(1 << 20, file);
        let mut hasher = Hashing::new(io::sink());
        io::copy(&mut bytes.by_ref().take(whole), &mut hasher)?;
        bytes.read_exact(&mut last)?;
        let (digest, rest) = last.split_at(16);
        let (lengths, mark) = rest.split_at(16);
        hasher.write_all(lengths)?;
        if mark != MARK || digest != hasher.digest() {
            return Err(damaged());
        }
        let length = |at: usize| {
            let bytes = lengths
                .get(at..at + 8)
                .and_then(|bytes| bytes.try_into().ok());
            bytes.map(u64::from_le_bytes).ok_or_else(damaged)
        };
        let (count, text) = (length(0)?, length(8)?);
        let table = count
            .checked_mul(8)
            .and_then(|table| table.checked_add(text));
        let start = table.and_then(|table| whole.checked_sub(table));
        bytes.seek(SeekFrom::Start(start.ok_or_else(damaged)?))?;
        let mut ends = Vec::new();
        for _ in 0..count {
            let mut end = [0; 8];
            bytes.read_exact(&mut end)?;
            ends.push(u64::from_le_bytes(end));
        }
        let counts = serde_json::from_reader(bytes.by_ref().take(text))?;
        Ok(Self {
            file: Mutex::new(bytes.into_inner()),
            ends,
            counts,
        })
    }

    /// Writes the sequences to a file, which [`Self::open`] reads. It is complete or absent: it gets its name when all
    /// of it is on the disk.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let saved = self
            .write(Path::new(&part))
            .and_then(|()| std::fs::rename(&part, path));
        if saved.is_err() {
            // The error of the write is the one to return.
            let _ = std::fs::remove_file(&part);
        }
        saved
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut target = Hashing::new(BufWriter::with_capacity(1 << 20, File::create(path)?));
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(0))?;
            let records = self.ends.last().copied().unwrap_or_default();
            io::copy(&mut (&mut *file).take(records), &mut target)?;
        }
        for end in &self.ends {
            target.write_all(&end.to_le_bytes())?;
        }
        let counts = serde_json::to_vec(&self.counts)?;
        target.write_all(&counts)?;
        let lengths = [self.ends.len() as u64, counts.len() as u64].map(u64::to_le_bytes);
        // The lengths stand behind the digest that covers them.
        let mut digest = target.fork();
        digest.write_all(lengths.as_flattened())?;
        let digest = digest.digest();
        let mut file = target.inner;
        for bytes in [&digest[..], lengths.as_flattened(), MARK] {
            file.write_all(bytes)?;
        }
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no sequences.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Counts over the rows that were encoded.
    pub fn counts(&self) -> &EncodedCounts {
        &self.counts
    }

    /// A sequence.
    ///
    /// # Errors
    /// A file that cannot be read any more, or that was changed.
    ///
    /// # Panics
    /// If `at` is not below [`Self::len`].
    pub fn get(&self, at: usize) -> io::Result<EncodedExample> {
        let end = self.ends[at];
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        let mut bytes = vec![0; end.saturating_sub(start) as usize];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut bytes)?;
        }
        let changed = "the file of the encoded data was changed while it was read";
        record::read(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, changed))
    }

    /// All sequences, in the order of the rows.
    pub fn examples(&self) -> impl Iterator<Item = io::Result<EncodedExample>> {
        (0..self.len()).map(|at| self.get(at))
    }
}
