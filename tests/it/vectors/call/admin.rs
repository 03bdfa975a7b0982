//! Calls of the admin client, as data.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use tinker_client::{AdminClient, Error};
use tinker_types::AuditScope;

use crate::vectors::outcome::Outcome;

/// A method of the admin client.
#[derive(Debug, Clone)]
pub(crate) enum AdminCall {
    AuditLog(AuditScope, Option<Date>),
    BillingUsage(Timestamp, Timestamp),
    CheckpointStorage(Option<String>),
}

impl AdminCall {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::AuditLog(..) => "get_audit_log",
            Self::BillingUsage(..) => "get_billing_usage",
            Self::CheckpointStorage(_) => "get_current_checkpoint_storage_usage",
        }
    }

    /// Makes the call; the value has the official client's name for its type.
    pub(crate) async fn make(self, admin: &AdminClient) -> Result<Outcome, Error> {
        let (class, value) = match self {
            Self::AuditLog(events, day) => {
                let entries = admin.get_audit_log(events, day).await?;
                ("AuditLogResponse", json!({"entries": entries}))
            }
            Self::BillingUsage(from, until) => {
                let usage = admin.get_billing_usage(from, until).await?;
                ("BillingUsageResponse", json!(usage))
            }
            Self::CheckpointStorage(project_id) => {
                let usage = admin
                    .get_current_checkpoint_storage_usage(project_id)
                    .await?;
                ("CurrentCheckpointStorageUsageResponse", json!(usage))
            }
        };
        Ok(Outcome::Value { class, value })
    }
}
