//! Reading of the files of a model folder.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::ChatError;

/// Beginning of a Git LFS pointer, the text that stands for a file which was not fetched.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The bytes of a file; `None` if it does not exist.
///
/// # Errors
/// A file that cannot be read, or that is a Git LFS pointer.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, ChatError> {
    let refuse = |reason: &str| ChatError::new(format!("{}: {reason}", path.display()));
    match std::fs::read(path) {
        Ok(bytes) if bytes.starts_with(POINTER) => Err(refuse(
            "is a Git LFS pointer; run `git lfs pull` in its folder",
        )),
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refuse("cannot be read").with_source(error)),
    }
}
