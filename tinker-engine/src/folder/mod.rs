//! Models in the form Hugging Face keeps them: a folder with `config.json`, safetensors files and a tokenizer.
//!
//! Names in `model.safetensors.index.json` are plain names of files beside it; a path in one is refused. Links are
//! followed, as the cache of Hugging Face is made of them, to regular files only.

mod config;
#[cfg(feature = "decoders")]
pub mod decoders;
mod error;
mod file;
mod model;
mod storage;
mod tensors;
mod vocabulary;
mod written;

pub use error::FolderError;
pub(crate) use file::read_json;
pub use model::ModelFolder;
pub(crate) use model::absolute;
pub use storage::Storage;
pub(crate) use written::{byte_level_tokenizer, tokenizer_config};
