//! Reading of the small files of a model folder.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::FolderError;

/// Beginning of a Git LFS pointer, the text that stands for a file which was not fetched.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Largest Git LFS pointer.
const MOST_POINTER_BYTES: u64 = 1024;

/// Opens a regular file, following links. Pipes and devices are refused, as opening one may block; so are Git LFS
/// pointers.
pub(crate) fn open(path: &Path) -> Result<(File, u64), FolderError> {
    let unreadable = |error| FolderError::new(path, "can't be read").because(error);
    let found = std::fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => FolderError::new(path, "does not exist"),
        _ => unreadable(error),
    })?;
    if !found.is_file() {
        return Err(FolderError::new(path, "is not a regular file"));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if size <= MOST_POINTER_BYTES {
        let mut bytes = Vec::new();
        (&file)
            .take(MOST_POINTER_BYTES)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.starts_with(POINTER) {
            return Err(FolderError::new(
                path,
                "is a Git LFS pointer; run `git lfs pull` in its folder",
            ));
        }
        file.rewind().map_err(unreadable)?;
    }
    Ok((file, size))
}

/// The bytes of a file of at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, FolderError> {
    let (file, size) = open(path)?;
    if size > most {
        let what = format!("has {size} bytes; a file of this kind has at most {most}");
        return Err(FolderError::new(path, what));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| FolderError::new(path, "can't be read").because(error))?;
    Ok(bytes)
}

/// Reads a JSON file. Errors name the field.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, most: u64) -> Result<T, FolderError> {
    parse_json(path, &read(path, most)?)
}

/// Parses the bytes of a JSON file. Errors name the field.
pub(crate) fn parse_json<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, FolderError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        let what = match field.as_str() {
            "." => "is not usable".to_owned(),
            field => format!("field {field} is not usable"),
        };
        FolderError::new(path, what).because(error.into_inner())
    })
}
