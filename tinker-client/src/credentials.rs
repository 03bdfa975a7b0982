//! The file that keys are stored in.

mod disk;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tinker_transport::Token;
use tinker_types::KeyDetails;

use crate::error::{ConfigError, Error};

/// Where keys are stored: `~/.tinker/credentials.json`, the file of the official command line tool.
///
/// Reading and writing block the thread for a moment.
///
/// ```
/// use tinker_client::{CredentialsFile, StoredKey};
///
/// # let folder = tempfile::tempdir()?;
/// let file = CredentialsFile::at(folder.path().join("credentials.json"));
/// let mut credentials = file.read()?; // a file there is not holds no keys
/// credentials.keys.insert("42".into(), StoredKey::new("tml-secret", "laptop"));
/// credentials.default = Some("42".into());
/// file.write(&credentials)?;
/// assert_eq!(file.read()?.default_key().map(|key| key.name.as_str()), Some("laptop"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsFile {
    path: PathBuf,
}

impl CredentialsFile {
    /// A file at some other place.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys in it; none if there is no file.
    ///
    /// # Errors
    /// A file that cannot be read, or is not such a file.
    pub fn read(&self) -> Result<Credentials, Error> {
        let content = match std::fs::read(&self.path) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Credentials::default());
            }
            Err(error) => return Err(self.refuse("cannot be read", error)),
        };
        // The cause would show what stands there, which may be a key: only its place is told.
        serde_json::from_slice(&content).map_err(|error| {
            let place = format!("at line {}, column {}", error.line(), error.column());
            let what = format!(
                "{}: is no credentials file, {place}; mend it or move it away",
                self.path.display()
            );
            ConfigError::new(what).into()
        })
    }

    /// Replaces the file at once: who reads it sees the old keys or the new ones. Only the user may
    /// read it (mode 0600), and a folder that has to be made for it (0700).
    ///
    /// # Errors
    /// A folder or file that cannot be written; the old file is then as it was.
    pub fn write(&self, credentials: &Credentials) -> Result<(), Error> {
        let content = serde_json::to_vec_pretty(credentials)
            .map_err(|error| self.refuse("cannot be written as JSON", error))?;
        disk::replace(&self.path, &content).map_err(|error| self.refuse("cannot be written", error))
    }

    fn refuse(
        &self,
        what: &str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        let what = format!("{}: {what}", self.path.display());
        ConfigError::new(what).because(cause).into()
    }
}

/// Stored keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Credentials {
    #[serde(default)]
    version: Version,
    /// Which of the keys is used when nothing else is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The keys by their number on the server, in decimal.
    #[serde(default)]
    pub keys: BTreeMap<String, StoredKey>,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            version: Version,
            default: None,
            keys: BTreeMap::new(),
        }
    }
}

impl Credentials {
    /// The key that is used when nothing else is said; `None` also when `default` names one that is
    /// not there.
    pub fn default_key(&self) -> Option<&StoredKey> {
        self.keys.get(self.default.as_deref()?)
    }
}

/// The only version there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
struct Version;

impl TryFrom<u64> for Version {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        match number {
            1 => Ok(Self),
            other => Err(format!("version {other} is not known, only 1")),
        }
    }
}

impl From<Version> for u64 {
    fn from(_: Version) -> Self {
        1
    }
}

/// Where a key came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyOrigin {
    /// The user gave it.
    #[default]
    Manual,
    /// An older tool made it; logging out deletes it on the server.
    Generated,
}

/// A stored key. `Debug` does not show the key itself.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoredKey {
    /// Where it came from.
    #[serde(rename = "type")]
    pub origin: KeyOrigin,
    key: String,
    /// Its name on the server.
    pub name: String,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<KeyDetails>,
}

impl StoredKey {
    /// A key that the user gave.
    pub fn new(key: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            origin: KeyOrigin::Manual,
            key: key.into(),
            name: name.into(),
            note: None,
            details: None,
        }
    }

    /// The key itself.
    pub fn token(&self) -> Token {
        Token::new(self.key.as_str())
    }
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("origin", &self.origin)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
