//! `tinker://` addresses of checkpoints.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{InvalidValue, ModelId};

/// Purpose of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CheckpointKind {
    /// Weights and optimizer state, from which training continues.
    Training,
    /// Weights to sample from.
    Sampler,
    /// Weights as files for use elsewhere.
    External,
    /// A purpose that this version does not know. Lists of servers may have such checkpoints; a text is not parsed as one.
    Other,
}

impl CheckpointKind {
    /// Middle part of the address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Training => "weights",
            Self::Sampler => "sampler_weights",
            Self::External => "external_weights",
            Self::Other => "other",
        }
    }
}

/// Address of a checkpoint, `tinker://<training run>/<kind>/<name>`.
///
/// ```
/// use tinker_types::{CheckpointKind, CheckpointPath};
///
/// let path: CheckpointPath = "tinker://s-1:train:0/weights/step-100".parse()?;
/// assert_eq!(path.kind(), CheckpointKind::Training);
/// assert_eq!(path.name(), "step-100");
/// # Ok::<(), tinker_types::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CheckpointPath {
    run: ModelId,
    kind: CheckpointKind,
    name: String,
    /// The address as a server wrote it, if that has another form.
    written: Option<Arc<str>>,
}

impl CheckpointPath {
    /// Beginning of an address.
    pub const SCHEME: &'static str = "tinker://";

    /// Beginning of an address of other servers.
    pub const OTHER_SCHEME: &'static str = "twinkle://";

    /// Whether a text begins like an address of a checkpoint.
    pub fn is_address(text: &str) -> bool {
        text.starts_with(Self::SCHEME) || text.starts_with(Self::OTHER_SCHEME)
    }

    /// Parses the address of weights to sample from. Some servers write it without the kind, `tinker://<run>/<name>`.
    ///
    /// # Errors
    /// As for any address.
    pub fn parse_for_sampling(text: &str) -> Result<Self, InvalidValue> {
        let parts = Self::rest(text).map_or(Vec::new(), |rest| rest.split('/').collect());
        let [run, name] = parts[..] else {
            return text.parse();
        };
        let mut path = Self::from_parts(run, CheckpointKind::Sampler.as_str(), name)?;
        path.written = Some(text.into());
        Ok(path)
    }

    fn rest(text: &str) -> Option<&str> {
        text.strip_prefix(Self::SCHEME)
            .or_else(|| text.strip_prefix(Self::OTHER_SCHEME))
    }

    /// Builds an address. The name must be one path segment.
    pub fn try_new(run: ModelId, kind: CheckpointKind, name: &str) -> Result<Self, InvalidValue> {
        let name = name.to_owned();
        let path = Self {
            run,
            kind,
            name,
            written: None,
        };
        path.to_string().parse()
    }

    /// Parses the three parts of an address, for example those of a route.
    ///
    /// # Errors
    /// As for the whole address.
    pub fn from_parts(run: &str, kind: &str, name: &str) -> Result<Self, InvalidValue> {
        format!("{}{run}/{kind}/{name}", Self::SCHEME).parse()
    }

    /// The training run that saved the checkpoint.
    pub fn run(&self) -> &ModelId {
        &self.run
    }

    /// Reads an address in a response. In addition to addresses of known kinds, those of kinds that a newer server has
    /// are read, and those without a kind, as of a sampler.
    ///
    /// # Errors
    /// As for any address.
    pub fn from_server(text: &str) -> Result<Self, InvalidValue> {
        let refused = match Self::parse_for_sampling(text) {
            Ok(path) => return Ok(path),
            Err(refused) => refused,
        };
        let parts = Self::rest(text).map_or(Vec::new(), |rest| rest.split('/').collect());
        let [run, kind, name] = parts[..] else {
            return Err(refused);
        };
        if matches!(kind, "" | "." | "..") {
            return Err(refused);
        }
        let mut path = Self::from_parts(run, CheckpointKind::Training.as_str(), name)?;
        path.kind = CheckpointKind::Other;
        path.written = Some(text.into());
        Ok(path)
    }

