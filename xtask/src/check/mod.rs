//! The invariants of ARCHITECTURE.md that a program can check.

mod arrow;
mod book;
mod circle;
mod dependency;
mod glossary;
mod link;
mod map;
mod rules;
mod source;
mod tree;
mod wire;
mod words;

use crate::output::workspace_root;
use crate::workspace::Workspace;

/// Fails with every broken invariant it finds.
pub(crate) fn run() -> anyhow::Result<()> {
    let root = workspace_root();
    let mut faults = Vec::new();
    let workspace = Workspace::read(&root)?;
    source::check(&root, &mut faults)?;
    arrow::check(&workspace, &mut faults)?;
    tree::check(&workspace, &mut faults)?;
    dependency::check(&root, &mut faults)?;
    glossary::check(&root, &mut faults)?;
    book::check(&root, &mut faults)?;
    link::check(&root, &mut faults)?;
    map::check(&root, &mut faults)?;
    rules::check(&root, &mut faults)?;
    circle::check(&root, &mut faults)?;
    wire::check(&root, &mut faults)?;
    words::check(&root, &mut faults)?;
    if faults.is_empty() {
        return Ok(());
    }
    anyhow::bail!(
        "{} broken invariants:\n  {}",
        faults.len(),
        faults.join("\n  ")
    )
}
