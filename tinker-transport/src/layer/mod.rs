//! Layers of the default stack, each usable alone.
//!
//! From the outside in, as [`TransportBuilder`](crate::TransportBuilder) composes them:
//!
//! | layer | place | because |
//! |---|---|---|
//! | [`ObserveLayer`], [`TraceLayer`] | outermost | they report whole calls, waits included |
//! | [`AdmissionLayer`] | outside retry | retries must not multiply what is in flight |
//! | [`RetryLayer`] | between call and attempt | |
//! | [`CollectLayer`] | just inside retry | a response that breaks off is a failed try |
//! | [`GateLayer`] | inside retry | it evaluates every response, including those of user layers |
//! | [`ObserveLayer`], [`TraceLayer`] | inside the gate | they report each try, without waits |
//! | [`HedgeLayer`], [`BreakerLayer`], [`AdaptiveLayer`] | in this order, if enabled | a hedge is a request that the
//! other two must see |
//! | [`BaseLayer`] | outside auth and headers | both must know whether a request leads to another server |
//! | [`RedirectLayer`] | inside base | a redirect may lead to another server, too |
//! | [`AuthLayer`], [`HeaderLayer`] | inside retry | a credential may change between tries |
//! | [`TimeoutLayer`] | inside retry | a slow try must not use up the time of the call |
//! | [`CompressLayer`], [`DecompressLayer`] | near the wire | the outer layers see uncompressed bodies |
//!
//! User layers go outside all of it (`call_layer`) or just outside base (`attempt_layer`).
//! The simplest way to write one is [`from_fn`].

mod adaptive;
mod admission;
mod around;
mod auth;
mod base;
mod breaker;
mod collect;
mod compress;
mod decompress;
mod from_fn;
mod gate;
mod header;
mod hedge;
mod observe;
mod redirect;
mod retry;
mod scope;
mod timeout;
mod trace;
mod vigil;

pub use adaptive::{Adaptive, AdaptiveLayer};
pub use admission::{Admission, AdmissionLayer};
pub use around::Wrapped;
pub(crate) use around::{Around, tower_layer};
pub use auth::{Auth, AuthLayer};
pub use base::{Base, BaseLayer};
pub use breaker::{Breaker, BreakerLayer};
pub use collect::{Collect, CollectLayer};
pub use compress::{Compress, CompressLayer};
pub use decompress::{Decompress, DecompressLayer};
pub use from_fn::{FromFn, FromFnLayer, Next, from_fn, from_fn_with_state};
pub use gate::{GateLayer, Gated};
pub use header::{Header, HeaderLayer};
pub use hedge::{Hedge, HedgeLayer};
pub use observe::{Observe, ObserveLayer};
pub use redirect::{Redirect, RedirectLayer};
pub use retry::{Retry, RetryLayer};
pub use timeout::{Timeout, TimeoutLayer};
pub use trace::{Trace, TraceLayer};
