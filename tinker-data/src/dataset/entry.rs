//! The place of a row, and its prompt.

use super::example::Example;

/// The place of a row in its file, and its prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) offset: u64,
    pub(super) line: u64,
    /// [`Example::prompt_fingerprint`].
    pub(super) prompt: u128,
    /// Number of the file.
    pub(super) file: u32,
    pub(super) length: u32,
    /// Whether the row has a prompt and an answer to it.
    pub(super) is_question: bool,
}

/// Bytes of an entry.
pub(super) const SIZE: usize = 8 + 8 + 16 + 4 + 4 + 1;

impl Entry {
    /// The entry of an example without a place.
    pub(super) fn of(example: &Example) -> Self {
        let (prompt, is_question) = example.prompt_and_question();
        Self {
            offset: 0,
            line: 0,
            prompt,
            file: 0,
            length: 0,
            is_question,
        }
    }

    pub(super) fn to_bytes(self) -> [u8; SIZE] {
        let parts: [&[u8]; 6] = [
            &self.offset.to_le_bytes(),
            &self.line.to_le_bytes(),
            &self.prompt.to_le_bytes(),
            &self.file.to_le_bytes(),
            &self.length.to_le_bytes(),
            &[u8::from(self.is_question)],
        ];
        let mut bytes = [0; SIZE];
        let mut rest = &mut bytes[..];
        for part in parts {
            let (own, others) = rest.split_at_mut(part.len());
            own.copy_from_slice(part);
            rest = others;
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; SIZE]) -> Self {
        let mut rest = &bytes[..];
        Self {
            offset: u64::from_le_bytes(taken(&mut rest)),
            line: u64::from_le_bytes(taken(&mut rest)),
            prompt: u128::from_le_bytes(taken(&mut rest)),
            file: u32::from_le_bytes(taken(&mut rest)),
            length: u32::from_le_bytes(taken(&mut rest)),
            is_question: taken(&mut rest) == [1],
        }
    }
}

/// The first bytes, which are cut off.
fn taken<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (first, rest) = bytes.split_first_chunk().unwrap_or((&[0; N], &[]));
    *bytes = rest;
    *first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_as_bytes() {
        for is_question in [false, true] {
            let entry = Entry {
                offset: 1 << 40,
                line: 1 << 33,
                prompt: 1 << 127 | 5,
                file: 7,
                length: u32::MAX,
                is_question,
            };
            assert_eq!(Entry::from_bytes(entry.to_bytes()), entry);
        }
    }
}
