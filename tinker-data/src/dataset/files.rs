//! Names of data files.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::container;
use super::error::{DatasetError, ErrorKind, LineError};

/// The files that names stand for, in order: a name with `*`, `?` or `[` that is not the name of a file stands for all
/// files that match it, sorted.
///
/// # Errors
/// A pattern that is not valid or that no file matches.
pub fn matching(names: &[PathBuf]) -> Result<Vec<PathBuf>, DatasetError> {
    let mut files = Vec::new();
    for name in names {
        match name.to_str() {
            Some(pattern) if pattern.contains(['*', '?', '[']) && !name.exists() => {
                files.extend(expanded(name, pattern)?);
            }
            _ => files.push(name.clone()),
        }
    }
    Ok(files)
}

/// Opens a data file.
///
/// # Errors
/// A file that cannot be opened, and folders, FIFOs and devices.
pub fn open_file(path: impl AsRef<Path>) -> Result<File, DatasetError> {
    let path = path.as_ref();
    container::open(path).map_err(|error| DatasetError::of(path, error))
}

fn expanded(name: &Path, pattern: &str) -> Result<Vec<PathBuf>, DatasetError> {
    let refuse = |reason: String, fix: &str| {
        DatasetError::of(name, LineError::new(ErrorKind::File, reason, fix))
    };
    let matches = glob::glob(pattern).map_err(|error| {
        refuse(
            format!("is not a valid pattern: {error}"),
            "quote special characters: [*]",
        )
    })?;
    let mut files = Vec::new();
    for file in matches {
        let file = file.map_err(|error| {
            refuse(
                format!("cannot be searched: {error}"),
                "check who owns the folder",
            )
        })?;
        if !file.is_dir() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(refuse(
            "matches no file".to_owned(),
            "check the spelling of the path",
        ));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["b.jsonl", "a.jsonl", "c.csv", "[x].jsonl"] {
            std::fs::write(path(name), "").unwrap();
        }
        let names = [path("[x].jsonl"), path("?.jsonl"), path("none")];
        let expected = [
            path("[x].jsonl"),
            path("a.jsonl"),
            path("b.jsonl"),
            path("none"),
        ];
        assert_eq!(matching(&names).unwrap(), expected);
        let error = matching(&[path("*.txt")]).unwrap_err().to_string();
        assert!(error.contains("matches no file"), "{error}");
    }
}
