//! Receipt of an export: a file that lists what was written, so that a later export can tell it from other files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::folder::hexadecimal;

/// Name of the receipt's file.
pub(super) const RECEIPT: &str = "tinker-export.json";

/// Largest receipt that is read, in bytes.
const MOST: u64 = 1 << 20;

/// Files by name, with their digests.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Receipt {
    files: BTreeMap<String, String>,
}

impl Receipt {
    /// The receipt of a folder, whose files are flushed. Also returns their sizes in bytes.
    pub(super) fn of(folder: &Path) -> io::Result<(Self, Vec<(String, u64)>)> {
        let (mut receipt, mut sizes) = (Self::default(), Vec::new());
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let file = File::open(entry.path())?;
            file.sync_all()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            sizes.push((name.clone(), file.metadata()?.len()));
            receipt.files.insert(name, digest(file)?);
        }
        sizes.sort();
        Ok((receipt, sizes))
    }

    /// Writes it into the folder.
    pub(super) fn leave_in(&self, folder: &Path) -> io::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        let path = folder.join(RECEIPT);
        fs::write(&path, bytes)?;
        File::open(path)?.sync_all()
    }

    /// Why a folder may not be replaced: the first entry that no export wrote, or that was changed since. `None` if an
    /// export wrote all of it.
    pub(super) fn objection(folder: &Path) -> io::Result<Option<String>> {
        let receipt = Self::read(folder);
        let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let wanted = match &receipt {
                Some(_) if name == RECEIPT => continue,
                Some(receipt) => name.to_str().and_then(|name| receipt.files.get(name)),
                None => None,
            };
            let Some(wanted) = wanted.filter(|_| entry.file_type().is_ok_and(|it| it.is_file()))
            else {
                return Ok(Some(format!(
                    "holds {}, which no export wrote",
                    name.display()
                )));
            };
            if digest(File::open(entry.path())?)? != *wanted {
                let name = name.display();
                return Ok(Some(format!(
                    "holds {name}, which was changed after its export"
                )));
            }
        }
        Ok(None)
    }

    fn read(folder: &Path) -> Option<Self> {
        let path = folder.join(RECEIPT);
        let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        let mut bytes = Vec::new();
        let file = File::open(path).ok().filter(|_| is_file)?;
        file.take(MOST).read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// SHA-256, in hexadecimal digits.
fn digest(mut file: File) -> io::Result<String> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    Ok(hexadecimal(&hash.finalize()))
}
