//! A Tinker server inside the process: it trains and samples a small model on the CPU, behind the HTTP API of the
//! service.
//!
//! [`LocalEngine`] owns the model and the checkpoints. [`LocalEngine::service`] is a [`tower_service::Service`] for
//! [`http::Request`]s with any body, so that a client can use it in process, without a port or a network. `serve`
//! (feature `serve`) puts the same service on a socket, for other processes such as the official Python client.
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
//! # Guarantees
//! - Operations of a model run strictly in the order of their numbers. A repeated submission gets the same promise.
//! - A refused request leaves weights, gradients and checkpoints unchanged.
//! - An acknowledged checkpoint survives a crash of the process and of the machine; the next engine on the same data
//!   folder can load it.
//! - Memory is bounded by [`Limits`]. Requests to a full queue are answered 429.
//! - Any API key, or none, is accepted, unless [`Behavior::token_lifetime`] requires tokens.
//! - Usage reports have the real counts of tokens and checkpoints, at a price of 0. The audit log and the counts begin at
//!   the start of the process.
//!
//! An addition to the service's API: [`LocalEngine::stream`], and over HTTP `POST /api/v1/stream_sample`, send the tokens
//! of a sample while it is drawn. The latter takes the body of `asample` and answers with the server-sent events of
//! [`tinker_types::wire::stream`].
//!
//! For tests of clients the engine can be slow, full, paused, old or strict, see [`Behavior`].
//!
//! # Losses
//! Each loss is a sum over the target positions of all data. For a position, `lp` is the log probability of its target,
//! `q` the log probability under the policy that drew it (`logprobs`), `A` its advantage, `w` its weight, and
//! `r = exp(lp - q)`. Constants come from the request; defaults are in parentheses. `low` and `high` may be given for
//! each token.
//!
//! | loss | sum of | as published in |
//! |---|---|---|
//! | `cross_entropy` | `-w lp`, with `[T, K]` targets over all cells | |
//! | `importance_sampling` | `-r A` | Williams, 1992, <https://doi.org/10.1007/BF00992696>, with the ratio to the policy that drew |
//! | `ppo` | `-min(r A, clamp(r, low, high) A)` (0.8, 1.2) | Schulman et al., 2017, <https://arxiv.org/abs/1707.06347>, equation 7 |
//! | `cispo` | `-c lp A`, `c = clamp(r, low, high)` without a gradient (0, 4) | Chen et al., 2025, <https://arxiv.org/abs/2506.13585> |
//! | `dro` | `-(lp A - beta/2 (lp - q)^2)`, where `A` is not 0 (0.01) | Richemond et al., 2024, <https://arxiv.org/abs/2405.19107> |
//! | `gspo` | `-min(s A, clamp(s, low, high) A)` (0.9997, 1.0004) | Zheng et al., 2025, <https://arxiv.org/abs/2507.18071>, section 4.3 |
//!
//! In `gspo`, `s = exp(sum m (lp - q) / sum m)` over a datum with the mask `m` (`sequence_ratio_mask`), and each token has
//! the gradient `-s A` with respect to its `lp` where it is not clipped.
//!
//! Uploaded losses are graphs of some 150 operations of PyTorch. `stable_reinforce` is refused, as its definition is not
//! public, unless [`LocalEngineBuilder::substitute_loss`] names another loss to compute in its place. The optimizer is AdamW (Loshchilov and Hutter, 2019, <https://arxiv.org/abs/1711.05101>) as implemented by
//! PyTorch.
//!
//! # The data folder
//! `checkpoints/<run>/<kind>/<name>/` holds one checkpoint in PEFT's layout: `adapter_config.json`,
//! `adapter_model.safetensors`, `checkpoint.json` (path, base model, times, file sizes), and, for checkpoints to train on
//! from, `optimizer.safetensors`. Colons in the run's id become underscores in the folder's name. `run.json` beside them
//! describes the run and its session, so that lists survive a restart; loading does not need it. `expired.json` lists
//! checkpoints of the run that have expired. `tmp` holds unfinished writes; `samplers` holds weights of samplers that were
//! moved out of memory, and is emptied at the start; `tokenizers` holds the built-in tokenizer's files, if they are
//! wanted; `lock` and `owner` identify the process that uses the folder. Files and folders are readable by their owner
//! only.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod audit;
mod behavior;
mod body;
mod bounded;
mod builder;
mod clock;
mod convert;
#[cfg(feature = "decoders")]
#[doc(hidden)]
pub mod decoders;
mod export;
mod graph;
mod identity;
mod limits;
mod local;
mod note;
mod refusal;
#[cfg(feature = "serve")]
mod serve;
mod service;
mod shared;
mod shelf;
mod sign;
mod state;
mod store;
mod stream;
mod substitute;
mod tenant;
mod tokenizer;
mod usage;
mod work;

pub use behavior::{Behavior, InjectedFault};
pub use body::LocalBody;
pub use builder::{BuildError, Decode, LocalEngineBuilder};
pub use export::SavedAdapter;
pub use limits::Limits;
pub use local::LocalEngine;
#[cfg(feature = "serve")]
pub use serve::serve;
pub use service::LocalService;
pub use store::StoreError;
pub use stream::SampleStream;
#[doc(hidden)]
pub use tinker_engine as engine;
#[doc(no_inline)]
pub use tinker_engine::export::{BaseModelSource, ExportError, ExportTarget, Exported};
#[doc(no_inline)]
pub use tinker_engine::{CpuBackend, FolderError, ModelFolder, Storage, backend, base, testing};
#[doc(no_inline)]
pub use tinker_types::wire::stream::StreamEvent;
