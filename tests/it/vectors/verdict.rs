//! What came of a vector.

use std::fmt;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Aspect {
    /// Which requests are sent.
    Requests,
    /// What is in their bodies.
    Body,
    /// Path, query, headers.
    Head,
    /// Idempotency keys.
    Keys,
    /// What follows what.
    Order,
    /// How long it waits between tries.
    Pace,
    /// Results and errors.
    Outcome,
    /// What is logged.
    Log,
    /// The types of the messages.
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

/// What came of a vector.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Our client does the same.
    Passed,
    /// It differs where it should.
    Different(&'static str),
    /// It differs where it should not, which is known.
    Fault(&'static str),
    /// Our API lacks what it takes; its message types are checked all the same.
    NotYet(String),
    /// It is about something we do not have.
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

    /// Why.
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
