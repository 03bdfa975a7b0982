//! Stored numbers: little-endian rows of one of three types, as in a file.

use half::{bf16, f16};

/// The type of stored numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    F32,
    F16,
    Bf16,
}

impl Kind {
    /// Bytes of one number.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// A matrix inside a file, or a vector as a matrix of one row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored<'a> {
    pub(crate) kind: Kind,
    /// Little-endian numbers, of any alignment.
    pub(crate) bytes: &'a [u8],
    /// Numbers of one row.
    pub(crate) width: usize,
}

impl<'a> Stored<'a> {
    /// The bytes of each row.
    pub(super) fn rows(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.bytes
            .chunks_exact((self.width * self.kind.size()).max(1))
    }

    /// Whether both hold the same numbers in rows of the same width, of either type.
    pub(crate) fn equals(self, other: Self) -> bool {
        if self.kind == other.kind {
            return self.bytes == other.bytes;
        }
        let (mut row, mut other_row) = (vec![0.0_f32; self.width], vec![0.0_f32; other.width]);
        let is_equal = |(bytes, other_bytes)| {
            widen(self.kind, bytes, &mut row);
            widen(other.kind, other_bytes, &mut other_row);
            row == other_row
        };
        self.rows().count() == other.rows().count() && self.rows().zip(other.rows()).all(is_equal)
    }

    /// Widens all numbers; `into` has as many elements.
    pub(crate) fn widen(self, into: &mut [f32]) {
        widen(self.kind, self.bytes, into);
    }
}

/// Widens numbers to f32.
pub(super) fn widen(kind: Kind, bytes: &[u8], into: &mut [f32]) {
    let pairs = into.iter_mut().zip(bytes.as_chunks::<2>().0);
    match kind {
        Kind::F32 => {
            for (x, b) in into.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *x = f32::from_le_bytes(*b);
            }
        }
        Kind::F16 => pairs.for_each(|(x, b)| *x = f16::from_le_bytes(*b).to_f32()),
        Kind::Bf16 => pairs.for_each(|(x, b)| *x = bf16::from_le_bytes(*b).to_f32()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_across_types() {
        let numbers = [0.5_f32, -2.0, 0.0, 1.5];
        let wide: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        let narrow = |numbers: &[f32]| -> Vec<u8> {
            let bytes = numbers.iter().map(|x| bf16::from_f32(*x).to_le_bytes());
            bytes.flatten().collect()
        };
        let stored = |kind, bytes| Stored {
            kind,
            bytes,
            width: 2,
        };
        let wide = stored(Kind::F32, &wide);
        let (same, other) = (narrow(&numbers), narrow(&[0.5, -2.0, 0.0, 1.0]));
        assert!(wide.equals(wide) && wide.equals(stored(Kind::Bf16, &same)));
        assert!(!wide.equals(stored(Kind::Bf16, &other)));
        assert!(!wide.equals(stored(Kind::Bf16, &same[..4])));
    }
}
