//! Retry policies.
//!
//! Retrying has three parts: a [`Disposition`] classifies the end of an attempt, a [`Policy`] decides whether and when
//! another one follows, and the budget of the retry layer limits the retries of the whole process. A policy is
//! consulted only if a repeat is harmless.

mod backoff;
mod disposition;
mod effort;
mod hint;
mod rule;
mod standard;

pub use backoff::Backoff;
pub(crate) use disposition::Held;
#[cfg(feature = "leaf")]
pub(crate) use disposition::is_edge_rejection;
pub use disposition::{Disposition, Outcome};
pub use effort::Effort;
pub(crate) use effort::Waited;
pub use hint::{HINT_CAP, retry_after, should_retry};
pub use rule::{AttemptLimited, Policy, TimeLimited, Verdict};
pub use standard::{Never, Standard};
