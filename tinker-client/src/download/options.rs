//! Options of a download.

use std::fmt;
use std::sync::Arc;

/// Options of a download. The default is four files at a time without progress reports.
#[derive(Clone)]
#[non_exhaustive]
pub struct DownloadOptions {
    /// Number of files fetched concurrently; 0 counts as 1. Default 4.
    pub parallel: usize,
    progress: Option<Arc<Progress>>,
}

type Progress = dyn Fn(&DownloadProgress<'_>) + Send + Sync;

/// Progress of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadProgress<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// Bytes received, including those of earlier calls.
    pub received: u64,
    /// Total bytes, if the server announced them.
    pub total: Option<u64>,
}

impl DownloadOptions {
    tinker_types::setters! {
        /// Sets the number of files fetched concurrently.
        with_parallel(files: usize) => parallel = files;

        /// Sets a function that is called after each received chunk. It runs in the receiving task and must return quickly.
        with_progress(report: impl Fn(&DownloadProgress<'_>) + Send + Sync + 'static) => progress = Some(Arc::new(report));
    }

    pub(crate) fn report(&self, file: &str, received: u64, total: Option<u64>) {
        if let Some(report) = &self.progress {
            report(&DownloadProgress {
                file,
                received,
                total,
            });
        }
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
