//! Generated files. Each is checked in, so that a build needs only cargo.

mod api;
mod examples;
mod gated;
mod proto;
mod rules;
mod schema;

use crate::output::Mode;

/// Writes every generated file, or fails on the first stale one.
pub(crate) fn run(mode: Mode) -> anyhow::Result<()> {
    rules::run(mode)?;
    proto::run(mode)?;
    schema::run(mode)?;
    examples::run(mode)?;
    api::run(mode)
}
