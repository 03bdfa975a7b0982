//! Errors of a run.

use std::io;
use std::path::PathBuf;

use tinker_client::{Error, ErrorCategory};
use tinker_data::{DatasetError, Row};

/// Any error, of a hook for example.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Text of a 400 that `SkyRL` answers for a run that its restarted engine does not hold.
const NOT_LOADED: &str = "not loaded";

/// Error of a run. The steps before it are in the run folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A call of the client failed.
    #[error("{what}")]
    Client {
        /// The part of the run that failed, `step 7 failed` for example.
        what: String,
        /// The error of the client.
        source: Error,
    },
    /// The loss is not finite.
    #[error(transparent)]
    Diverged(#[from] Diverged),
    /// A file cannot be read or written.
    #[error("{what}")]
    File {
        /// The file and the operation.
        what: String,
        /// The error of the system.
        source: io::Error,
    },
    /// A file of the run folder has a line that cannot be understood.
    #[error("{}:{line}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// Reason.
        reason: String,
    },
    /// The folder holds another run.
    #[error("{} already holds a run", .0.display())]
    Taken(PathBuf),
    /// Another process works on the run.
    #[error("another process works on the run {}; wait until it has ended", .0.display())]
    InUse(PathBuf),
    /// The folder holds no run.
    #[error("{} holds no run that can be continued", .0.display())]
    NoRun(PathBuf),
    /// The server may have gone back to an older state.
    #[error("it refused connections in between, and may have restarted with an older state")]
    Restarted,
    /// A setting or a batch that cannot work.
    #[error("{0}")]
    Refused(String),
    /// A hook of the caller failed.
    #[error("{what}")]
    Hook {
        /// The hook, `the evaluation after step 7` for example.
        what: String,
        /// Its error.
        source: BoxError,
    },
}

/// A loss that is not finite.
#[derive(Debug, thiserror::Error)]
#[error(
    "step {step}: the loss is {loss}: training has diverged{}",
    saved.as_ref().map(|saved| format!("; the last checkpoint is {saved}")).unwrap_or_default()
)]
pub struct Diverged {
    /// Number of the step, from 1.
    pub step: usize,
    /// The loss: infinite or not a number.
    pub loss: f64,
    /// The last checkpoint before it, if one was saved.
    pub saved: Option<String>,
}

impl TrainError {
    /// An error of the client in a part of the run.
    pub(crate) fn client(what: impl Into<String>, source: Error) -> Self {
        let what = what.into();
        Self::Client { what, source }
    }

    /// An error of a file.
    pub(crate) fn file(what: String, source: io::Error) -> Self {
        Self::File { what, source }
    }

    /// Data that cannot be read any more.
    pub(crate) fn data(source: DatasetError) -> Self {
        Self::Hook {
            what: "cannot read the data".to_owned(),
            source: source.into(),
        }
    }

    /// A row that cannot be used.
    pub(crate) fn row(row: &Row, reason: &dyn std::fmt::Display) -> Self {
        Self::Refused(format!("{}:{}: {reason}", row.path.display(), row.line))
    }

    /// Whether the server has lost the run: gradients and weights since the last checkpoint are gone, and a new session can
    /// continue from there.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Restarted => true,
            Self::Client { source, .. } => of_client(source),
            _ => false,
        }
    }
}

fn of_client(error: &Error) -> bool {
    match error {
        Error::Gone(_) | Error::SessionLost(_) | Error::Closed(_) => true,
        Error::Failed(failed) => failed.category() != ErrorCategory::User,
        Error::Status(error) => match error.status().as_u16() {
            404 | 410 => true,
            400 => error.detail().contains(NOT_LOADED),
            _ => false,
        },
        Error::Partly(partly) => of_client(partly.first()),
        _ => false,
    }
}
