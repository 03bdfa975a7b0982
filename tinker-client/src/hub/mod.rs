//! The Hugging Face Hub: models and tokenizers by name, in the cache that Python's `huggingface_hub` uses, and commits to
//! repositories.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use tinker_client::DownloadOptions;
//! use tinker_client::hub::{Hub, HubConfig, HubFiles};
//!
//! let hub = Hub::new(HubConfig::from_env()?)?;
//! let repository = "Qwen/Qwen3-0.6B".parse()?;
//! let folder = match hub.cached(&repository, "main") {
//!     Some(folder) => folder,
//!     None => hub.pull(&repository, "main", HubFiles::Tokenizer, &DownloadOptions::default()).await?.folder,
//! };
//! # Ok(())
//! # }
//! ```

mod answer;
mod cache;
mod client;
mod config;
mod digested;
mod error;
mod pulled;
mod push;
mod remote;
mod repository;
mod transfer;
mod upload;
mod writing;

pub use client::{Hub, HubFiles};
pub use config::HubConfig;
pub use error::{HubError, HubErrorKind};
pub use pulled::{Pulled, PulledFile};
pub use push::{Push, PushContent, PushProgress, Pushed, PushedFile};
pub use repository::Repository;
