//! Names that a server gives files.

use std::path::{Component, Path};

use super::error::DownloadFailed;

/// What names of our own begin with.
const OWN: &str = ".tinker-";

/// Names come from the server: none may lead out of the folder, on any system.
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
        "the server gives a name that would leave the folder, or is none; nothing was fetched",
    ))
}
