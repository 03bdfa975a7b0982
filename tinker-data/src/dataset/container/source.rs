//! Files as sources of bytes.

use std::fs::{File, Metadata};
use std::path::Path;

use crate::dataset::error::{ErrorKind, LineError};

/// Opens a file, unless it is something that cannot be read twice or does not end.
pub(in crate::dataset) fn open(path: &Path) -> Result<File, LineError> {
    let metadata = std::fs::metadata(path).map_err(|error| unopened(&error))?;
    if let Some((what, fix)) = unusual(&metadata) {
        return Err(LineError::new(ErrorKind::File, what, fix));
    }
    File::open(path).map_err(|error| unopened(&error))
}

fn unopened(error: &std::io::Error) -> LineError {
    let fix = match error.kind() {
        std::io::ErrorKind::NotFound => "check the spelling of the path",
        std::io::ErrorKind::PermissionDenied => "check who owns the file",
        _ => "check the path and the disk",
    };
    LineError::new(ErrorKind::File, format!("cannot be opened: {error}"), fix)
}

fn unusual(metadata: &Metadata) -> Option<(&'static str, &'static str)> {
    if metadata.is_dir() {
        return Some(("is a folder", "name the files in it: 'FOLDER/*.jsonl'"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;

        let kind = metadata.file_type();
        if kind.is_fifo() {
            let fix = "pipe the data to standard input, and give `-` in place of a file";
            return Some(("is a FIFO, which can be read only once", fix));
        }
        if kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
            return Some(("is a device or a socket, not a file", "name a file"));
        }
    }
    None
}
