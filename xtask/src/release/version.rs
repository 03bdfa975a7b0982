//! Versions and the kinds of changes that may be released under them.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, bail};

/// A version without a pre-release part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    major: u64,
    minor: u64,
    patch: u64,
}

impl Version {
    /// Whether this version may break users of an older one: a new major version, or a new minor one before 1.0.
    pub(crate) fn may_break(self, older: Self) -> bool {
        self.major > older.major || (self.major == 0 && self.minor > older.minor)
    }

    pub(crate) fn next_minor(self) -> Self {
        Self {
            minor: self.minor + 1,
            patch: 0,
            ..self
        }
    }
}

impl FromStr for Version {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
        let parts = parts.with_context(|| format!("{text:?} is not a version like 1.2.3"))?;
        let &[major, minor, patch] = &parts[..] else {
            bail!("{text:?} is not a version like 1.2.3");
        };
        Ok(Self {
            major,
            minor,
            patch,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Refuses a version that is not newer, or that breaks users without saying so. `removed` has the lines of the public API
/// that are gone.
pub(crate) fn check(last: Version, next: Version, removed: &[String]) -> anyhow::Result<()> {
    if next <= last {
        bail!("{next} is not newer than the last release, {last}");
    }
    if !removed.is_empty() && !next.may_break(last) {
        bail!(
            "{next} would break users of {last}, as these items are gone or changed; release {} instead:\n{}",
            last.next_minor(),
            removed.join("\n")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    #[test]
    fn a_patch_version_must_not_break() {
        let gone = ["pub fn tinker_types::f()".to_owned()];
        let refused = check(version("0.2.0"), version("0.2.1"), &gone);
        let text = refused.expect_err("breaks").to_string();
        assert!(
            text.contains("release 0.3.0 instead:\npub fn tinker_types::f()"),
            "{text}"
        );
        for (last, next) in [("0.2.0", "0.3.0"), ("0.2.0", "1.0.0"), ("1.2.3", "2.0.0")] {
            assert!(check(version(last), version(next), &gone).is_ok(), "{next}");
        }
        assert!(check(version("1.2.3"), version("1.3.0"), &gone).is_err());
        assert!(check(version("1.2.3"), version("1.2.4"), &[]).is_ok());
    }

    #[test]
    fn an_old_version_is_refused() {
        assert!(check(version("0.2.0"), version("0.2.0"), &[]).is_err());
        assert!(check(version("0.10.0"), version("0.9.0"), &[]).is_err());
        for bad in ["1.2", "1.2.3-rc1", "v1.2.3", ""] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }
}
