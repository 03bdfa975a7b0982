//! Model inputs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Chunk, InvalidValue};

/// An ordered list of chunks. Cheap to clone: token arrays are shared.
///
/// ```
/// use tinker_types::ModelInput;
///
/// let input = ModelInput::from_tokens([104, 105]).with_chunk(tinker_types::Chunk::text([33]));
/// assert_eq!(input.length()?, 3);
/// assert_eq!(input.to_tokens()?, [104, 105, 33]);
/// # Ok::<(), tinker_types::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ModelInput {
    /// The chunks, in order.
    pub chunks: Vec<Chunk>,
}

impl ModelInput {
    /// An input of these chunks.
    pub fn new(chunks: Vec<Chunk>) -> Self {
        Self { chunks }
    }

    /// A text input of token ids, `[T]`.
    pub fn from_tokens(tokens: impl Into<Arc<[u32]>>) -> Self {
        Self {
            chunks: vec![Chunk::text(tokens)],
        }
    }

    /// Appends a chunk.
    #[must_use]
    pub fn with_chunk(mut self, chunk: Chunk) -> Self {
        self.chunks.push(chunk);
        self
    }

    /// All token ids of a text-only input, `[T]`.
    ///
    /// # Errors
    /// A chunk is not text.
    pub fn to_tokens(&self) -> Result<Vec<u32>, InvalidValue> {
        let mut tokens = Vec::new();
        for (index, chunk) in self.chunks.iter().enumerate() {
            match chunk {
                Chunk::Text(text) => tokens.extend_from_slice(&text.tokens),
                _ => return Err(InvalidValue::new(format!("chunks[{index}]"), "is not text")),
            }
        }
        Ok(tokens)
    }

    /// Number of positions, `T`.
    ///
    /// # Errors
    /// The length of a chunk is unknown, see [`Chunk::length`].
    pub fn length(&self) -> Result<usize, InvalidValue> {
        self.chunks
            .iter()
            .enumerate()
            .map(|(index, chunk)| {
                chunk
                    .length()
                    .map_err(|e| e.within(format!("chunks[{index}]")))
            })
            .sum()
    }
}

impl From<Vec<u32>> for ModelInput {
    fn from(tokens: Vec<u32>) -> Self {
        Self::from_tokens(tokens)
    }
}

impl From<&[u32]> for ModelInput {
    fn from(tokens: &[u32]) -> Self {
        Self::from_tokens(tokens)
    }
}

impl<const N: usize> From<[u32; N]> for ModelInput {
    fn from(tokens: [u32; N]) -> Self {
        Self::from_tokens(tokens)
    }
}
