//! Encoded data of earlier runs, in the cache folder of the user.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use tinker_data::Sequences;

use crate::clock;
use crate::format;

/// Bytes of all entries together. Those that were not used for the longest time are removed first.
const MOST: u64 = 4 << 30;

/// Ending of the names of entries.
const ENDING: &str = "sequences";

/// A folder of encoded data, each in a file that is named after the digest of what it was made from.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    most: u64,
}

/// Digest of everything that an entry is made from.
#[derive(Debug, Default)]
pub(crate) struct Key(Sha256);

impl Key {
    /// Adds a part.
    pub(crate) fn with(mut self, part: &str) -> Self {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    fn name(&self) -> String {
        let digest = self.0.clone().finalize();
        format!("{}.{ENDING}", format::hex(&digest[..16]))
    }
}

impl Cache {
    /// The cache in a folder, which is made when it is needed.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, most: MOST }
    }

    /// The path of an entry.
    pub(crate) fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(key.name())
    }

    /// An entry; `None` if there is none.
    ///
    /// # Errors
    /// An entry that is damaged or cannot be read. It is removed.
    pub(crate) fn open(&self, key: &Key) -> io::Result<Option<Sequences>> {
        let path = self.path(key);
        match Sequences::open(&path) {
            Ok(sequences) => {
                // The time of the last use; at worst the entry is removed early.
                let _ = File::options()
                    .append(true)
                    .open(&path)
                    .and_then(|file| file.set_modified(clock::system_now()));
                Ok(Some(sequences))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => {
                // It is written again in any case.
                let _ = std::fs::remove_file(&path);
                Err(error)
            }
        }
    }

    /// Keeps an entry, and removes old ones while all are too large.
    pub(crate) fn save(&self, key: &Key, sequences: &Sequences) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let path = self.path(key);
        sequences.save(&path)?;
        self.shrink(&path)
    }

    fn shrink(&self, kept: &Path) -> io::Result<()> {
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let found = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)));
            // Another process may have removed it.
            let Ok((path, metadata)) = found else {
                continue;
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if metadata.is_file() && name.contains(&format!(".{ENDING}")) {
                entries.push((metadata.modified()?, metadata.len(), path));
            }
        }
        entries.sort_unstable();
        let mut bytes: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, length, path) in entries {
            if bytes <= self.most {
                break;
            }
            if path != kept && std::fs::remove_file(&path).is_ok() {
                bytes -= length;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tinker_data::{Index, LengthLimit, ReadOptions, Renderer};

    use super::*;

    fn sequences(text: &str) -> Sequences {
        let mut index = Index::new(ReadOptions::new());
        let line = format!("{{\"text\": \"{text}\"}}");
        index.add_source("x.jsonl", io::Cursor::new(line)).unwrap();
        let encoded = index.encode(&Renderer::plain(), LengthLimit::Unknown, &|_| ());
        encoded.unwrap()
    }

    fn key(name: &str) -> Key {
        Key::default().with(name)
    }

    #[test]
    fn entries_are_kept_and_damaged_ones_removed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("a/b"));
        assert!(cache.open(&key("x")).unwrap().is_none());
        let saved = sequences("abc");
        cache.save(&key("x"), &saved).unwrap();
        let opened = cache.open(&key("x")).unwrap().unwrap();
        assert_eq!(opened.counts(), saved.counts());
        assert_eq!(opened.get(0).unwrap(), saved.get(0).unwrap());
        assert!(cache.open(&key("y")).unwrap().is_none());

        let path = cache.path(&key("x"));
        let mut bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(cache.open(&key("x")).is_err(), "byte {at} differs");
            assert!(!path.exists());
            bytes[at] ^= 1;
        }
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(cache.open(&key("x")).is_err(), "cut");
    }

    #[test]
    fn what_was_not_used_for_long_is_removed_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = Cache::new(folder.path().to_owned());
        let text = "x".repeat(1000);
        for (age, name) in [(3, "a"), (2, "b"), (1, "c")] {
            cache.save(&key(name), &sequences(&text)).unwrap();
            let file = File::options().append(true).open(cache.path(&key(name)));
            let time = clock::system_now() - Duration::from_secs(age * 60);
            file.unwrap().set_modified(time).unwrap();
        }
        cache.open(&key("a")).unwrap();
        cache.most = 3 * std::fs::metadata(cache.path(&key("a"))).unwrap().len();
        cache.save(&key("d"), &sequences(&text)).unwrap();
        let kept = ["a", "b", "c", "d"].map(|name| cache.path(&key(name)).exists());
        assert_eq!(kept, [true, false, true, true]);
    }

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        assert_ne!(key("a").with("bc").name(), key("ab").with("c").name());
    }
}
