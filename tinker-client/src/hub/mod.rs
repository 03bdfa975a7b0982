//! The Hugging Face Hub: models and tokenizers by name, in the cache that Python's `huggingface_hub` uses.
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

mod cache;
mod client;
mod config;
mod error;
mod pulled;
mod remote;
mod repository;
mod transfer;

pub use client::{Hub, HubFiles};
pub use config::HubConfig;
pub use error::{HubError, HubErrorKind};
pub use pulled::{Pulled, PulledFile};
pub use repository::Repository;
