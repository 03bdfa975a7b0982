//! The profile file.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::profiles::Profiles;
use crate::config::credentials::disk;
use crate::error::{ConfigError, Error};

/// The file with named servers: `tinker/config.toml` in the user's configuration folder, which is `XDG_CONFIG_HOME` or
/// `~/.config`.
///
/// Reading and writing block the thread briefly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileFile {
    path: PathBuf,
}

impl ProfileFile {
    /// A file at another path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text of the file; `None` if it does not exist.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read_text(&self) -> Result<Option<String>, Error> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.refuse("cannot be read", error)),
        }
    }

    /// The named servers; only the built-in ones if the file does not exist.
    ///
    /// # Errors
    /// A file that cannot be read or parsed; a file with keys or headers that other users can read.
    pub fn read(&self) -> Result<Profiles, Error> {
        let Some(text) = self.read_text()? else {
            return Ok(Profiles::default());
        };
        let profiles = self.parse(&text)?;
        if profiles.has_key() && self.is_open_to_others() {
            let what = format!(
                "{}: holds keys or headers and can be read by others; run: chmod 600 {0}",
                self.path.display()
            );
            return Err(ConfigError::new(what).into());
        }
        Ok(profiles)
    }

    /// Replaces the text of the file atomically. The file has mode 0600; a folder created for it has mode 0700.
    ///
    /// # Errors
    /// A text that is not a valid profile file; a folder or file that cannot be written. The old file is then unchanged.
    pub fn write(&self, text: &str) -> Result<(), Error> {
        self.parse(text)?;
        disk::replace(&self.path, text.as_bytes())
            .map_err(|error| self.refuse("cannot be written", error))
    }

    fn parse(&self, text: &str) -> Result<Profiles, Error> {
        Profiles::parse(text).map_err(|error| {
            let what = format!("{}: {error}", self.path.display());
            ConfigError::new(what).into()
        })
    }

    #[cfg(unix)]
    fn is_open_to_others(&self) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(&self.path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
    }

    #[cfg(not(unix))]
    fn is_open_to_others(&self) -> bool {
        false
    }

    fn refuse(&self, what: &str, cause: std::io::Error) -> Error {
        let what = format!("{}: {what}", self.path.display());
        ConfigError::new(what).because(cause).into()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_with_a_key_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = ProfileFile::at(folder.path().join("tinker/config.toml"));
        assert!(file.read().unwrap().servers.is_empty());
        let text = "[servers.a]\nkey = \"hunter2\"\n";
        file.write(text).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(file.path()), 0o600);
        assert_eq!(mode(file.path().parent().unwrap()), 0o700);
        assert!(file.read().is_ok());
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = file.read().unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        assert!(file.write("[servers.a]\nkee = 1\n").is_err());
        assert_eq!(file.read_text().unwrap().as_deref(), Some(text));
    }
}
