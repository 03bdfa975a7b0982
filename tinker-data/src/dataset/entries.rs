//! Values of a fixed size by number: the last ones in memory, those before in a temporary file.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::spool;

/// Largest number of bytes in memory.
const KEPT: usize = 1 << 18;

/// Values that are read at once in a pass over all of them.
const BLOCK: usize = 4096;

/// Values of `N` bytes.
#[derive(Debug)]
pub(super) struct Entries<const N: usize> {
    folder: Option<PathBuf>,
    /// Those before the ones in memory.
    file: Option<File>,
    /// Their number.
    stored: usize,
    last: Vec<[u8; N]>,
}

impl<const N: usize> Entries<N> {
    /// No values. The file is made in a folder, by default that for temporary files, and only if it is needed.
    pub(super) fn new(folder: Option<&Path>) -> Self {
        Self {
            folder: folder.map(Path::to_owned),
            file: None,
            stored: 0,
            last: Vec::new(),
        }
    }

    /// Folder of the file.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.stored + self.last.len()
    }

    /// Adds a value.
    pub(super) fn push(&mut self, value: [u8; N]) -> io::Result<()> {
        self.last.push(value);
        if self.last.len() * N >= KEPT {
            self.store()?;
        }
        Ok(())
    }

    fn store(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            file => file.insert(spool::temporary(self.folder.as_deref())?),
        };
        file.seek(SeekFrom::End(0))?;
        file.write_all(self.last.as_flattened())?;
        self.stored += self.last.len();
        self.last.clear();
        Ok(())
    }

    /// At most `count` values from number `start` on.
    pub(super) fn read(&self, start: usize, count: usize) -> io::Result<Vec<[u8; N]>> {
        let end = self.len().min(start.saturating_add(count));
        let in_file = start.min(self.stored)..end.min(self.stored);
        let mut values = vec![[0; N]; in_file.len()];
        if let Some(file) = &self.file {
            let offset = in_file.start as u64 * N as u64;
            spool::read_at(file, values.as_flattened_mut(), offset)?;
        }
        let in_memory = start.max(self.stored)..end;
        if !in_memory.is_empty() {
            let own = in_memory.start - self.stored..in_memory.end - self.stored;
            values.extend(&self.last[own]);
        }
        Ok(values)
    }

    /// A value.
    ///
    /// # Panics
    /// If `at` is not below [`Self::len`].
    pub(super) fn get(&self, at: usize) -> io::Result<[u8; N]> {
        Ok(self.read(at, 1)?[0])
    }

    /// All values, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = io::Result<[u8; N]>> {
        let blocks = (0..self.len()).step_by(BLOCK);
        blocks.flat_map(|start| {
            let (block, error) = match self.read(start, BLOCK) {
                Ok(block) => (block, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            block.into_iter().map(Ok).chain(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_that_were_added() {
        let folder = tempfile::tempdir().unwrap();
        let mut entries = Entries::new(Some(folder.path()));
        assert_eq!(entries.iter().count(), 0);
        // Two blocks in the file, and some in memory.
        let count = 2 * KEPT / 8 + 1000;
        for value in 0..count as u64 {
            entries.push(value.to_le_bytes()).unwrap();
        }
        assert_eq!((entries.len(), entries.last.len()), (count, 1000));
        let values = entries
            .iter()
            .map(|value| u64::from_le_bytes(value.unwrap()));
        assert!(values.eq(0..count as u64));
        for at in [0, 1, KEPT / 8 - 1, KEPT / 8, 2 * KEPT / 8, count - 1] {
            assert_eq!(entries.get(at).unwrap(), (at as u64).to_le_bytes());
        }
        // Over the end of the file and over the end of all.
        let read = entries.read(2 * KEPT / 8 - 2, 4).unwrap();
        assert_eq!(read.len(), 4);
        assert_eq!(read[3], (2 * KEPT as u64 / 8 + 1).to_le_bytes());
        assert_eq!(entries.read(count - 1, 9).unwrap().len(), 1);
        assert!(entries.read(count, 9).unwrap().is_empty());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
