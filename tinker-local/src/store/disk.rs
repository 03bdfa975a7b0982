//! File operations: private to the owner, and flushed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The folders in a folder.
pub(super) fn folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Creates a folder that only its owner can enter, and its parents. Existing ones stay as they are.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a new file that only its owner can read, and flushes it.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = owned_file(OpenOptions::new().write(true).create_new(true)).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a regular file. Links are refused: in a foreign folder they could lead to any file.
pub(super) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    plain_size(path)?;
    fs::read(path)
}

/// The size of a regular file. Links, folders and devices are refused.
pub(super) fn plain_size(path: &Path) -> io::Result<u64> {
    let found = fs::symlink_metadata(path)?;
    if found.is_file() {
        return Ok(found.len());
    }
    let why = "it is not a regular file; links are not followed here";
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

/// Sets the mode that new files get.
pub(super) fn owned_file(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Flushes the entries of a folder, so that a rename survives a crash of the machine.
pub(super) fn flush_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

/// Removes a folder with its contents, or a file, if it exists.
pub(super) fn remove_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => fs::remove_file(path),
        other => other,
    }
}
