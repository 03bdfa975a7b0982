//! The invariants of ARCHITECTURE.md that a program can check.

mod arrow;
mod source;
mod tree;

/// Fails with every broken invariant it finds.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut faults = Vec::new();
    source::check(&mut faults)?;
    arrow::check(&mut faults)?;
    tree::check(&mut faults)?;
    if faults.is_empty() {
        return Ok(());
    }
    anyhow::bail!(
        "{} broken invariants:\n  {}",
        faults.len(),
        faults.join("\n  ")
    )
}
