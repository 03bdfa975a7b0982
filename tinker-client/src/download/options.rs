//! Options of a download.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Options of a download. The default is four files at a time without progress reports.
#[derive(Clone)]
#[non_exhaustive]
pub struct DownloadOptions {
    /// Number of files fetched concurrently; 0 counts as 1. Default 4.
    pub parallel: usize,
    progress: Option<Arc<Progress>>,
}

type Progress = dyn Fn(&DownloadProgress<'_>) + Send + Sync;

/// Progress of one file, and of the whole download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadProgress<'a> {
    /// Name of the file relative to the folder, with slashes; of an archive that is unpacked afterwards, `NAME.tar`.
    pub file: &'a str,
    /// Bytes of the file received, including those of earlier calls.
    pub received: u64,
    /// Size of the file in bytes, if the server announced it.
    pub total: Option<u64>,
    /// Number of files of the download.
    pub files: usize,
    /// Number of files whose size is known. Servers announce the size of a file when its transfer begins.
    pub files_sized: usize,
    /// Bytes of all files received, including those of earlier calls.
    pub all_received: u64,
    /// Sum of the known sizes in bytes: that of the download if `files_sized` equals `files`, and less before.
    pub all_total: u64,
}

impl DownloadOptions {
    tinker_types::setters! {
        /// Sets the number of files fetched concurrently.
        with_parallel(files: usize) => parallel = files;

        /// Sets a function that is called after each received chunk. It runs in the receiving task and must return quickly.
        with_progress(report: impl Fn(&DownloadProgress<'_>) + Send + Sync + 'static) => progress = Some(Arc::new(report));
    }

    /// The reports of a download of this many files.
    pub(crate) fn reports(&self, files: usize) -> Reports {
        Reports {
            files,
            report: self.progress.clone(),
            sizes: Mutex::default(),
        }
    }
}

/// The reports of one download.
pub(crate) struct Reports {
    files: usize,
    report: Option<Arc<Progress>>,
    /// Received bytes and size of each file.
    sizes: Mutex<BTreeMap<String, (u64, Option<u64>)>>,
}

impl Reports {
    pub(crate) fn report(&self, file: &str, received: u64, total: Option<u64>) {
        let Some(report) = &self.report else {
            return;
        };
        let progress = {
            let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
            match sizes.get_mut(file) {
                Some(size) => *size = (received, total),
                None => drop(sizes.insert(file.to_owned(), (received, total))),
            }
            let known = || sizes.values().filter_map(|(_, total)| *total);
            DownloadProgress {
                file,
                received,
                total,
                files: self.files,
                files_sized: known().count(),
                all_received: sizes.values().map(|(received, _)| received).sum(),
                all_total: known().sum(),
            }
        };
        report(&progress);
    }
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self {
            parallel: 4,
            progress: None,
        }
    }
}

impl fmt::Debug for DownloadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownloadOptions")
            .field("parallel", &self.parallel)
            .finish_non_exhaustive()
    }
}
