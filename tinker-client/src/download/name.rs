//! File names from the server.

use std::path::{Component, Path};

use crate::error::DownloadFailed;

/// Prefix of the names that this client uses.
const OWN: &str = ".tinker-";

/// Refuses names that would lead out of the folder on any system.
pub(super) fn check_name(name: &str) -> Result<(), DownloadFailed> {
    let is_plain = |component: Component<'_>| matches!(component, Component::Normal(_));
    let is_odd = |c: char| c == '\\' || c == ':' || c.is_control();
    let parts_are_plain = Path::new(name).components().all(is_plain)
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !name.is_empty() && parts_are_plain && !name.contains(is_odd) && !name.starts_with(OWN) {
        return Ok(());
    }
    Err(DownloadFailed::new(
        name,
        "the server sent an invalid file name, or one that would leave the folder; nothing was fetched",
    ))
}
