//! What is wrong with a data file.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::words;

/// Faults that are written out; the rest is counted.
const SHOWN: usize = 10;

/// One fault: why a line cannot be used, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    reason: String,
    fix: String,
}

impl Fault {
    /// The line `reason`; `fix` tells what to write instead.
    pub(crate) fn new(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            fix: fix.into(),
        }
    }
}

/// Gathers the faults of one file.
#[derive(Debug)]
pub(crate) struct Faults {
    path: PathBuf,
    found: Vec<(Option<usize>, Fault)>,
}

impl Faults {
    /// No faults so far.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            found: Vec::new(),
        }
    }

    /// A fault on a line, counted from 1.
    pub(crate) fn add(&mut self, line: usize, fault: Fault) {
        self.found.push((Some(line), fault));
    }

    /// A fault of the whole file.
    pub(crate) fn add_file(&mut self, fault: Fault) {
        self.found.push((None, fault));
    }

    /// Nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `value` when nothing is wrong.
    pub(crate) fn into_result<T>(self, value: T) -> Result<T, DataFault> {
        if self.found.is_empty() {
            Ok(value)
        } else {
            Err(DataFault {
                path: self.path,
                found: self.found,
            })
        }
    }
}

/// A data file that cannot be used. Its message lists the faults, each as `file:line: reason` with a fix.
#[derive(Debug, thiserror::Error)]
pub(crate) struct DataFault {
    path: PathBuf,
    found: Vec<(Option<usize>, Fault)>,
}

impl fmt::Display for DataFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if let [(None, fault)] = &self.found[..] {
            return write!(f, "{path} {}\n  fix: {}", fault.reason, fault.fix);
        }
        write!(
            f,
            "{path} has {}; nothing was trained",
            words::count(self.found.len(), "fault")
        )?;
        let mut last_fix = "";
        for (line, fault) in self.found.iter().take(SHOWN) {
            match line {
                Some(line) => write!(f, "\n  {path}:{line}: {}", fault.reason)?,
                None => write!(f, "\n  {path}: {}", fault.reason)?,
            }
            // A file made by one faulty program has the same fault on each line.
            if fault.fix != last_fix {
                write!(f, "\n    fix: {}", fault.fix)?;
                last_fix = &fault.fix;
            }
        }
        if self.found.len() > SHOWN {
            write!(
                f,
                "\n  and {} more",
                words::number((self.found.len() - SHOWN) as u64)
            )?;
        }
        Ok(())
    }
}
