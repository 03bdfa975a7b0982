//! Names of repositories, revisions and files on the Hub.

use std::fmt;
use std::path::{Component, Path};
use std::str::FromStr;

use super::error::HubError;

/// The name of a model on the Hub, `OWNER/NAME`, or `NAME` for some old ones.
///
/// ```
/// use tinker_client::hub::Repository;
///
/// let repository: Repository = "Qwen/Qwen3-0.6B".parse()?;
/// assert_eq!(repository.as_str(), "Qwen/Qwen3-0.6B");
/// assert!("../etc/passwd".parse::<Repository>().is_err());
/// # Ok::<_, tinker_client::hub::HubError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository(String);

impl Repository {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name of its folder in the cache.
    pub(super) fn folder(&self) -> String {
        format!("models--{}", self.0.replace('/', "--"))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Repository {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let parts = text.split('/').collect::<Vec<_>>();
        let is_good = |part: &&str| {
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && !part.ends_with(['.', '-'])
                && !part.contains("--")
                && !part.contains("..")
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if parts.len() > 2 || text.len() > 96 || !parts.iter().all(is_good) {
            let what = format!(
                "{text:?} is not the name of a model; write it as OWNER/NAME, for example Qwen/Qwen3-0.6B"
            );
            return Err(HubError::invalid(what));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Checks the name of a branch or tag, or the hash of a commit.
pub(super) fn check_revision(text: &str) -> Result<(), HubError> {
    let is_good = |b: u8| b.is_ascii_alphanumeric() || b"-_./+".contains(&b);
    if is_inside(text) && text.bytes().all(is_good) {
        return Ok(());
    }
    Err(HubError::invalid(format!(
        "{text:?} is not a revision; give a branch, a tag or a commit"
    )))
}

/// Whether a path stays inside its folder.
pub(super) fn is_inside(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    let is_plain = !path.is_empty() && !path.contains(['\\', ':', '\0']) && !path.ends_with('/');
    is_plain && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Whether it is a plain word: a hash or a similar tag.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// A path in a URL, with everything but plain characters and slashes escaped.
pub(super) fn escaped(path: &str, escapes_slash: bool) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'/' if !escapes_slash => text.push('/'),
            _ if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => text.push(byte.into()),
            _ => text.extend(format!("%{byte:02X}").chars()),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_cache() {
        for good in ["gpt2", "Qwen/Qwen3-0.6B", "a_b/c.d"] {
            assert!(good.parse::<Repository>().is_ok(), "{good}");
        }
        for bad in [
            "", "/", "a/", "a/b/c", "..", "a/..", "../a", ".a/b", "a--b", "a b", "a\\b", "a/b?x",
            "a/b#", "ä/b",
        ] {
            assert!(bad.parse::<Repository>().is_err(), "{bad}");
        }
        for good in ["main", "refs/pr/1", "v1.0", "0123abcd"] {
            assert!(check_revision(good).is_ok(), "{good}");
        }
        for bad in ["", "..", "a/../b", "/a", "a/", "a b", "a\\b", "a?b"] {
            assert!(check_revision(bad).is_err(), "{bad}");
        }
        assert!(is_inside("additional_chat_templates/tool.jinja") && !is_inside("a/../../b"));
        assert!(!is_inside("C:\\x") && !is_inside("./a") && !is_inside("a//"));
        assert!(is_word("ab12-c") && !is_word("../x") && !is_word(""));
        assert_eq!(escaped("refs/pr/1", true), "refs%2Fpr%2F1");
        assert_eq!(escaped("a/b c", false), "a/b%20c");
    }
}
