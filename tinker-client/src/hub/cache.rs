//! The cache of `huggingface_hub`: contents under `blobs`, and for each commit a folder of links to them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::HubError;
use super::repository::Repository;

/// The part of a cache that belongs to one repository.
#[derive(Debug, Clone)]
pub(super) struct RepositoryCache {
    folder: PathBuf,
    locks: PathBuf,
}

impl RepositoryCache {
    pub(super) fn new(cache: &Path, repository: &Repository) -> Self {
        let name = repository.folder();
        Self {
            folder: cache.join(&name),
            locks: cache.join(".locks").join(name),
        }
    }

    /// The folder of a revision: a branch, a tag or a commit.
    pub(super) fn find(&self, revision: &str) -> Option<PathBuf> {
        let named = fs::read_to_string(self.folder.join("refs").join(revision)).ok();
        let commit = named.as_deref().map_or(revision, str::trim);
        let folder = self.snapshot(commit);
        (!commit.is_empty() && folder.is_dir()).then_some(folder)
    }

    /// The folder of a commit.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// The files of a revision with their sizes, by name, and its commit. Files in folders of folders are left out.
    pub(super) fn files(&self, revision: &str) -> Option<(String, Vec<(String, u64)>)> {
        let folder = self.find(revision)?;
        let commit = folder.file_name()?.to_str()?.to_owned();
        let mut files = Vec::new();
        let mut folders = vec![(folder, String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            for entry in fs::read_dir(folder).ok()?.flatten() {
                let path = entry.path();
                // A link to a content that is gone has no size.
                let (Ok(file), Some(name)) = (fs::metadata(&path), path.file_name()?.to_str())
                else {
                    continue;
                };
                if file.is_file() {
                    files.push((format!("{prefix}{name}"), file.len()));
                } else if prefix.is_empty() {
                    let prefix = format!("{name}/");
                    folders.push((path, prefix));
                }
            }
        }
        files.sort();
        Some((commit, files))
    }

    /// The content with this tag.
    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// The received part of the content with this tag.
    pub(super) fn incomplete(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(format!("{etag}.incomplete"))
    }

    /// Waits until no other program receives the content with this tag. The lock ends with the returned file. Blocks the
    /// thread.
    pub(super) fn lock(&self, etag: &str) -> Result<fs::File, HubError> {
        let path = self.locks.join(format!("{etag}.lock"));
        let failed = |error| HubError::disk(&path, "cannot be locked", error);
        create_parent(&path)?;
        create_parent(&self.blob(etag))?;
        let file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }

    /// Notes the commit of a branch or tag.
    pub(super) fn note(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if revision == commit {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        create_parent(&path)?;
        replace(&path, |beside| fs::write(beside, commit))
    }

    /// Places the content with this tag into the folder of a commit.
    pub(super) fn place(&self, commit: &str, name: &str, etag: &str) -> Result<(), HubError> {
        let path = self.snapshot(commit).join(name);
        create_parent(&path)?;
        let blob = self.blob(etag);
        replace(&path, |beside| link(name, etag, &blob, beside))
    }
}

/// A link to `../../blobs/TAG`, as seen from a file in the folder of a commit.
#[cfg(unix)]
fn link(name: &str, etag: &str, _: &Path, at: &Path) -> io::Result<()> {
    let mut target = PathBuf::from("../..");
    target.extend(Path::new(name).components().skip(1).map(|_| ".."));
    std::os::unix::fs::symlink(target.join("blobs").join(etag), at)
}

#[cfg(not(unix))]
fn link(_: &str, _: &str, blob: &Path, at: &Path) -> io::Result<()> {
    fs::hard_link(blob, at).or_else(|_| fs::copy(blob, at).map(drop))
}

/// Makes a file beside the path, then moves it there.
fn replace(path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), HubError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{:016x}", fastrand::u64(..)));
    let beside = PathBuf::from(beside);
    let made = make(&beside).and_then(|()| fs::rename(&beside, path));
    made.map_err(|error| {
        let _ = fs::remove_file(&beside);
        HubError::disk(path, "cannot be written", error)
    })
}

fn create_parent(path: &Path) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| HubError::disk(folder, "cannot be created", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_found_by_branch_and_commit() {
        let place = tempfile::tempdir().unwrap();
        let cache = RepositoryCache::new(place.path(), &"org/name".parse().unwrap());
        assert_eq!(cache.find("main"), None);
        cache.note("main", "abc").unwrap();
        cache.note("refs/pr/1", "abc").unwrap();
        assert_eq!(cache.find("main"), None, "nothing was fetched yet");
        drop(cache.lock("tag").unwrap());
        fs::write(cache.blob("tag"), "content").unwrap();
        for name in ["config.json", "additional_chat_templates/tool.jinja"] {
            cache.place("abc", name, "tag").unwrap();
            cache.place("abc", name, "tag").unwrap();
            let read = fs::read_to_string(cache.snapshot("abc").join(name)).unwrap();
            assert_eq!(read, "content");
        }
        let folder = place.path().join("models--org--name/snapshots/abc");
        for revision in ["main", "refs/pr/1", "abc"] {
            assert_eq!(cache.find(revision), Some(folder.clone()));
        }
        assert_eq!(cache.find("other"), None);
        let size = "content".len() as u64;
        let names = ["additional_chat_templates/tool.jinja", "config.json"];
        let files = names.map(|name| (name.to_owned(), size)).to_vec();
        assert_eq!(cache.files("main"), Some(("abc".to_owned(), files)));
        fs::remove_file(cache.blob("tag")).unwrap();
        assert_eq!(cache.files("main"), Some(("abc".to_owned(), Vec::new())));
        assert_eq!(cache.files("other"), None);
    }
}
