//! Temporary files for what cannot be read twice or does not fit into memory.

use std::collections::hash_map::RandomState;
use std::fs::{File, OpenOptions};
use std::hash::BuildHasher as _;
use std::io;
use std::path::Path;

use super::error::{DatasetError, ErrorKind, LineError};

/// Creates an empty file in a folder, by default that for temporary files. Only this process can reach it, and it is gone
/// when it is closed.
pub(super) fn temporary(folder: Option<&Path>) -> io::Result<File> {
    let name = RandomState::new().hash_one(std::process::id());
    let name = format!(".tinker-data-{name:016x}");
    let path = folder
        .map_or_else(std::env::temp_dir, Path::to_owned)
        .join(name);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        options.mode(0o600);
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;

        // FILE_FLAG_DELETE_ON_CLOSE
        options.custom_flags(0x0400_0000);
    }
    let file = options.open(&path)?;
    #[cfg(not(windows))]
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Fills a buffer from an offset of a file. The position of the file is of no account afterwards.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileExt as _;

        file.read_exact_at(buffer, offset)
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::FileExt as _;

        let mut done = 0;
        while done < buffer.len() {
            match file.seek_read(&mut buffer[done..], offset + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => done += count,
            }
        }
        Ok(())
    }
    // Without threads nobody moves the position in between.
    #[cfg(not(any(unix, windows)))]
    {
        use std::io::{Read as _, Seek as _, SeekFrom};

        let mut file = file;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }
}

/// The error of a data file that cannot be read, or copied to a temporary file in a folder.
pub(super) fn failed(path: &Path, folder: Option<&Path>, error: &io::Error) -> DatasetError {
    let (copies, fix) = match folder {
        Some(folder) => (folder.to_owned(), "check the disk and the permissions"),
        None => (
            std::env::temp_dir(),
            "check the disk; TMPDIR names another folder for copies",
        ),
    };
    let reason = format!("cannot be read, or copied to {}: {error}", copies.display());
    DatasetError::of(path, LineError::new(ErrorKind::File, reason, fix))
}
