//! Results of checks.

use serde::Serialize;

use crate::error::Error;

/// Largest number of characters of a result.
const MOST: usize = 300;

/// Severity of a finding, in increasing order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// As on the hosted service, or better.
    Passed,
    /// Different, without a loss.
    Noted,
    /// Skipped: an earlier check failed, or the check does not apply.
    Skipped,
    /// Something does not work; training and sampling do.
    Limited,
    /// Training or sampling does not work, or gives wrong results.
    Failed,
}

impl Status {
    /// The status in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Noted => "noted",
            Self::Skipped => "skipped",
            Self::Limited => "limited",
            Self::Failed => "failed",
        }
    }
}

/// Result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Name of the check, one of [`CHECKS`](super::CHECKS).
    pub check: &'static str,
    /// Severity.
    pub status: Status,
    /// The observation.
    pub found: String,
    /// Its meaning for the user.
    pub meaning: String,
    /// Recommended action, if any.
    pub advice: Option<String>,
}

impl Finding {
    pub(super) fn passed(found: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self::new(Status::Passed, found, meaning)
    }

    pub(super) fn noted(found: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self::new(Status::Noted, found, meaning)
    }

    pub(super) fn skipped(why: impl Into<String>) -> Self {
        Self::new(Status::Skipped, why, "not checked")
    }

    pub(super) fn limited(found: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self::new(Status::Limited, found, meaning)
    }

    pub(super) fn failed(found: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self::new(Status::Failed, found, meaning)
    }

    pub(super) fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    fn new(status: Status, found: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self {
            check: "",
            status,
            found: shortened(&found.into()),
            meaning: meaning.into(),
            advice: None,
        }
    }
}

/// An error and its causes in one line.
pub(super) fn told(error: &Error) -> String {
    format!("{error:#}")
}

fn shortened(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{} ...", &line[..cut]),
        None => line,
    }
}

/// Results of all checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Address of the server, without user name and password.
    pub server: String,
    /// The base model that was used, if there was one.
    pub model: Option<String>,
    /// The findings, in the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The highest severity.
    pub fn worst(&self) -> Status {
        let statuses = self.findings.iter().map(|finding| finding.status);
        statuses.max().unwrap_or(Status::Skipped)
    }

    /// Number of findings of a severity.
    pub fn count(&self, status: Status) -> usize {
        let same = self
            .findings
            .iter()
            .filter(|finding| finding.status == status);
        same.count()
    }

    /// The finding of a check.
    pub fn finding(&self, check: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.check == check)
    }
}
