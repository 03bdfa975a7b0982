//! Facts about single recordings that cannot be derived from them.

mod answer;
mod different;
mod missing;
mod setting;

pub(crate) use answer::answer;
pub(crate) use different::{Difference, difference};
pub(crate) use missing::{Absence, absence};
pub(crate) use setting::{
    calls, configure, goes_to_the_hosted_service, has_failing_loss, pause_before, runs_a_program,
};

/// Every recording with such a fact.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    different::names().chain(missing::names())
}
