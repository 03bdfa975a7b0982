//! Calls of the official admin client, as data.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use tinker_client::{AccountClient, Error};
use tinker_types::AuditScope;

use crate::vectors::outcome::Outcome;

/// A method of the official admin client.
#[derive(Debug, Clone)]
pub(crate) enum AdminCall {
    AuditLog(AuditScope, Option<Date>),
    BillingUsage(Timestamp, Timestamp),
    CheckpointStorage(Option<String>),
}

impl AdminCall {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::AuditLog(..) => "audit_log",
            Self::BillingUsage(..) => "billing_usage",
            Self::CheckpointStorage(_) => "checkpoint_storage",
        }
    }

    /// Makes the call; the value has the official client's name for its type.
    pub(crate) async fn make(self, account: &AccountClient) -> Result<Outcome, Error> {
        let (class, value) = match self {
            Self::AuditLog(events, day) => {
                let entries = account.audit_log(events, day).await?;
                ("AuditLogResponse", json!({"entries": entries}))
            }
            Self::BillingUsage(from, until) => {
                let usage = account.billing_usage(from, until).await?;
                ("BillingUsageResponse", json!(usage))
            }
            Self::CheckpointStorage(project_id) => {
                let usage = account.checkpoint_storage(project_id.as_deref()).await?;
                ("CurrentCheckpointStorageUsageResponse", json!(usage))
            }
        };
        Ok(Outcome::Value { class, value })
    }
}
