//! Target of a request.

use percent_encoding::percent_decode_str;
use tinker_types::wire::route;

/// A decoded path.
#[derive(Debug)]
pub(super) struct Target {
    /// [`route::PREFIX`] or [`route::FILES`].
    pub(super) prefix: &'static str,
    /// Path below the prefix.
    pub(super) path: String,
}

impl Target {
    /// `None` if no endpoint can have this path.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let (prefix, path) = [route::FILES, route::PREFIX]
            .into_iter()
            .find_map(|prefix| Some((prefix, path.strip_prefix(prefix)?)))?;
        // Decoded before it is split: clients differ in whether the slash within a checkpoint's id is escaped.
        let path = percent_decode_str(path.trim_end_matches('/')).decode_utf8();
        let path = path.ok()?.into_owned();
        Some(Self { prefix, path })
    }
}
