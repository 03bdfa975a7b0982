//! Encoded sequences in a file, by index.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::Path;

use super::distinct::Distinct;
use super::encode::{EncodedRow, nothing_short_enough};
use super::encoded_counts::EncodedCounts;
use super::entries::Entries;
use super::error::{DatasetError, LineError};
use super::errors::Errors;
use super::example::Example;
use super::index::Index;
use super::length::LengthLimit;
use super::record;
use super::row::Row;
use super::spool;
use crate::chat::{EncodedExample, Renderer};
use crate::hashing::Hashing;

/// Last bytes of a file that [`Sequences::save`] wrote.
const MARK: &[u8; 8] = b"tinkseq1";

/// Bytes of a file that are copied at once.
const BLOCK: usize = 1 << 20;

/// Encoded sequences in a file, read one at a time. Memory does not grow with their number.
///
/// ```
/// use tinker_data::{Index, LengthLimit, ReadOptions, Renderer};
///
/// let mut index = Index::new(ReadOptions::new());
/// index.add_source("-", &b"{\"prompt\": \"a\", \"completion\": \" b\"}\n"[..])?;
/// let sequences = index.encode(&Renderer::plain(), LengthLimit::Unknown, &|_| ())?;
/// assert_eq!((sequences.len(), sequences.counts().learned), (1, 3));
/// assert_eq!(sequences.get(0)?.tokens, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Sequences {
    /// The sequences, and behind them the offset of the end of each, in 8 bytes.
    file: File,
    /// Offset of the ends.
    ends: u64,
    len: usize,
    counts: EncodedCounts,
}

impl Index {
    /// Encodes the rows on all cores, into a temporary file. Memory: the results of 4,096 rows; equal rows are found by
    /// fingerprints that are sorted in parts of 1 MiB in a temporary file. `progress` receives the number of rows that are done.
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
        let (mut ends, mut end) = (Entries::new(self.folder()), 0);
        let mut counts = EncodedCounts::default();
        let mut rows = Distinct::new(self.folder());
        let encode = |row: &Row| {
            let encoded = EncodedRow::new(renderer, row, limit);
            encoded.map(|encoded| Written::new(encoded, &row.example))
        };
        let take = |row: Result<io::Result<Written>, LineError>| {
            let Some(row) = errors.keep(row) else {
                return Ok(());
            };
            let row = row.map_err(failed)?;
            counts.add(&row.counts);
            rows.add(row.fingerprint).map_err(failed)?;
            for of_row in &row.ends {
                let end: u64 = end + *of_row as u64;
                ends.push(end.to_le_bytes()).map_err(failed)?;
            }
            end += row.bytes.len() as u64;
            file.write_all(&row.bytes).map_err(failed)
        };
        self.map(encode, take, progress)?;
        if errors.has_only_rows() && ends.len() == 0 {
            let error = nothing_short_enough().at_file(path);
            return Err(DatasetError::of(path, error));
        }
        counts.skipped = errors.finish(path)?;
        counts.duplicates = rows.repeats().map_err(failed)?;
        for end in ends.iter() {
            end.and_then(|end| file.write_all(&end)).map_err(failed)?;
        }
        let file = file
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        Ok(Sequences {
            file,
            ends: end,
            len: ends.len(),
            counts,
        })
    }
}

/// The sequences of a row as bytes.
struct Written {
    counts: EncodedCounts,
    fingerprint: u128,
    bytes: Vec<u8>,
    /// Number of bytes up to the end of each sequence.
    ends: Vec<usize>,
}

impl Written {
    fn new(row: EncodedRow, example: &Example) -> io::Result<Self> {
        let mut written = Self {
            counts: EncodedCounts {
                empty_turns: example.empty_turns(),
                ..EncodedCounts::of(&row)
            },
            fingerprint: example.fingerprint(),
            bytes: Vec::new(),
            ends: Vec::with_capacity(row.examples.len()),
        };
        for example in row.examples {
            record::write(&example, &mut written.bytes)?;
            written.ends.push(written.bytes.len());
        }
        Ok(written)
    }
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
        let start = start.ok_or_else(damaged)?;
        bytes.seek(SeekFrom::Start(whole - text))?;
        let counts = serde_json::from_reader(bytes.by_ref().take(text))?;
        Ok(Self {
            file: bytes.into_inner(),
            ends: start,
            len: usize::try_from(count).map_err(|_| damaged())?,
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
        let whole = self.ends + 8 * self.len as u64;
        let (mut done, mut block) = (0, vec![0; BLOCK]);
        while done < whole {
            let count = (whole - done).min(BLOCK as u64);
            let block = &mut block[..count as usize];
            spool::read_at(&self.file, block, done)?;
            target.write_all(block)?;
            done += count;
        }
        let counts = serde_json::to_vec(&self.counts)?;
        target.write_all(&counts)?;
        let lengths = [self.len as u64, counts.len() as u64].map(u64::to_le_bytes);
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
        self.len
    }

    /// Whether there are no sequences.
    pub fn is_empty(&self) -> bool {
        self.len == 0
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
        assert!(at < self.len, "{at} of {}", self.len);
        let end = |at: usize| {
            let mut bytes = [0; 8];
            let read = spool::read_at(&self.file, &mut bytes, self.ends + 8 * at as u64);
            read.map(|()| u64::from_le_bytes(bytes))
        };
        let start = at.checked_sub(1).map_or(Ok(0), end)?;
        let mut bytes = vec![0; end(at)?.saturating_sub(start) as usize];
        spool::read_at(&self.file, &mut bytes, start)?;
        let changed = "the file of the encoded data was changed while it was read";
        record::read(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, changed))
    }

