//! Examination of a server: what works, what differs, and what to do about it.
//!
//! Each check is one function that returns a [`Finding`]. They run in order, on a throw-away adapter, and share what the
//! earlier ones made; what they saved is deleted at the end.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tinker_client::doctor::{Examination, Status};
//! # let engine = tinker_local::LocalEngine::builtin()?;
//! # let service = tinker_client::ServiceClient::builder().leaf(engine.service()).build()?;
//!
//! let report = Examination::default().run(&service, |_| {}).await;
//! assert!(report.worst() < Status::Failed);
//! # Ok(())
//! # }
//! ```

mod access;
mod adapter;
mod agreement;
mod checkpoints;
mod examination;
mod finding;
mod network;
mod page;
mod sampling;
mod speed;
mod subject;

pub use examination::{CHECKS, Examination};
pub use finding::{Finding, Report, Status};
pub use subject::FindTokenizer;
