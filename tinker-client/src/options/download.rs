//! How to download.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// How to download. The default will do: four files at a time, nobody told of the progress.
#[derive(Clone)]
#[non_exhaustive]
pub struct DownloadOptions {
    /// Files fetched at the same time. Default 4.
    pub parallel: NonZeroUsize,
    progress: Option<Arc<Told>>,
}

type Told = dyn Fn(&DownloadProgress<'_>) + Send + Sync;

/// How far the download of one file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadProgress<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// Bytes that are there, those of earlier calls among them.
    pub received: u64,
    /// Bytes there will be, where the server says.
    pub total: Option<u64>,
}

impl DownloadOptions {
    /// Sets how many files are fetched at the same time.
    #[must_use]
    pub fn with_parallel(mut self, files: NonZeroUsize) -> Self {
        self.parallel = files;
        self
    }

    /// Has a function told of the progress, once for each piece that arrives. It is called where
    /// pieces are received: it should return at once.
    #[must_use]
    pub fn with_progress(
        mut self,
        told: impl Fn(&DownloadProgress<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.progress = Some(Arc::new(told));
        self
    }

    pub(crate) fn tell(&self, file: &str, received: u64, total: Option<u64>) {
        if let Some(told) = &self.progress {
            told(&DownloadProgress {
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
            parallel: NonZeroUsize::MIN.saturating_add(3),
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
