//! Digests of goldens.

use sha2::{Digest as _, Sha256};

/// Digest of a list: 16 digits.
pub(super) fn of_all<B: AsRef<[u8]>>(parts: impl Iterator<Item = B>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    written(&hasher.finalize()[..8])
}

/// Digest of a text: 12 digits.
pub(super) fn of(text: &str) -> String {
    written(&Sha256::digest(text.as_bytes())[..6])
}

fn written(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}
