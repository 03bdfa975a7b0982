//! Different values among many, sorted, with bounded memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::spool;

/// Values in memory before they are sorted and written: 1 MiB.
const CHUNK: usize = 1 << 16;

/// Bytes in memory of all sorted chunks together while they are merged, and the least of one chunk.
const MERGED: (usize, usize) = (1 << 20, 4096);

/// A collector of values.
#[derive(Debug)]
pub(super) struct Distinct {
    folder: Option<PathBuf>,
    chunk: Vec<u128>,
    /// Sorted chunks.
    file: Option<File>,
    /// Their places in the file.
    places: Vec<Range<u64>>,
    added: usize,
}

impl Distinct {
    /// No values. A file is made in a folder, by default that for temporary files, and only if it is needed.
    pub(super) fn new(folder: Option<&Path>) -> Self {
        Self {
            folder: folder.map(Path::to_owned),
            chunk: Vec::new(),
            file: None,
            places: Vec::new(),
            added: 0,
        }
    }

    /// Adds a value.
    pub(super) fn add(&mut self, value: u128) -> io::Result<()> {
        if self.chunk.len() == CHUNK {
            self.store()?;
        }
        self.chunk.push(value);
        self.added += 1;
        Ok(())
    }

    fn sort(&mut self) {
        self.chunk.sort_unstable();
        self.chunk.dedup();
    }

    fn store(&mut self) -> io::Result<()> {
        self.sort();
        let file = match &mut self.file {
            Some(file) => file,
            file => file.insert(spool::temporary(self.folder.as_deref())?),
        };
        let start = file.seek(SeekFrom::End(0))?;
        let bytes: Vec<[u8; 16]> = self.chunk.drain(..).map(u128::to_le_bytes).collect();
        file.write_all(bytes.as_flattened())?;
        let end = start + bytes.as_flattened().len() as u64;
        self.places.push(start..end);
        Ok(())
    }

    /// Number of values that were added and are equal to an earlier one.
    pub(super) fn repeats(&mut self) -> io::Result<usize> {
        Ok(self.added - self.count()?)
    }

    /// Number of different values.
    pub(super) fn count(&mut self) -> io::Result<usize> {
        self.values()?
            .try_fold(0, |count, value| Ok(count + value.map(|_| 1)?))
    }

    /// The different values, in increasing order.
    pub(super) fn values(&mut self) -> io::Result<Values<'_>> {
        self.sort();
        let (whole, least) = MERGED;
        let block = (whole / (self.places.len() + 1)).max(least);
        let runs = self.places.iter().map(|place| Run {
            rest: place.clone(),
            block: Vec::new().into_iter(),
        });
        let mut runs: Vec<Run> = runs.collect();
        runs.push(Run {
            rest: 0..0,
            block: self.chunk.clone().into_iter(),
        });
        let mut values = Values {
            file: self.file.as_ref(),
            block: block / 16 * 16,
            next: BinaryHeap::with_capacity(runs.len()),
            runs,
            last: None,
        };
        for at in 0..values.runs.len() {
            values.advance(at)?;
        }
        Ok(values)
    }
}

/// A sorted chunk that is being read.
#[derive(Debug)]
struct Run {
    rest: Range<u64>,
    block: std::vec::IntoIter<u128>,
}

impl Run {
    fn next(&mut self, file: Option<&File>, most: usize) -> io::Result<Option<u128>> {
        let left = self.rest.end - self.rest.start;
        if let (Some(file), [], 1..) = (file, self.block.as_slice(), left) {
            let bytes = left.min(most as u64);
            let mut block = vec![[0; 16]; bytes as usize / 16];
            spool::read_at(file, block.as_flattened_mut(), self.rest.start)?;
            self.rest.start += bytes;
            let block: Vec<u128> = block.into_iter().map(u128::from_le_bytes).collect();
            self.block = block.into_iter();
        }
        Ok(self.block.next())
    }
}

/// The different values, in increasing order.
#[derive(Debug)]
pub(super) struct Values<'a> {
    file: Option<&'a File>,
    /// Bytes that are read at once.
    block: usize,
    runs: Vec<Run>,
    /// The least value of each chunk that is not returned yet.
    next: BinaryHeap<Reverse<(u128, usize)>>,
    last: Option<u128>,
}

impl Values<'_> {
    fn advance(&mut self, run: usize) -> io::Result<()> {
        let value = self.runs[run].next(self.file, self.block)?;
        self.next.extend(value.map(|value| Reverse((value, run))));
        Ok(())
    }
}

impl Iterator for Values<'_> {
    type Item = io::Result<u128>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Reverse((value, run)) = self.next.pop()?;
            if let Err(error) = self.advance(run) {
                return Some(Err(error));
            }
            if self.last != Some(value) {
                self.last = Some(value);
                return Some(Ok(value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn distinct(values: impl Iterator<Item = u128>) -> (Distinct, BTreeSet<u128>) {
        let (mut distinct, mut expected) = (Distinct::new(None), BTreeSet::new());
        for value in values {
            distinct.add(value).unwrap();
            expected.insert(value);
        }
        (distinct, expected)
    }

    #[test]
    fn values_are_sorted_and_counted_in_memory_and_over_chunks() {
        for count in [0, 1, 1000, 3 * CHUNK + 7] {
            // Every value below a half of the number, some of them in several chunks.
            let value = |at: usize| {
                let least =
                    (at as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15) % (count as u128 / 2 + 1);
                least << 70
            };
            let (mut distinct, expected) = distinct((0..count).map(value));
            assert_eq!(distinct.places.len(), count / CHUNK);
            let values: Vec<u128> = distinct.values().unwrap().map(Result::unwrap).collect();
            assert!(values.iter().eq(&expected), "{count}");
            assert_eq!(distinct.count().unwrap(), expected.len());
            assert_eq!(distinct.repeats().unwrap(), count - expected.len());
            // More values can follow.
            distinct.add(u128::MAX).unwrap();
            assert_eq!(distinct.count().unwrap(), expected.len() + 1);
        }
    }
}
