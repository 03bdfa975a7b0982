//! How the server behaves: the first part of the path of its base URL.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::Outcome;

/// How the server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It answers at once.
    Prompt,
    /// It asks for compressed passes.
    Compressed,
    /// It works so many microseconds on each request of a pass, on one after another.
    Working(u64),
}

impl Manner {
    /// The manner and the route of a path.
    pub(crate) fn of(path: &str) -> Option<(Self, &str)> {
        let (prefix, route) = path.split_once("/api/v1/")?;
        let manner = match prefix.strip_prefix('/') {
            None => Self::Prompt,
            Some("zstd") => Self::Compressed,
            Some(working) => Self::Working(working.strip_prefix("working-")?.parse().ok()?),
        };
        Some((manner, route))
    }
}

impl fmt::Display for Manner {
    /// The part of the path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prompt => Ok(()),
            Self::Compressed => f.write_str("zstd"),
            Self::Working(microseconds) => write!(f, "working-{microseconds}"),
        }
    }
}

/// Work of a server that does one pass after another.
#[derive(Debug, Default)]
pub(crate) struct Work(Mutex<Option<Instant>>);

impl Work {
    /// Adds a pass.
    pub(crate) fn add(&self, microseconds: u64) -> Outcome<()> {
        let mut end = self.0.lock().map_err(|_| "poisoned")?;
        let now = Instant::now();
        let begin = end.map_or(now, |end| end.max(now));
        *end = Some(begin + Duration::from_micros(microseconds));
        Ok(())
    }

    /// Waits for the end of all passes added so far.
    pub(crate) async fn done(&self) -> Outcome<()> {
        let end = *self.0.lock().map_err(|_| "poisoned")?;
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            // The timer of the runtime counts milliseconds.
            tokio::task::spawn_blocking(move || std::thread::sleep(left)).await?;
        }
        Ok(())
    }
}
