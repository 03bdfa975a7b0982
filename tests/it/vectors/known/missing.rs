//! Recordings of features that this workspace does not have.

/// Why a recording is not replayed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Absence {
    /// This workspace has nothing that corresponds to it.
    LeftOut(&'static str),
}

/// The feature that a recording needs, where its requests do not show it.
pub(crate) fn absence(name: &str) -> Option<Absence> {
    if name.starts_with("cli/") {
        let why = "output of the official command, which docs/commands.md compares; its requests are checked as types";
        return Some(Absence::LeftOut(why));
    }
    let known = ABSENCES.iter().find(|(known, _)| *known == name);
    known.map(|(_, absence)| *absence)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ABSENCES.iter().map(|(name, _)| *name)
}

use Absence::LeftOut;

const ABSENCES: &[(&str, Absence)] = &[
    (
        "transport/tls_alpn",
        LeftOut("needs a TLS server; the transport's own tests have one"),
    ),
    (
        "models/load_state_legacy",
        LeftOut("a deprecated call; our clients load into a new model"),
    ),
    (
        "training/torch_sparse_pad_value",
        LeftOut("conversion from a Python library's tensor"),
    ),
    (
        "training/custom_graph_errors",
        LeftOut("tracing of Python functions"),
    ),
];
