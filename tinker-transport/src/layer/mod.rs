//! The layers of the default stack, each usable alone.
//!
//! From the outside in, as [`TransportBuilder`](crate::TransportBuilder) puts them together:
//!
//! | layer | place | because |
//! |---|---|---|
//! | [`ObserveLayer`], [`TraceLayer`] | outermost | they report whole calls, waits included |
//! | [`AdmissionLayer`] | outside retry | retries must not multiply what is in flight |
//! | [`RetryLayer`] | between call and attempt | |
//! | [`CollectLayer`] | just inside retry | an answer that breaks off is a try that failed |
//! | [`GateLayer`] | inside retry | it learns from every answer, those of your layers too |
//! | [`ObserveLayer`], [`TraceLayer`] | inside the gate | they report each try, without waits |
//! | [`HedgeLayer`], [`BreakerLayer`], [`AdaptiveLayer`] | in this order, where switched on | a hedge is a request the other two must see |
//! | [`BaseLayer`] | outside auth and headers | both must know whether a request leaves home |
//! | [`AuthLayer`], [`HeaderLayer`] | inside retry | a credential may change between tries |
//! | [`TimeoutLayer`] | inside retry | a slow try must not eat the whole call |
//! | [`CompressLayer`], [`DecompressLayer`] | near the wire | everything above sees plain bodies |
//! | [`RedirectLayer`] | next to the leaf | it must see the credential to take it off |
//!
//! Your own layers go outside all of it (`call_layer`) or just outside base (`attempt_layer`).
//! The quickest way to write one is [`from_fn`].

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
pub use from_fn::{FromFn, FromFnLayer, Next, from_fn};
pub use gate::{GateLayer, Gated};
pub use header::{Header, HeaderLayer};
pub use hedge::{Hedge, HedgeLayer};
pub use observe::{Observe, ObserveLayer};
pub use redirect::{Redirect, RedirectLayer};
pub use retry::{Retry, RetryLayer};
pub use timeout::{Timeout, TimeoutLayer};
pub use trace::{Trace, TraceLayer};
