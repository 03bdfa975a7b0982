//! Verdicts on recordings.

use std::fmt;

/// An aspect of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Aspect {
    /// The requests that are sent.
    Requests,
    /// Their bodies.
    Body,
    /// Their paths, queries and headers.
    Head,
    /// Idempotency keys.
    Keys,
    /// Order.
    Order,
    /// Waits between attempts.
    Pace,
    /// Results and errors.
    Outcome,
    /// Log lines.
    Log,
    /// Types of the messages.
    Types,
}

/// A difference between the recording and our client.
#[derive(Debug, Clone)]
pub(crate) struct Mismatch {
    pub(crate) aspect: Aspect,
    pub(crate) what: String,
}

impl Mismatch {
    pub(crate) fn new(aspect: Aspect, what: impl Into<String>) -> Self {
        Self {
            aspect,
            what: what.into(),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.aspect, self.what)
    }
}

/// The verdict on a recording.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Our client behaves the same.
    Passed,
    /// Our client differs as intended.
    Different(&'static str),
    /// Our client differs in a known, unintended way.
    Fault(&'static str),
    /// Our API lacks a feature for it; its message types are checked.
    NotYet(String),
    /// The recording is about a feature that this workspace does not have.
    LeftOut(&'static str),
    Failed(Vec<String>),
}

impl Verdict {
    pub(crate) const WORDS: [&'static str; 6] = [
        "passed",
        "different on purpose",
        "known fault",
        "not yet",
        "left out",
        "FAILED",
    ];

    pub(crate) fn word(&self) -> &'static str {
        Self::WORDS[match self {
            Self::Passed => 0,
            Self::Different(_) => 1,
            Self::Fault(_) => 2,
            Self::NotYet(_) => 3,
            Self::LeftOut(_) => 4,
            Self::Failed(_) => 5,
        }]
    }

    /// The reason.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Passed => String::new(),
            Self::Different(reason) | Self::Fault(reason) | Self::LeftOut(reason) => {
                (*reason).to_owned()
            }
            Self::NotYet(api) => api.clone(),
            Self::Failed(reasons) => reasons.join("; "),
        }
    }
}