    /// Middle part of the address, as it is written.
    pub fn kind_str(&self) -> &str {
        if self.kind == CheckpointKind::Other
            && let Some(kind) = self.written.as_deref().and_then(Self::rest)
        {
            return kind.split('/').nth(1).unwrap_or_default();
        }
        self.kind.as_str()
    }

    /// Purpose of the checkpoint.
    pub fn kind(&self) -> CheckpointKind {
        self.kind
    }

    /// The name the checkpoint was saved under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The checkpoint's id within its run, `<kind>/<name>`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.kind_str(), self.name)
    }
}

impl FromStr for CheckpointPath {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let refuse = |why: &str| {
            let form = "a checkpoint path is tinker://<run>/<weights|sampler_weights|external_weights>/<name>";
            InvalidValue::new("", format!("{text:?} {why}; {form}"))
        };
        let rest = Self::rest(text).ok_or_else(|| refuse("does not start with tinker://"))?;
        if rest.ends_with('/') {
            return Err(refuse("ends with a slash; drop the / at the end"));
        }
        let parts: Vec<&str> = rest.split('/').collect();
        let [run, kind, name] = parts[..] else {
            return Err(refuse("does not have three parts"));
        };
        if [run, name]
            .iter()
            .any(|part| part.is_empty() || *part == "." || *part == "..")
        {
            return Err(refuse("has an empty or relative part"));
        }
        let kind = [
            CheckpointKind::Training,
            CheckpointKind::Sampler,
            CheckpointKind::External,
        ]
        .into_iter()
        .find(|known| known.as_str() == kind)
        .ok_or_else(|| refuse("has an unknown kind"))?;
        Ok(Self {
            run: ModelId::from(run),
            kind,
            name: name.to_owned(),
            written: (!text.starts_with(Self::SCHEME)).then(|| text.into()),
        })
    }
}

impl fmt::Display for CheckpointPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.written {
            Some(text) => f.write_str(text),
            None => write!(f, "{}{}/{}", Self::SCHEME, self.run, self.id()),
        }
    }
}

impl TryFrom<String> for CheckpointPath {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::from_server(&text)
    }
}

impl From<CheckpointPath> for String {
    fn from(path: CheckpointPath) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_the_form_in_which_a_server_wrote_it() {
        for text in ["tinker://r/s1", "twinkle://r/s1"] {
            assert!(text.parse::<CheckpointPath>().is_err(), "{text}");
            let path = CheckpointPath::parse_for_sampling(text).unwrap();
            assert_eq!((path.kind(), path.name()), (CheckpointKind::Sampler, "s1"));
            assert_eq!(path.to_string(), text);
        }
        let text = "twinkle://r/weights/a";
        let path: CheckpointPath = text.parse().unwrap();
        assert_eq!(
            (path.kind(), path.to_string()),
            (CheckpointKind::Training, text.into())
        );
        for bad in [
            "tinker://r",
            "tinker://r/",
            "tinker://r/..",
            "tinker:///s1",
            "other://r/s1",
        ] {
            assert!(CheckpointPath::parse_for_sampling(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_of_an_unknown_kind_is_read_from_a_response() {
        let text = "\"tinker://r/merged_weights/a\"";
        let path: CheckpointPath = serde_json::from_str(text).unwrap();
        assert_eq!(path.kind(), CheckpointKind::Other);
        assert_eq!(path.id(), "merged_weights/a");
        assert_eq!(serde_json::to_string(&path).unwrap(), text);
        for bad in ["tinker://r/../a", "tinker://r//a", "tinker://r/a/b/c"] {
            assert!(CheckpointPath::from_server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for bad in [
            "",
            "tinker://",
            "tinker://a/weights",
            "tinker://a/other/b",
            "http://a/weights/b",
            "tinker://a/weights/../b",
            "tinker://a/weights/..",
            "tinker:///weights/b",
            "tinker://a/weights/b/",
        ] {
            assert!(bad.parse::<CheckpointPath>().is_err(), "{bad}");
        }
        let slash = "tinker://a/weights/b/".parse::<CheckpointPath>();
        assert!(
            slash
                .unwrap_err()
                .to_string()
                .contains("drop the / at the end")
        );
    }
}
