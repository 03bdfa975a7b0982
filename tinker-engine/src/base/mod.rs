//! The built-in base model: a byte-level decoder of 0.8 million parameters, part of the library.

mod tokenizer;
#[cfg(feature = "base-model")]
mod weights;

pub use tokenizer::{ByteTokenizer, END};
#[cfg(feature = "base-model")]
pub use weights::WEIGHTS;

/// What users give as `base_model`.
pub const NAME: &str = "tinker-local/tiny";

/// The name its tokenizer goes by: a token for each byte, and one that ends a text.
pub const TOKENIZER: &str = "tinker-local/bytes";
