//! Tensors of a model folder. The file of each is checked before tensors are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::TensorInfo;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::Deserialize;

use super::error::FolderError;
use super::file::{open, parse_json, read};
use crate::backend::BackendError;
use crate::kernels::{Kind, Stored};
use crate::model::{Slot, TensorSource};

const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Largest index.
const MOST_INDEX_BYTES: u64 = 64 << 20;

/// Location of a tensor in the files.
#[derive(Debug, Clone)]
pub(super) struct TensorLocation {
    /// Number of the file.
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    /// Bytes in the file.
    pub(super) bytes: Range<usize>,
}

/// The memory-mapped safetensors files of a folder, one or several. Their headers are read, their tensors are not.
#[derive(Debug)]
pub(crate) struct FolderTensors {
    files: Vec<(PathBuf, Mmap)>,
    places: BTreeMap<String, TensorLocation>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl FolderTensors {
    /// Opens the files, and checks each header against its file and the index against the headers.
    pub(crate) fn open(folder: &Path) -> Result<Self, FolderError> {
        let mut tensors = Self {
            files: Vec::new(),
            places: BTreeMap::new(),
        };
        let (whole, index) = (folder.join(WHOLE), folder.join(INDEX));
        if whole.exists() {
            tensors.add(&whole)?;
            return Ok(tensors);
        }
        if !index.exists() {
            let what =
                format!("holds neither {WHOLE} nor {INDEX}; other formats of weights are not read");
            return Err(FolderError::new(folder, what));
        }
        let weight_map = parse_index(&index, &read(&index, MOST_INDEX_BYTES)?)?;
        let mut names: Vec<&String> = weight_map.values().collect();
        names.sort();
        names.dedup();
        let missing: Vec<&String> = names
            .iter()
            .copied()
            .filter(|name| !folder.join(name).exists())
            .collect();
        if let Some(first) = missing.first() {
            let (some, all) = (missing.len(), names.len());
            let what = format!(
                "lists {all} files, and {some} of them do not exist, first {first}; fetch them again"
            );
            return Err(FolderError::new(&index, what));
        }
        for name in names {
            tensors.add(&folder.join(name))?;
        }
        for (tensor, name) in &weight_map {
            let found = tensors
                .places
                .get(tensor)
                .map(|place| &tensors.files[place.file].0);
            if found.is_none_or(|path| path.file_name() != Some(name.as_ref())) {
                let what = format!("lists {tensor} in {name}, which does not hold it");
                return Err(FolderError::new(&index, what));
            }
        }
        Ok(tensors)
    }

    fn add(&mut self, path: &Path) -> Result<(), FolderError> {
        let (file, _) = open(path)?;
        let map = map(path, &file)?;
        for (name, place) in parse_header(path, &map, self.files.len())? {
            if let Some(other) = self.places.insert(name.clone(), place) {
                let other = self.files[other.file].0.display();
                let what = format!("holds {name}, and so does {other}");
                return Err(FolderError::new(path, what));
            }
        }
        self.files.push((path.to_owned(), map));
        Ok(())
    }

    /// Checks that the folder has exactly these tensors, in their shapes, apart from tensors that are known to be unused.
    pub(crate) fn check(
        &self,
        folder: &Path,
        slots: &[Slot],
        is_unused: impl Fn(&str) -> bool,
    ) -> Result<(), FolderError> {
        for slot in slots {
            let Some(place) = self.places.get(&slot.name) else {
                let what = format!("no file holds {}, {:?}", slot.name, slot.shape);
                return Err(FolderError::new(folder, what));
            };
            let refuse = |what| Err(FolderError::new(&self.files[place.file].0, what));
            if place.shape != slot.shape {
                let (name, has, wants) = (&slot.name, &place.shape, &slot.shape);
                return refuse(format!(
                    "{name} has shape {has:?}; config.json asks for {wants:?}"
                ));
            }
            if kind_of(place.dtype).is_none() {
                let (name, dtype) = (&slot.name, place.dtype);
                return refuse(format!(
                    "{name} is {dtype:?}; F32, F16 and BF16 can be read"
                ));
            }
        }
        let known: std::collections::BTreeSet<&str> =
            slots.iter().map(|slot| slot.name.as_str()).collect();
        for (name, place) in &self.places {
            if !known.contains(name.as_str()) && !is_unused(name) {
                let what = format!("holds {name}, which the model of config.json does not have");
                return Err(FolderError::new(&self.files[place.file].0, what));
            }
        }
        Ok(())
    }

    /// Whether both tensors exist and differ in shape or numbers.
    pub(crate) fn differ(&self, one: &str, other: &str) -> bool {
        let stored = |name: &str| Some((&self.places.get(name)?.shape, self.stored(name)?));
        match (stored(one), stored(other)) {
            (Some((shape, one)), Some((other_shape, other))) => {
                shape != other_shape || !one.equals(other)
            }
            _ => false,
        }
    }

    /// The numbers of a tensor as they are stored, unchecked.
    pub(super) fn stored(&self, name: &str) -> Option<Stored<'_>> {
        let place = self.places.get(name)?;
        let bytes = &self.files[place.file].1[place.bytes.clone()];
        let (kind, width) = (kind_of(place.dtype)?, place.shape.last().copied()?);
        Some(Stored { kind, bytes, width })
    }

