//! Address file of a running `tinker serve`, from which other commands learn where it listens.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Content of the file, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerAddress {
    /// Base URL.
    pub(crate) url: String,
    /// Process of the server.
    pub(crate) pid: u32,
    /// When the server started to listen.
    pub(crate) started: Timestamp,
}

/// A written address file, removed on drop unless another server has written its own meanwhile.
#[derive(Debug)]
pub(crate) struct AddressFile {
    path: PathBuf,
    address: ServerAddress,
}

impl ServerAddress {
    /// The address of a server in this process.
    pub(crate) fn of_this_process(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            pid: std::process::id(),
            started: Timestamp::now(),
        }
    }

    /// The file: `tinker/server.json` in `XDG_STATE_HOME`, by default `~/.local/state`. `None` if the home folder is
    /// unknown.
    pub(crate) fn path() -> Option<PathBuf> {
        let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
        let state = state.filter(|folder| folder.is_absolute());
        let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let state = state.or_else(|| Some(home()?.join(".local").join("state")))?;
        Some(state.join("tinker").join("server.json"))
    }

    /// The address in a file. `None` if there is none, or if the server's process is gone.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let address: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        is_running(address.pid).then_some(address)
    }

    /// Writes the file. Only its owner can read it.
    pub(crate) fn write(self, path: PathBuf) -> io::Result<AddressFile> {
        if let Some(folder) = path.parent() {
            let mut builder = DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(folder)?;
        }
        // Written aside and renamed, so that a reader never finds half of it.
        let aside = path.with_extension(format!("{}.tmp", self.pid));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&aside)?;
        file.write_all(&serde_json::to_vec(&self)?)?;
        drop(file);
        fs::rename(&aside, &path)?;
        Ok(AddressFile {
            path,
            address: self,
        })
    }
}

impl Drop for AddressFile {
    fn drop(&mut self) {
        if ServerAddress::read(&self.path).is_some_and(|found| found == self.address) {
            let _gone_already = fs::remove_file(&self.path);
        }
    }
}

/// Whether a process with this id runs.
fn is_running(pid: u32) -> bool {
    if cfg!(target_os = "linux") {
        return Path::new("/proc").join(pid.to_string()).exists();
    }
    if cfg!(unix) {
        let mut kill = std::process::Command::new("kill");
        let kill = kill.args(["-0", &pid.to_string()]).output();
        return kill.is_ok_and(|asked| asked.status.success());
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_as_long_as_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tinker").join("server.json");
        assert_eq!(ServerAddress::read(&path), None);
        let address = ServerAddress::of_this_process("http://127.0.0.1:1");
        let file = address.clone().write(path.clone()).unwrap();
        assert_eq!(ServerAddress::read(&path), Some(address));
        // Another server has started since: its file stays.
        let other = ServerAddress::of_this_process("http://127.0.0.1:2");
        let others = other.clone().write(path.clone()).unwrap();
        drop(file);
        assert_eq!(ServerAddress::read(&path), Some(other));
        drop(others);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_of_a_process_that_is_gone_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.json");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let mut address = ServerAddress::of_this_process("http://127.0.0.1:1");
        address.pid = child.id();
        let _file = address.write(path.clone()).unwrap();
        assert!(path.exists());
        assert_eq!(ServerAddress::read(&path), None);
    }
}
