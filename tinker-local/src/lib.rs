//! The Tinker API without the service: an engine inside the process that really trains and samples a small model on
//! the CPU, behind the same HTTP requests.
//!
//! [`LocalEngine`] owns the model and the checkpoints. [`LocalEngine::service`] is a [`tower_service::Service`] for
//! [`http::Request`]s of any body, so a client can talk to it in process, with no port and no network; `serve` (feature
//! `serve`) puts the same service on a socket, where the official Python client finds it too.
//!
//! ```
//! use http_body_util::{BodyExt, Full};
//! use tinker_local::LocalEngine;
//! use tower_service::Service;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "base-model")] {
//! let engine = LocalEngine::builtin()?;
//! let request = http::Request::get("http://local/api/v1/get_server_capabilities").body(Full::<bytes::Bytes>::default())?;
//! let answer = engine.service().call(request).await?;
//! assert_eq!(answer.status(), 200);
//! let body = answer.into_body().collect().await?.to_bytes();
//! assert!(std::str::from_utf8(&body)?.contains(&engine.model().name));
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//! - Operations of a model run strictly in the order of their numbers; a repeated submission is the same promise.
//! - A request that is refused leaves weights, gradients and checkpoints as they were.
//! - A checkpoint that was acknowledged survives a crash of the process and of the machine, and the next engine on the
//!   same data folder loads it.
//! - Memory is bounded by [`Limits`]; a full queue is answered 429.
//! - Any API key, or none, is accepted, unless [`Behavior::token_lifetime`] demands tokens.
//! - What it counts and reports is what happened: tokens and checkpoints are real, their price is 0. The audit log and
//!   the counts go back to the start of the process and not further.
//!
//! Two things the service does not have: [`LocalEngine::stream`] and, over HTTP, `POST /api/v1/stream_sample` tell the
//! tokens of a sample while it is drawn. The latter takes the body of `asample` and answers with server-sent events:
//! `accepted` (the promise), `tokens` (`sequence`, `tokens`, `logprobs`), and at the end `done` (the result, as JSON) or
//! `error` (`error`, `category`).
//!
//! For tests of clients it can be slow, full, paused, old or strict, see [`Behavior`].
//!
//! # Losses
//! `cross_entropy`, `importance_sampling`, `ppo`, `cispo` and `dro` as the protocol defines them; `gspo` as it was
//! published (Zheng et al., 2025, <https://arxiv.org/abs/2507.18071>): with the log ratios `d = lp - q`, the mask `m`
//! and `s = exp(sum m d / sum m)` the loss is `-sum min(s A, clamp(s, low, high) A)`, each token with the gradient
//! `-s A` where it is not clipped; the bounds are 0.9997 and 1.0004 unless they are given, for all tokens or each.
//! Losses that are uploaded as graphs are run with some 150 operations of PyTorch. `stable_reinforce` is refused: its
//! definition is not public.
//!
//! # The data folder
//! `checkpoints/<run>/<kind>/<name>/` holds one checkpoint in PEFT's layout: `adapter_config.json`,
//! `adapter_model.safetensors`, `checkpoint.json` (what it is and when it was saved), and for checkpoints to train on
//! from `optimizer.safetensors`. Colons of the run's id are underscores in the folder's name. `run.json` beside them
//! says what the run and its session were, so that lists survive a restart; nothing else needs it. `tmp` holds what is
//! being written; `lock` and `owner` tell who uses the folder. Files and folders are readable by their owner only.

mod api;
mod audit;
mod behavior;
mod body;
mod builder;
mod clock;
mod convert;
#[cfg(feature = "decoders")]
#[doc(hidden)]
pub mod decoders;
mod error;
mod export;
mod folder;
mod graph;
mod identity;
mod limits;
mod local;
mod note;
#[cfg(feature = "serve")]
mod serve;
mod served;
mod service;
mod shared;
mod sign;
mod state;
mod store;
mod stream;
mod usage;
mod work;

pub mod backend;
pub mod base;
pub mod engine;
pub mod testing;

pub use behavior::{Behavior, Trouble};
pub use body::LocalBody;
pub use builder::{BuildError, LocalEngineBuilder};
pub use engine::CpuBackend;
pub use export::{Base, ExportError, Exported, Output, SavedAdapter};
pub use folder::{FolderError, ModelFolder, Storage};
pub use limits::Limits;
pub use local::LocalEngine;
#[cfg(feature = "serve")]
pub use serve::serve;
pub use service::LocalService;
pub use store::StoreError;
pub use stream::{SampleEvent, SampleStream};
