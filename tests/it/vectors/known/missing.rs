//! Recordings of what we do not have.

/// Why a recording is not replayed, or not whole.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Absence {
    /// Nothing of ours corresponds to it.
    LeftOut(&'static str),
    /// It waits for a part of our API.
    NotYet(&'static str),
    /// These exchanges wait for a part of our API; the others are replayed.
    Partly(&'static str, &'static [u64]),
}

/// What is missing for a recording, besides what its requests show.
pub(crate) fn absence(name: &str) -> Option<Absence> {
    if name.starts_with("cli/") {
        let why = "output of the official command; its requests are checked as types";
        return Some(Absence::LeftOut(why));
    }
    let known = ABSENCES.iter().find(|(known, _)| *known == name);
    known.map(|(_, absence)| *absence)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ABSENCES.iter().map(|(name, _)| *name)
}

use Absence::{LeftOut, NotYet, Partly};

const ABSENCES: &[(&str, Absence)] = &[
    (
        "transport/tls_alpn",
        LeftOut("needs a TLS server; the transport's own tests have one"),
    ),
    (
        "training/save_weights",
        Partly("samplers whose weights change in flight", &[18, 19]),
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
    (
        "training/custom_handle_duplicate",
        NotYet("handles of custom losses, for the server to compute"),
    ),
    ("auth/whoami", NotYet("RestClient::whoami")),
    ("auth/whoami_without_jwt", NotYet("RestClient::whoami")),
    (
        "auth/raise_if_not_accessible_402",
        NotYet("a check of access that raises at once"),
    ),
    ("sampling/handle_clone_join", NotYet("sampler handles")),
    ("sampling/handle_clone_random_id", NotYet("sampler handles")),
];
