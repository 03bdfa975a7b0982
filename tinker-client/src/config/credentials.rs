//! The credentials file.

pub(crate) mod disk;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tinker_transport::Token;
use tinker_types::KeyDetails;

use crate::error::{ConfigError, Error};

/// The file with stored keys: `~/.tinker/credentials.json`, shared with the official command line tool.
///
/// Reading and writing block the thread briefly.
///
/// ```
/// use tinker_client::{CredentialsFile, StoredKey};
///
/// # let folder = tempfile::tempdir()?;
/// let file = CredentialsFile::at(folder.path().join("credentials.json"));
/// let mut credentials = file.read()?; // a missing file holds no keys
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
    /// A file at another path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The stored keys; none if the file does not exist.
    ///
    /// # Errors
    /// A file that cannot be read or is not a credentials file.
    pub fn read(&self) -> Result<Credentials, Error> {
        let content = match std::fs::read(&self.path) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Credentials::default());
            }
            Err(error) => return Err(self.refuse("cannot be read", error)),
        };
        // The cause would quote the content, which may be a key; only the position is reported.
        serde_json::from_slice(&content).map_err(|error| {
            let place = format!("at line {}, column {}", error.line(), error.column());
            let what = format!(
                "{}: is not a valid credentials file, {place}; repair it or move it away",
                self.path.display()
            );
            ConfigError::new(what).into()
        })
    }

    /// Replaces the file atomically: readers see either the old keys or the new ones. The file has mode 0600; a folder
    /// created for it has mode 0700.
    ///
    /// # Errors
    /// A folder or file that cannot be written; the old file is then unchanged.
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
    /// Id of the default key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The keys by their id on the server, in decimal.
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
    /// The default key; `None` if there is no default or `default` names a missing key.
    pub fn default_key(&self) -> Option<&StoredKey> {
        self.keys.get(self.default.as_deref()?)
    }
}

/// Version of the file format: always 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
struct Version;

impl TryFrom<u64> for Version {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        match number {
            1 => Ok(Self),
            other => Err(format!("version {other} is not supported, only 1")),
        }
    }
}

impl From<Version> for u64 {
    fn from(_: Version) -> Self {
        1
    }
}

/// The origin of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyOrigin {
    /// Entered by the user.
    #[default]
    Manual,
    /// Created by an older tool; logging out deletes it on the server.
    Generated,
}

/// A stored key. `Debug` does not show the key itself.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoredKey {
    /// Origin of the key.
    #[serde(rename = "type")]
    pub origin: KeyOrigin,
    key: String,
    /// Name of the key on the server.
    pub name: String,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Owner of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<KeyDetails>,
}

impl StoredKey {
    /// A key entered by the user.
    pub fn new(key: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            origin: KeyOrigin::Manual,
            key: key.into(),
            name: name.into(),
            note: None,
            details: None,
        }
    }

    /// The key.
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
