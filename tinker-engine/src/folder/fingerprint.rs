//! Recognition of a base model by its weights.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::tensors::FolderTensors;
use crate::kernels::Stored;
use crate::model::Slot;

/// Evenly spaced pieces of a tensor that are read, and the numbers in each. A page of each piece is all that a large
/// model costs, and fine-tuning changes nearly every number of a matrix.
const PIECES: usize = 16;
const NUMBERS: usize = 64;

/// A digest of the names, shapes and some of the numbers of a model's tensors. The same numbers have the same digest in
/// any precision that holds them exactly, and in any number of files.
pub(super) fn of(tensors: &FolderTensors, slots: &[Slot]) -> String {
    let mut digest = Sha256::new();
    for slot in slots {
        digest.update(format!("{} {:?}\n", slot.name, slot.shape));
        if let Some(stored) = tensors.stored(&slot.name) {
            update(&mut digest, &stored);
        }
    }
    hexadecimal(&digest.finalize())
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn update(digest: &mut Sha256, stored: &Stored<'_>) {
    let size = stored.kind.size();
    let count = stored.bytes.len() / size;
    let mut numbers = [0.0; NUMBERS];
    for first in (0..count).step_by((count / PIECES).max(NUMBERS)) {
        let numbers = &mut numbers[..NUMBERS.min(count - first)];
        let bytes = &stored.bytes[first * size..][..numbers.len() * size];
        Stored { bytes, ..*stored }.widen(numbers);
        for number in numbers {
            digest.update(number.to_le_bytes());
        }
    }
}
