//! Checksums of files.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Size of the read buffer in bytes.
const PIECE: usize = 1 << 20;

/// SHA-256 of a file, in base64. Blocks the thread.
pub(super) fn sha256(path: &PathBuf) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(STANDARD.encode(hasher.finalize())),
            read => hasher.update(&piece[..read]),
        }
    }
}
