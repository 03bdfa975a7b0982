//! Attempts and time spent on a call.

use std::time::Duration;

/// Attempts made and time spent on one call.
///
/// Policies decide by it, errors carry it, and a response that took more than one try has one among its extensions. If
/// it is missing, the first try was answered:
///
/// ```
/// # use tinker_transport::{Body, policy::Effort};
/// # fn show(response: http::Response<Body>) {
/// match response.extensions().get::<Effort>() {
///     Some(effort) => println!("{} attempts in {:?}", effort.attempts, effort.elapsed),
///     None => println!("answered at once"),
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Effort {
    /// Attempts finished so far. Tries that the gate repeats (429 on samples, 402) do not count.
    pub attempts: u32,
    /// Time since the first attempt began, without the time spent waiting at the gate.
    pub elapsed: Duration,
}

impl Effort {
    /// `attempts` tries that took `elapsed` in total.
    pub fn new(attempts: u32, elapsed: Duration) -> Self {
        Self { attempts, elapsed }
    }
}

/// Response extension of the gate for the retry layer: the time it held the request, which does not count against the
/// call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waited(pub(crate) Duration);
