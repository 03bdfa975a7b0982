//! Weights of samplers. Memory holds a bounded number of bytes of them; those that were not used for longest are moved
//! to files, from which they are read when they are needed again.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tempfile::{NamedTempFile, TempPath};
use tinker_engine::backend::{Backend, BackendError, SamplingWeights};
use tinker_engine::release_memory;

/// Freed bytes after which memory is returned to the system.
const RELEASED: usize = 64 << 20;

/// The weights of all samplers of an engine.
pub(crate) struct Shelf {
    folder: PathBuf,
    most_bytes: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Counts uses; also numbers the slots.
    tick: u64,
    /// Bytes of the weights in memory.
    bytes: usize,
    slots: BTreeMap<u64, Slot>,
    /// Bytes freed since memory was last returned.
    freed: usize,
}

/// The weights of one or more samplers. They never change, so a file that was written once stays valid.
struct Slot {
    kept: Weak<Kept>,
    used: u64,
    bytes: usize,
    weights: Option<SamplingWeights>,
    file: Option<TempPath>,
    /// Why they are neither in memory nor in a file.
    lost: Option<String>,
}

/// A handle to weights on a shelf, which are removed with the last handle.
pub(crate) struct Kept {
    shelf: Arc<Shelf>,
    id: u64,
}

impl Shelf {
    /// An empty shelf that keeps at most `most_bytes` in memory and writes files to a folder that exists.
    pub(crate) fn new(folder: PathBuf, most_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            folder,
            most_bytes,
            inner: Mutex::default(),
        })
    }

    /// Keeps weights. Those that are already here, as after two saves without a step in between, are kept once.
    pub(crate) fn keep(self: &Arc<Self>, weights: SamplingWeights) -> Arc<Kept> {
        let mut inner = self.lock();
        let is_same = |slot: &&Slot| {
            let kept = slot.weights.as_ref();
            kept.is_some_and(|kept| Arc::ptr_eq(&kept.0, &weights.0))
        };
        let known = inner.slots.values().find(is_same);
        if let Some(known) = known.and_then(|slot| slot.kept.upgrade()) {
            return known;
        }
        inner.tick += 1;
        let id = inner.tick;
        let kept = Arc::new(Kept {
            shelf: Arc::clone(self),
            id,
        });
        let bytes = weights.0.bytes();
        inner.bytes += bytes;
        let slot = Slot {
            kept: Arc::downgrade(&kept),
            used: id,
            bytes,
            weights: Some(weights),
            file: None,
            lost: None,
        };
        inner.slots.insert(id, slot);
        self.make_room(&mut inner, 0);
        drop(inner);
        kept
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves weights that are not in use to files until `more` bytes fit, the least recently used first.
    fn make_room(&self, inner: &mut Inner, more: usize) {
        while inner.bytes + more > self.most_bytes
            && let Some(slot) = inner
                .slots
                .values_mut()
                .filter(|slot| slot.is_idle())
                .min_by_key(|slot| slot.used)
        {
            slot.move_out(&self.folder);
            let bytes = slot.bytes;
            inner.bytes -= bytes;
            inner.free(bytes);
        }
    }
}

impl Inner {
    fn free(&mut self, bytes: usize) {
        self.freed += bytes;
        if self.freed >= RELEASED {
            self.freed = 0;
            release_memory();
        }
    }
}

impl Slot {
    /// Whether nobody samples from the weights that are in memory.
    fn is_idle(&self) -> bool {
        let weights = self.weights.as_ref();
        weights.is_some_and(|weights| Arc::strong_count(&weights.0) == 1)
    }

    fn move_out(&mut self, folder: &std::path::Path) {
        let Some(weights) = self.weights.take() else {
            return;
        };
        if self.file.is_some() {
            return;
        }
        match write(&weights, folder) {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                tracing::warn!(%error, folder = %folder.display(), "the weights of a sampler could not be moved to a file");
                self.lost = Some(error.to_string());
            }
        }
    }
}

fn write(weights: &SamplingWeights, folder: &std::path::Path) -> io::Result<TempPath> {
    let mut file = NamedTempFile::new_in(folder)?;
    let mut to = BufWriter::new(file.as_file_mut());
    weights.0.write(&mut to)?;
    to.flush()?;
    drop(to);
    Ok(file.into_temp_path())
}

impl Kept {
    /// Whether the weights are in memory, or fit there beside those that are in use. Weights fit if no others are in use.
    pub(crate) fn has_room(&self) -> bool {
        let inner = self.shelf.lock();
        let Some(own) = inner
            .slots
            .get(&self.id)
            .filter(|own| own.weights.is_none())
        else {
            return true;
        };
        let slots = inner.slots.values();
        let in_use = slots.filter(|slot| slot.weights.is_some() && !slot.is_idle());
        let in_use: usize = in_use.map(|slot| slot.bytes).sum();
        in_use == 0 || in_use + own.bytes <= self.shelf.most_bytes
    }

    /// The weights, which stay in memory as long as the result exists.
    pub(crate) fn load(&self, backend: &dyn Backend) -> Result<SamplingWeights, BackendError> {
        let mut inner = self.shelf.lock();
        inner.tick += 1;
        let tick = inner.tick;
        let gone = || BackendError::server("the weights of this sampler are gone");
        let slot = inner.slots.get_mut(&self.id).ok_or_else(gone)?;
        slot.used = tick;
        if let Some(weights) = &slot.weights {
            return Ok(weights.clone());
        }
        if let Some(why) = &slot.lost {
            return Err(BackendError::server(format!(
                "the weights of this sampler were removed to make room, and could not be moved to a file: {why}; make a new \
                 sampler, or raise the memory for samplers"
            )));
        }
        let Some(path) = &slot.file else {
            return Err(gone());
        };
        let file = File::open(path).map_err(|error| {
            BackendError::server(format!(
                "the weights of this sampler cannot be read: {error}"
            ))
        })?;
        let bytes = slot.bytes;
        self.shelf.make_room(&mut inner, bytes);
        let weights = backend.read_weights(&mut BufReader::new(file))?;
        inner.bytes += bytes;
        let slot = inner.slots.get_mut(&self.id).ok_or_else(gone)?;
        slot.weights = Some(weights.clone());
        Ok(weights)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut inner = self.shelf.lock();
        let Some(slot) = inner.slots.remove(&self.id) else {
            return;
        };
        if slot.weights.is_some() {
            let bytes = slot.bytes;
            drop(slot);
            inner.bytes -= bytes;
            inner.free(bytes);
        }
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("Shelf")
            .field("bytes", &inner.bytes)
            .field("slots", &inner.slots.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
