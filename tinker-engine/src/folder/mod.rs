//! Hugging Face model folders: `config.json`, safetensors files and a tokenizer.
//!
//! Names in `model.safetensors.index.json` must be plain file names in the same folder; paths are refused. Links are
//! followed to regular files, as the Hugging Face cache consists of links.

mod config;
#[cfg(feature = "decoders")]
pub mod decoders;
mod error;
mod file;
mod fingerprint;
mod harmless;
mod model;
mod rope;
mod storage;
mod tensors;
mod vocabulary;
mod written;

pub use error::FolderError;
pub(crate) use file::read_json;
pub(crate) use fingerprint::hexadecimal;
pub use model::ModelFolder;
pub(crate) use model::absolute;
pub use storage::Storage;
pub(crate) use written::{byte_level_tokenizer, tokenizer_config};
