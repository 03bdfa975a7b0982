//! Unpacking of archives.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use tar::{Archive, EntryType};

use super::name::check_name;
use crate::error::DownloadFailed;

/// Largest number of entries. A checkpoint has a few files.
const MOST: usize = 10_000;

/// Largest size of an extension header in bytes, for example a long name: it is read into memory.
const LONGEST_EXTENSION: u64 = 64 << 10;

/// Unpacks a tar archive into a new folder. Returns the names of the files, in alphabetical order, and their total size.
///
/// The archive is untrusted: only plain files and folders are accepted, with unique names that stay within the folder.
/// Their total size cannot exceed that of the archive.
///
/// # Errors
/// Disk errors are temporary. Other errors mean a damaged or unacceptable archive.
pub(super) fn unpack(archive: &Path, into: &Path) -> Result<(Vec<String>, u64), DownloadFailed> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let failed = |what: &str| DownloadFailed::new(&name, what);
    let odd = |error: io::Error| failed("is not a complete tar archive").because(error);
    let open = || {
        let opened = File::open(archive);
        opened.map_err(|error| failed("cannot be read").temporary().because(error))
    };

    check_entries(&name, open()?)?;
    let (mut names, mut bytes) = (Vec::new(), 0);
    make(into, Path::new(""), &name)?;
    let mut archive = Archive::new(open()?);
    for entry in archive.entries().map_err(odd)? {
        let mut entry = entry.map_err(odd)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        // Some programs prefix names with `./`.
        let path = path.trim_start_matches("./").trim_end_matches('/');
        match entry.header().entry_type() {
            EntryType::Directory if matches!(path, "" | ".") => continue,
            EntryType::Directory => {
                check_name(path)?;
                make(into, Path::new(path), &name)?;
                continue;
            }
            EntryType::XGlobalHeader => continue,
            EntryType::Regular | EntryType::Continuous => {}
            kind => {
                let what = format!("has the entry {path:?}, which is not a plain file ({kind:?})");
                return Err(failed(&what));
            }
        }
        check_name(path)?;
        if let Some(parent) = Path::new(path).parent() {
            make(into, parent, &name)?;
        }
        let target = into.join(path);
        let refuse = |error| {
            let failed = DownloadFailed::new(path, "cannot be written");
            failed.temporary().because(error)
        };
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).open(&target);
        let mut file = file.map_err(refuse)?;
        let written = io::copy(&mut entry, &mut file).map_err(refuse)?;
        if written != entry.size() {
            return Err(failed("ends within a file"));
        }
        file.sync_all().map_err(refuse)?;
        names.push(path.to_owned());
        bytes += written;
    }
    if names.is_empty() {
        return Err(failed("has no files"));
    }
    names.sort_unstable();
    Ok((names, bytes))
}

fn make(into: &Path, within: &Path, archive: &str) -> Result<(), DownloadFailed> {
    fs::create_dir_all(into.join(within)).map_err(|error| {
        let failed = DownloadFailed::new(archive, "a folder cannot be created");
        failed.temporary().because(error)
    })
}

/// Checks sizes and number of the entries before their content is read.
fn check_entries(name: &str, file: File) -> Result<(), DownloadFailed> {
    let failed = |what: &str| DownloadFailed::new(name, what);
    let odd = |error: io::Error| failed("is not a complete tar archive").because(error);
    let mut archive = Archive::new(file);
    for (number, entry) in archive
        .entries_with_seek()
        .map_err(odd)?
        .raw(true)
        .enumerate()
    {
        let entry = entry.map_err(odd)?;
        let kind = entry.header().entry_type();
        let is_extension = kind.is_gnu_longname()
            || kind.is_gnu_longlink()
            || kind.is_pax_local_extensions()
            || kind.is_pax_global_extensions();
        if is_extension && entry.size() > LONGEST_EXTENSION {
            return Err(failed("has an entry with an overlong name"));
        }
        if number >= MOST {
            return Err(failed("has too many entries"));
        }
    }
    Ok(())
}
