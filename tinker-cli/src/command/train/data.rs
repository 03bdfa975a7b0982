//! Training data: one JSON object per line, checked completely before anything is trained.

mod fault;
mod line;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

pub(crate) use fault::{DataFault, Fault, Faults};
pub(crate) use line::Example;

/// A data file that has been read.
#[derive(Debug)]
pub(crate) struct DataFile {
    pub(crate) path: PathBuf,
    /// SHA-256 of the file, as `sha256sum` prints it.
    pub(crate) sha256: String,
    pub(crate) examples: Vec<Placed>,
}

/// An example and the line it stands on, counted from 1.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) line: usize,
    pub(crate) example: Example,
}

impl DataFile {
    /// Reads a file. Every line is looked at, so that one run lists all faults.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let examples = parse(path, &bytes)?;
        let digest = Sha256::digest(&bytes);
        let sha256 = digest
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        Ok(Self {
            path: path.to_owned(),
            sha256,
            examples,
        })
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Placed>, DataFault> {
    let mut faults = Faults::new(path);
    let mut examples = Vec::new();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (index, raw) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = index + 1;
        let Ok(text) = std::str::from_utf8(raw) else {
            faults.add(
                line,
                Fault::new("is not UTF-8 text", "save the file as UTF-8"),
            );
            continue;
        };
        if text.trim().is_empty() {
            continue;
        }
        match line::parse(text) {
            Ok(example) => examples.push(Placed { line, example }),
            Err(fault) => faults.add(line, fault),
        }
    }
    if examples.is_empty() && faults.is_empty() {
        faults.add_file(Fault::new("holds no examples", line::FORMS));
    }
    faults.into_result(examples)
}

#[cfg(test)]
mod tests;