    /// All sequences, in the order of the rows.
    pub fn examples(&self) -> impl Iterator<Item = io::Result<EncodedExample>> {
        (0..self.len()).map(|at| self.get(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::ReadOptions;
    use crate::dataset::reader::Dataset;

    /// Rows of different lengths; every seventh is empty, which cannot be encoded.
    fn lines(rows: usize) -> String {
        let line = |at: usize| {
            let answer = "x".repeat(if at % 7 == 6 { 0 } else { 1 + at % 5 });
            format!(
                "{{\"messages\":[{{\"role\":\"user\",\"content\":\"{at}\"}},{{\"role\":\"assistant\",\"content\":\"{answer}\"}}]}}\n"
            )
        };
        (0..rows).map(line).collect()
    }

    fn index(text: String, options: ReadOptions) -> Index {
        let mut index = Index::new(options);
        index.add_source("x.jsonl", io::Cursor::new(text)).unwrap();
        index
    }

    #[test]
    fn sequences_are_those_of_the_data_in_memory() {
        let mut rows = index(lines(10_000), ReadOptions::new());
        let good: Vec<usize> = (0..rows.len()).filter(|at| at % 7 != 6).collect();
        rows.select(good).unwrap();
        let renderer = Renderer::plain();
        let dataset = Dataset {
            path: "x.jsonl".into(),
            rows: rows.rows().map(Result::unwrap).collect(),
            ..Dataset::default()
        };
        for limit in [
            LengthLimit::Unknown,
            LengthLimit::LeaveOut(25),
            LengthLimit::Cut(25),
        ] {
            let expected = dataset.encode(&renderer, limit).unwrap();
            let last = std::sync::atomic::AtomicUsize::new(0);
            let progress = |done| {
                last.fetch_max(done, std::sync::atomic::Ordering::Relaxed);
            };
            let sequences = rows.encode(&renderer, limit, &progress).unwrap();
            assert_eq!(last.into_inner(), rows.len());
            let all: Vec<_> = sequences.examples().map(Result::unwrap).collect();
            assert_eq!(all, expected.examples);
            let counts = sequences.counts();
            assert_eq!(counts.sequences, expected.examples.len());
            assert_eq!(
                (counts.tokens, counts.longest),
                (expected.tokens(), expected.longest())
            );
            assert_eq!(counts.left_out, expected.left_out);
            assert_eq!(
                (counts.cut, counts.learned),
                (expected.cut, expected.learned())
            );
            assert_eq!(counts.learned_lost, expected.learned_lost);
        }
    }

    #[test]
    fn rows_that_cannot_be_encoded_are_errors_or_left_out() {
        let rows = index(lines(100), ReadOptions::new());
        let encode = |rows: &Index, limit| rows.encode(&Renderer::plain(), limit, &|_| ());
        let error = encode(&rows, LengthLimit::Unknown).unwrap_err();
        assert_eq!(
            (error.lines().len(), error.lines()[0].line()),
            (14, Some(7))
        );
        let rows = index(lines(100), ReadOptions::new().with_skip_bad(true));
        let sequences = encode(&rows, LengthLimit::Unknown).unwrap();
        assert_eq!((sequences.len(), sequences.counts().skipped), (86, 14));
        let error = encode(&rows, LengthLimit::LeaveOut(3))
            .unwrap_err()
            .to_string();
        assert!(error.contains("no example that is short enough"), "{error}");
    }

    #[test]
    fn a_saved_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let rows = index(lines(100), ReadOptions::new().with_skip_bad(true));
        let sequences = rows.encode(&Renderer::plain(), LengthLimit::Unknown, &|_| ());
        let sequences = sequences.unwrap();
        sequences.save(&path).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let again = Sequences::open(&path).unwrap();
        assert_eq!(again.counts(), sequences.counts());
        let all = |sequences: &Sequences| -> Vec<EncodedExample> {
            sequences.examples().map(Result::unwrap).collect()
        };
        assert_eq!(all(&again), all(&sequences));

        let bytes = std::fs::read(&path).unwrap();
        for end in (0..bytes.len()).step_by(37) {
            std::fs::write(&path, &bytes[..end]).unwrap();
            let error = Sequences::open(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "cut at {end}");
        }
        assert!(sequences.save(folder.path().join("none/x")).is_err());
    }
}
