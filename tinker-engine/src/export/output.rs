//! Export target: a folder that is written atomically.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::error::ExportError;
use super::receipt::Receipt;

/// Target folder of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportTarget {
    folder: PathBuf,
    replace: bool,
}

/// A finished export.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The folder.
    pub folder: PathBuf,
    /// Names and sizes in bytes of its files, by name, except `tinker-export.json`, which lists them for a later export that
    /// replaces this one.
    pub files: Vec<(String, u64)>,
}

impl ExportTarget {
    /// A folder that does not exist yet, or is empty.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            replace: false,
        }
    }

    /// Sets whether an earlier export may be replaced; false by default. A folder that holds other files, or files that were
    /// changed since their export, is never replaced.
    #[must_use]
    pub fn replacing(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Calls `fill` to write the files into a temporary folder beside the final one, flushes them, and renames the folder.
    ///
    /// # Errors
    /// `fill` failed, the folder holds something that may not be replaced, or the system refused.
    pub fn write(
        &self,
        fill: impl FnOnce(&Path) -> Result<(), ExportError>,
    ) -> Result<Exported, ExportError> {
        self.check()?;
        // `x/` and `x` are the same folder, and a lone name lies in the working folder.
        let folder: PathBuf = self.folder.components().collect();
        let parent = match folder.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(self.taken("can't hold an export")),
        };
        fs::create_dir_all(parent).map_err(ExportError::io("make folder", parent))?;
        let fresh = temporary(parent)?;
        fill(fresh.path())?;
        let done = Receipt::of(fresh.path()).and_then(|(receipt, files)| {
            receipt.leave_in(fresh.path())?;
            flush_folder(fresh.path())?;
            Ok(files)
        });
        let files = done.map_err(ExportError::io("flush", fresh.path()))?;
        let moved = fs::symlink_metadata(&folder).is_ok();
        let away = temporary(parent)?;
        let old = away.path().join("old");
        if moved {
            fs::rename(&folder, &old).map_err(ExportError::io("move away", &folder))?;
        }
        // Another program may have written there meanwhile.
        let in_place = if moved {
            self.check_content(&old)
        } else {
            Ok(())
        }
        .and_then(|()| {
            fs::rename(fresh.path(), &folder).map_err(ExportError::io("rename to", &folder))
        });
        if let Err(error) = in_place {
            if moved && fs::rename(&old, &folder).is_err() {
                // The previous content stays where it was moved to.
                let _kept = away.keep();
            }
            return Err(error);
        }
        // The folder is in its place; nothing is left to clean up.
        let _moved = fresh.keep();
        flush_folder(parent).map_err(ExportError::io("flush folder", parent))?;
        Ok(Exported { folder, files })
    }

    fn taken(&self, why: impl Into<String>) -> ExportError {
        ExportError::Taken {
            folder: self.folder.clone(),
            why: why.into(),
        }
    }

    /// Checks that nothing of value would be overwritten.
    fn check(&self) -> Result<(), ExportError> {
        let found = match fs::symlink_metadata(&self.folder) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(ExportError::io("look at", &self.folder)(error)),
        };
        if !found.is_dir() {
            return Err(self.taken("exists and is not a folder; choose another place"));
        }
        self.check_content(&self.folder)
    }

    /// Checks that a folder is empty, or that replacing was requested and an export wrote all of its content.
    fn check_content(&self, folder: &Path) -> Result<(), ExportError> {
        if self.replace {
            let found = Receipt::objection(folder).map_err(ExportError::io("read", folder))?;
            return found.map_or(Ok(()), |why| {
                Err(self.taken(format!("{why}; choose another place, or empty it yourself")))
            });
        }
        let mut entries = fs::read_dir(folder).map_err(ExportError::io("list", folder))?;
        match entries.next() {
            None => Ok(()),
            Some(_) => {
                Err(self.taken("is not empty; choose another place, or replace what is there"))
            }
        }
    }
}

/// A temporary folder with the permissions of any new folder, removed unless it is kept.
fn temporary(parent: &Path) -> Result<tempfile::TempDir, ExportError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tinker-export-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder
        .tempdir_in(parent)
        .map_err(ExportError::io("make a folder in", parent))
}

fn flush_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(output: &ExportTarget) -> Result<Exported, ExportError> {
        output.write(|folder| {
            fs::write(folder.join("config.json"), "{}").map_err(ExportError::io("write", folder))
        })
    }

    #[test]
    fn an_export_is_replaced_only_when_asked() {
        let place = tempfile::tempdir().unwrap();
        let output = ExportTarget::new(place.path().join("a/b"));
        let written = write(&output).unwrap();
        assert_eq!(written.files, [("config.json".to_owned(), 2)]);
        let error = write(&output).unwrap_err().to_string();
        assert!(error.contains("is not empty"), "{error}");
        let folder = place.path().join("a/b");
        fs::remove_file(folder.join("config.json")).unwrap();
        write(&output.clone().replacing(true)).unwrap();
        assert!(folder.join("config.json").exists());
        assert_eq!(
            fs::read_dir(place.path().join("a")).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn what_no_export_wrote_is_never_replaced() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("precious");
        for (name, exported) in [
            ("data.json", false),
            ("data.json", true),
            ("config.json", false),
            ("config.json/", false),
            ("sub/", true),
        ] {
            if exported {
                write(&ExportTarget::new(&folder)).unwrap();
            }
            fs::create_dir_all(&folder).unwrap();
            if name.ends_with('/') {
                fs::create_dir_all(folder.join(name)).unwrap();
            } else {
                fs::write(folder.join(name), "").unwrap();
            }
            let error = write(&ExportTarget::new(&folder).replacing(true))
                .unwrap_err()
                .to_string();
            assert!(error.contains("which no export wrote"), "{error}");
            fs::remove_dir_all(&folder).unwrap();
        }
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        let error = write(&ExportTarget::new(&file).replacing(true))
            .unwrap_err()
            .to_string();
        assert!(error.contains("is not a folder"), "{error}");
    }

    #[test]
    fn what_was_changed_or_added_since_an_export_is_never_replaced() {
        let place = tempfile::tempdir().unwrap();
        let output = ExportTarget::new(place.path().join("out")).replacing(true);
        write(&output).unwrap();
        let config = place.path().join("out/config.json");
        fs::write(&config, "[]").unwrap();
        let error = write(&output).unwrap_err().to_string();
        assert!(
            error.contains("config.json, which was changed after"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&config).unwrap(), "[]");

        // The same while the export is under way.
        fs::write(&config, "{}").unwrap();
        let notes = place.path().join("out/notes.txt");
        let late =
            output.write(|_| fs::write(&notes, "mine").map_err(ExportError::io("write", &notes)));
        let error = late.unwrap_err().to_string();
        assert!(
            error.contains("notes.txt, which no export wrote"),
            "{error}"
        );
        assert!(notes.exists() && config.exists());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_what_was_there() {
        let place = tempfile::tempdir().unwrap();
        let output = ExportTarget::new(place.path().join("out/")).replacing(true);
        write(&output).unwrap();
        let failed = output.write(|_| Err(ExportError::Merge("no".to_owned())));
        assert!(failed.is_err());
        assert!(place.path().join("out/config.json").exists());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
