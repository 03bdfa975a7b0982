//! A folder that is written whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::ExportError;

/// Where an export goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    folder: PathBuf,
    replace: bool,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The folder.
    pub folder: PathBuf,
    /// Names and sizes in bytes of the files in it, by name.
    pub files: Vec<(String, u64)>,
}

/// Names of the files that exports write. A folder that holds anything else is never replaced.
const OURS: [&str; 14] = [
    "adapter_config.json",
    "adapter_model.safetensors",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
];

impl Output {
    /// A folder that is not there yet, or is empty.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            replace: false,
        }
    }

    /// Whether an earlier export there may be replaced. A folder that holds other files than an export writes is left
    /// alone all the same.
    #[must_use]
    pub fn replacing(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Lets `fill` write the files into a folder beside the final one, flushes them, and moves them to their place.
    pub(super) fn write(
        &self,
        fill: impl FnOnce(&Path) -> Result<(), ExportError>,
    ) -> Result<Exported, ExportError> {
        self.check()?;
        // `x/` and `x` are the same folder, and a lone name lies in the working folder.
        let folder: PathBuf = self.folder.components().collect();
        let parent = match folder.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(self.taken("is no place for an export")),
        };
        fs::create_dir_all(parent).map_err(ExportError::io("make folder", parent))?;
        let fresh = temporary(parent)?;
        fill(fresh.path())?;
        let files = flushed(fresh.path()).map_err(ExportError::io("flush", fresh.path()))?;
        let old = match fs::symlink_metadata(&folder) {
            Ok(_) => {
                let away = temporary(parent)?;
                fs::rename(&folder, away.path().join("old"))
                    .map_err(ExportError::io("move away", &folder))?;
                Some(away)
            }
            Err(_) => None,
        };
        if let Err(error) = fs::rename(fresh.path(), &folder) {
            if let Some(old) = &old {
                let _put_back = fs::rename(old.path().join("old"), &folder);
            }
            return Err(ExportError::io("rename to", &folder)(error));
        }
        // It is in its place; nothing is left to clean up.
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

    /// Refuses what would write over something of value.
    fn check(&self) -> Result<(), ExportError> {
        let found = match fs::symlink_metadata(&self.folder) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(ExportError::io("look at", &self.folder)(error)),
        };
        if !found.is_dir() {
            return Err(self.taken("exists and is no folder; choose another place"));
        }
        let list = || ExportError::io("list", &self.folder);
        for entry in fs::read_dir(&self.folder).map_err(list())? {
            let entry = entry.map_err(list())?;
            let name = entry.file_name();
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if !(is_file && OURS.iter().any(|ours| *ours == name)) {
                return Err(self.taken(format!(
                    "holds {}, which no export wrote; choose another place, or empty it yourself",
                    name.display()
                )));
            }
            if !self.replace {
                return Err(
                    self.taken("is not empty; choose another place, or replace what is there")
                );
            }
        }
        Ok(())
    }
}

/// A folder like any other new one, as far as permissions go, and removed unless it is kept.
fn temporary(parent: &Path) -> Result<tempfile::TempDir, ExportError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tinker-export-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder
        .tempdir_in(parent)
        .map_err(ExportError::io("make a folder in", parent))
}

/// Flushes all files of a folder, and says what they are.
fn flushed(folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file = File::open(entry.path())?;
        file.sync_all()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.push((name, file.metadata()?.len()));
    }
    files.sort();
    flush_folder(folder)?;
    Ok(files)
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

    fn write(output: &Output) -> Result<Exported, ExportError> {
        output.write(|folder| {
            fs::write(folder.join("config.json"), "{}").map_err(ExportError::io("write", folder))
        })
    }

    #[test]
    fn an_export_is_replaced_only_when_asked() {
        let place = tempfile::tempdir().unwrap();
        let output = Output::new(place.path().join("a/b"));
        let written = write(&output).unwrap();
        assert_eq!(written.files, [("config.json".to_owned(), 2)]);
        let error = write(&output).unwrap_err().to_string();
        assert!(error.contains("is not empty"), "{error}");
        fs::write(place.path().join("a/b/vocab.json"), "old").unwrap();
        write(&output.clone().replacing(true)).unwrap();
        assert!(!place.path().join("a/b/vocab.json").exists());
        assert_eq!(
            fs::read_dir(place.path().join("a")).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn what_no_export_wrote_is_never_replaced() {
        let place = tempfile::tempdir().unwrap();
        for name in ["data.json", "config.json/"] {
            let folder = place.path().join("precious");
            if name.ends_with('/') {
                fs::create_dir_all(folder.join(name)).unwrap();
            } else {
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join(name), "").unwrap();
            }
            let error = write(&Output::new(&folder).replacing(true))
                .unwrap_err()
                .to_string();
            assert!(error.contains("which no export wrote"), "{error}");
            fs::remove_dir_all(&folder).unwrap();
        }
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        let error = write(&Output::new(&file).replacing(true))
            .unwrap_err()
            .to_string();
        assert!(error.contains("is no folder"), "{error}");
    }

    #[test]
    fn a_failure_leaves_what_was_there() {
        let place = tempfile::tempdir().unwrap();
        let output = Output::new(place.path().join("out/")).replacing(true);
        write(&output).unwrap();
        let failed = output.write(|_| Err(ExportError::Merge("no".to_owned())));
        assert!(failed.is_err());
        assert!(place.path().join("out/config.json").exists());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
