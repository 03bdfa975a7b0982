//! `AdminClient`: what an organization does and pays.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use tinker_types::{
    AuditEntry, AuditScope, BillingUsage, CheckpointStorage, GetAuditLog, GetBillingUsage,
    GetCheckpointStorage, InvalidValue,
};

use crate::config::Config;
use crate::core::Core;
use crate::error::Error;
use crate::rest::ask;
use crate::service::ServiceClient;

/// Reads an organization's audit log, usage and costs. Opens no session.
///
/// Get one from [`ServiceClient::admin`], or on its own by [`new`](Self::new). The key must belong to
/// somebody who may read this; others are answered 403. Cheap to clone. Dropping a future gives its
/// request up.
#[derive(Debug, Clone)]
pub struct AdminClient {
    core: Arc<Core>,
}

impl AdminClient {
    /// A client with these settings. Sends nothing yet.
    ///
    /// # Errors
    /// As for [`ServiceClient::new`].
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(ServiceClient::new(config)?.admin())
    }

    pub(crate) fn from_core(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The events of one day in UTC, `None` for today.
    ///
    /// # Errors
    /// 403 for a key that may not read this.
    pub async fn get_audit_log(
        &self,
        events: AuditScope,
        day: Option<Date>,
    ) -> Result<Vec<AuditEntry>, Error> {
        let request = GetAuditLog {
            event_type: events,
            day,
        };
        Ok(ask(&self.core, request).await?.entries)
    }

    /// What was used from one time to just before another. The hosted service takes whole hours in
    /// UTC and at most 14 days.
    ///
    /// # Errors
    /// A time that ends before it begins, before anything is sent; 403 for a key that may not read
    /// this.
    pub async fn get_billing_usage(
        &self,
        starting_on: Timestamp,
        ending_before: Timestamp,
    ) -> Result<BillingUsage, Error> {
        if ending_before <= starting_on {
            let why = format!("is {ending_before}, not after starting_on, {starting_on}");
            return Err(InvalidValue::new("ending_before", why).into());
        }
        let request = GetBillingUsage::between(starting_on, ending_before);
        ask(&self.core, request).await
    }

    /// What stored checkpoints take and cost now, of one project or of all.
    ///
    /// # Errors
    /// 403 for a key that may not read this.
    pub async fn get_current_checkpoint_storage_usage(
        &self,
        project_id: Option<String>,
    ) -> Result<CheckpointStorage, Error> {
        ask(&self.core, GetCheckpointStorage { project_id }).await
    }
}
