//! Checkpoint paths that the official client refuses.

use tinker_types::{CheckpointKind, CheckpointPath};

use crate::vectors::vector::Vector;

/// Checks that the path quoted by a recorded error is refused here, too; returns the difference.
pub(super) fn compare(vector: &Vector) -> Option<String> {
    let message = vector.error.as_ref()?.message.as_str();
    if let Some(address) = message.strip_prefix("Invalid tinker path: ") {
        let path: Result<CheckpointPath, _> = address.parse();
        return path
            .ok()
            .map(|path| format!("{address:?} is read as {path:?}"));
    }
    let (_, address) = message.split_once("only accepts external weights checkpoints")?;
    let address = address.split('\'').nth(1)?;
    match address.parse::<CheckpointPath>() {
        Ok(path) if path.kind() != CheckpointKind::External => None,
        other => Some(format!("{address:?} is read as {other:?}")),
    }
}