    fn place(&self, slot: &Slot) -> Option<(&TensorLocation, &(PathBuf, Mmap))> {
        let place = self.places.get(&slot.name)?;
        Some((place, &self.files[place.file]))
    }
}

impl TensorSource for FolderTensors {
    fn tensor(&self, slot: &Slot) -> Result<Stored<'_>, BackendError> {
        let name = &slot.name;
        let place = self
            .place(slot)
            .filter(|(place, _)| place.shape == slot.shape);
        let kind = place.and_then(|(place, _)| kind_of(place.dtype));
        let (Some((place, (path, map))), Some(kind)) = (place, kind) else {
            let what = format!("the folder was not checked for {name}, {:?}", slot.shape);
            return Err(BackendError::server(what));
        };
        let bytes = &map[place.bytes.clone()];
        if !is_finite(kind, bytes) {
            return Err(FolderError::new(path, format!("{name} holds NaN or infinity")).into());
        }
        let width = slot.shape.last().copied().unwrap_or(1);
        Ok(Stored { kind, bytes, width })
    }

    #[cfg(unix)]
    #[expect(unsafe_code, reason = "releases mapped pages")]
    fn release(&self, slot: &Slot) {
        let Some((place, (_, map))) = self.place(slot) else {
            return;
        };
        let (start, length) = (place.bytes.start, place.bytes.len());
        let advice = memmap2::UncheckedAdvice::DontNeed;
        // SAFETY: the map is of a file and is never written to: pages that are read again come from the file. Without this
        // call a model would be in memory twice, as a file and packed.
        let _kept = unsafe { map.unchecked_advise_range(advice, start, length) };
    }
}

#[expect(unsafe_code, reason = "mapping a file")]
fn map(path: &Path, file: &File) -> Result<Mmap, FolderError> {
    // SAFETY: the content is numbers, all of which are valid. As with every program that maps files, writing to a model's
    // files while they are read gives wrong numbers, and truncating them raises a signal.
    unsafe { Mmap::map(file) }
        .map_err(|error| FolderError::new(path, "can't be mapped").because(error))
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F32 => Some(Kind::F32),
        Dtype::F16 => Some(Kind::F16),
        Dtype::BF16 => Some(Kind::Bf16),
        _ => None,
    }
}

fn is_finite(kind: Kind, bytes: &[u8]) -> bool {
    let (pairs, quads) = (bytes.as_chunks::<2>().0, bytes.as_chunks::<4>().0);
    match kind {
        Kind::F32 => quads.iter().all(|b| f32::from_le_bytes(*b).is_finite()),
        Kind::F16 => pairs.iter().all(|b| f16::from_le_bytes(*b).is_finite()),
        Kind::Bf16 => pairs.iter().all(|b| bf16::from_le_bytes(*b).is_finite()),
    }
}

/// The file of each tensor.
pub(super) fn parse_index(
    path: &Path,
    bytes: &[u8],
) -> Result<BTreeMap<String, String>, FolderError> {
    let Index { weight_map } = parse_json(path, bytes)?;
    match weight_map.values().find(|name| !is_plain(name)) {
        None => Ok(weight_map),
        Some(name) => {
            let what =
                format!("names {name:?}, which is not the plain name of a file in the folder");
            Err(FolderError::new(path, what))
        }
    }
}

/// The tensors of the file with this number.
pub(super) fn parse_header(
    path: &Path,
    file: &[u8],
    number: usize,
) -> Result<Vec<(String, TensorLocation)>, FolderError> {
    let (refuse, size) = (|what: String| FolderError::new(path, what), file.len());
    let Some((length, _)) = file.split_first_chunk() else {
        let what = format!("has {size} bytes, which is not a safetensors file");
        return Err(refuse(what));
    };
    let header = u64::from_le_bytes(*length);
    if header > size as u64 - 8 {
        return Err(refuse(format!(
            "has {size} bytes but declares a header of {header}; it is truncated or not a safetensors file"
        )));
    }
    let (header, metadata) = SafeTensors::read_metadata(file).map_err(|error| match error {
        SafeTensorError::MetadataIncompleteBuffer => refuse(format!(
            "has {size} bytes, and its header declares another number; it is truncated or damaged"
        )),
        error => refuse("the header is damaged".to_owned()).because(error),
    })?;
    let place = |(name, info): (String, &TensorInfo)| {
        let (from, to) = info.data_offsets;
        let place = TensorLocation {
            file: number,
            dtype: info.dtype,
            shape: info.shape.clone(),
            bytes: 8 + header + from..8 + header + to,
        };
        (name, place)
    };
    Ok(metadata.tensors().into_iter().map(place).collect())
}

/// Whether it is a plain file name, not a path.
pub(super) fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let only = (parts.next(), parts.next());
    matches!(only, (Some(Component::Normal(part)), None) if part == name) && !name.contains('\\')
}

#[cfg(test)]
mod tests;
