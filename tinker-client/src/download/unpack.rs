//! An archive, taken apart.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use tar::{Archive, EntryType};

use super::error::DownloadFailed;
use super::name::check_name;

/// Entries an archive may have. A checkpoint is a handful of files.
const MOST: usize = 10_000;

/// Bytes a long name, or other notes on an entry, may have: they are read into memory.
const LONGEST_NOTE: u64 = 64 << 10;

/// Writes the files of a tar archive into a folder that is not there yet. Gives their names, in
/// alphabetical order, and their sizes added up.
///
/// The archive comes from a server: plain files and folders are taken, under names that stay within
/// the folder, each once. What the files hold is part of the archive, so they are not larger than it.
///
/// # Errors
/// Passing ones are of the disk. Otherwise the archive is not what it should be.
pub(super) fn unpack(archive: &Path, into: &Path) -> Result<(Vec<String>, u64), DownloadFailed> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let failed = |what: &str| DownloadFailed::new(&name, what);
    let odd = |error: io::Error| failed("it is no whole tar archive").because(error);
    let open = || {
        let opened = File::open(archive);
        opened.map_err(|error| failed("cannot be read").passing().because(error))
    };

    look_through(&name, open()?)?;
    let (mut names, mut bytes) = (Vec::new(), 0);
    make(into, Path::new(""), &name)?;
    let mut archive = Archive::new(open()?);
    for entry in archive.entries().map_err(odd)? {
        let mut entry = entry.map_err(odd)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        // Some programs name entries from the folder they were packed in.
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
                let what = format!("it holds {path:?}, which is no plain file ({kind:?})");
                return Err(failed(&what));
            }
        }
        check_name(path)?;
        if let Some(parent) = Path::new(path).parent() {
            make(into, parent, &name)?;
        }
        let place = into.join(path);
        let refuse = |error| {
            let failed = DownloadFailed::new(path, "it cannot be written");
            failed.passing().because(error)
        };
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).open(&place);
        let mut file = file.map_err(refuse)?;
        let written = io::copy(&mut entry, &mut file).map_err(refuse)?;
        if written != entry.size() {
            return Err(failed("it ends within a file"));
        }
        file.sync_all().map_err(refuse)?;
        names.push(path.to_owned());
        bytes += written;
    }
    if names.is_empty() {
        return Err(failed("it holds no files"));
    }
    names.sort_unstable();
    Ok((names, bytes))
}

fn make(into: &Path, within: &Path, archive: &str) -> Result<(), DownloadFailed> {
    fs::create_dir_all(into.join(within)).map_err(|error| {
        let failed = DownloadFailed::new(archive, "a folder cannot be made");
        failed.passing().because(error)
    })
}

/// Refuses what would fill the memory, before it is read as what it says it is.
fn look_through(name: &str, file: File) -> Result<(), DownloadFailed> {
    let failed = |what: &str| DownloadFailed::new(name, what);
    let odd = |error: io::Error| failed("it is no whole tar archive").because(error);
    let mut archive = Archive::new(file);
    for (number, entry) in archive
        .entries_with_seek()
        .map_err(odd)?
        .raw(true)
        .enumerate()
    {
        let entry = entry.map_err(odd)?;
        let kind = entry.header().entry_type();
        let is_note = kind.is_gnu_longname()
            || kind.is_gnu_longlink()
            || kind.is_pax_local_extensions()
            || kind.is_pax_global_extensions();
        if is_note && entry.size() > LONGEST_NOTE {
            return Err(failed("a name in it is longer than any name is"));
        }
        if number >= MOST {
            return Err(failed("it holds more files than a checkpoint has"));
        }
    }
    Ok(())
}
