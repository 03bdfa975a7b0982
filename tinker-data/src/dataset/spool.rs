//! Temporary files for what cannot be read twice.

use std::collections::hash_map::RandomState;
use std::fs::{File, OpenOptions};
use std::hash::BuildHasher as _;
use std::io;

/// Creates an empty file in the folder for temporary files that only this process can reach, and that is gone when it is
/// closed.
pub(super) fn temporary() -> io::Result<File> {
    let name = RandomState::new().hash_one(std::process::id());
    let path = std::env::temp_dir().join(format!("tinker-data-{name:016x}"));
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
