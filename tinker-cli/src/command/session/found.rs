//! A listed session.

use std::collections::BTreeMap;

use serde::Serialize;
use tinker_types::{FinishReason, SessionId, SessionStatus, SessionSummary};

use crate::listing::{Cell, Column, Kind, Row};

/// A listed session. Servers without the search of sessions list ids only.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(super) enum Found {
    Summary(Box<SessionSummary>),
    Id { session_id: SessionId },
}

impl Found {
    fn summary(&self) -> Option<&SessionSummary> {
        match self {
            Self::Summary(summary) => Some(summary),
            Self::Id { .. } => None,
        }
    }

    fn id(&self) -> &SessionId {
        match self {
            Self::Summary(summary) => &summary.session_id,
            Self::Id { session_id } => session_id,
        }
    }
}

/// The status in words.
fn status(status: &SessionStatus) -> String {
    let with = |word: &str, detail: Option<&String>| match detail {
        Some(detail) => format!("{word}: {detail}"),
        None => word.to_owned(),
    };
    match status {
        SessionStatus::Active => "active".to_owned(),
        SessionStatus::Cancelled { detail } => with("cancelled", detail.as_ref()),
        SessionStatus::ClientFinished { reason, detail } => {
            let word = match reason {
                FinishReason::Success => "success",
                FinishReason::Interrupted => "interrupted",
                FinishReason::Errored => "errored",
            };
            with(word, detail.as_ref())
        }
        SessionStatus::Failed { message, .. } => with("failed", Some(message)),
        other => {
            let other = serde_json::to_value(other).unwrap_or_default();
            other["type"].as_str().unwrap_or("-").to_owned()
        }
    }
}

impl Row for Found {
    const NOUN: &'static str = "session";
    const COLUMNS: &'static [Column<Self>] = &[
        Column {
            name: "id",
            kind: Kind::Text,
            get: |found| Cell::Text(found.id().to_string()),
        },
        Column {
            name: "created",
            kind: Kind::Time,
            get: |found| Cell::of(found.summary(), |summary| Cell::Time(summary.created_at)),
        },
        Column {
            name: "status",
            kind: Kind::Text,
            get: |found| {
                let known = found.summary().and_then(|summary| summary.status.as_ref());
                Cell::of(known, |known| Cell::Text(status(known)))
            },
        },
        Column {
            name: "checkpoints",
            kind: Kind::Number,
            get: |found| {
                Cell::of(found.summary(), |summary| {
                    Cell::Count(summary.checkpoints_count)
                })
            },
        },
        Column {
            name: "size",
            kind: Kind::Bytes,
            get: |found| {
                let size = found
                    .summary()
                    .and_then(|summary| summary.checkpoint_storage_bytes);
                Cell::of(size, Cell::Bytes)
            },
        },
        Column {
            name: "name",
            kind: Kind::Text,
            get: |found| {
                Cell::text(
                    found
                        .summary()
                        .and_then(|summary| summary.display_name.as_deref()),
                )
            },
        },
        Column {
            name: "project",
            kind: Kind::Text,
            get: |found| Cell::text(found.summary().map(|summary| summary.project_id.as_str())),
        },
        Column {
            name: "owner",
            kind: Kind::Text,
            get: |found| Cell::text(found.summary().map(|summary| summary.owner.as_str())),
        },
    ];
    const DEFAULT: &'static [&'static str] = &["id", "created", "status", "checkpoints", "name"];

    fn metadata(&self) -> Option<&BTreeMap<String, String>> {
        self.summary()?.user_metadata.as_ref()
    }
}
