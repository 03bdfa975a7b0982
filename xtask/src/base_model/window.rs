//! Documents packed into sequences of one length.

use fastrand::Rng;

use super::corpus::document;

/// Tokens of most sequences.
const SHORT: usize = 256;
/// Tokens of the long sequences, which train late positions.
const LONG: usize = 1024;
/// One batch in this many is of long sequences.
const LONG_EVERY: u64 = 10;

/// The sequences of one step: whole documents, one after another, the last one cut. Every
/// sequence starts with a document, as every prompt does. The text of a step depends on its number
/// alone, so a resumed run sees new text.
pub(super) fn batch(seed: u64, step: u64, tokens: usize) -> Vec<Vec<u32>> {
    let length = if step % LONG_EVERY == LONG_EVERY - 1 {
        LONG
    } else {
        SHORT
    };
    let mut rng = Rng::with_seed(seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..(tokens / length).max(1))
        .map(|_| sequence(&mut rng, length))
        .collect()
}

/// Held-out sequences, which no step trains on.
pub(super) fn held_out(seed: u64) -> Vec<Vec<u32>> {
    let mut rng = Rng::with_seed(!seed);
    (0..64).map(|_| sequence(&mut rng, SHORT)).collect()
}

/// A sequence with one more token than positions, as each token predicts the next.
fn sequence(rng: &mut Rng, length: usize) -> Vec<u32> {
    let mut tokens = Vec::with_capacity(length + 1);
    while tokens.len() <= length {
        tokens.extend_from_slice(document(rng).tokens());
    }
    tokens.truncate(length + 1);
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_differ_and_repeat() {
        assert_eq!(batch(1, 3, 1024), batch(1, 3, 1024));
        assert_ne!(batch(1, 3, 1024), batch(1, 4, 1024));
        assert!(
            batch(1, 9, 2048)
                .iter()
                .all(|tokens| tokens.len() == LONG + 1)
        );
    }
}
