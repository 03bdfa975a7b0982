//! `AdminClient`: what an organization does and pays.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use tinker_types::{
    AuditEntry, AuditScope, BillingUsage, CheckpointStorage, GetAuditLog, GetBillingUsage,
    GetCheckpointStorage, InvalidValue,
};

use crate::ask::ask;
use crate::config::Config;
use crate::core::Core;
use crate::error::Error;
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
    /// ```
    /// use tinker_client::{AdminClient, Config};
    ///
    /// let admin = AdminClient::new(Config::new("http://localhost:8000"))?;
    /// # drop(admin);
    /// # Ok::<(), tinker_client::Error>(())
    /// ```
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
    #[doc = setup!(training)]
    /// use tinker_client::types::AuditScope;
    ///
    /// let saved = training.save_state("first").await?.path;
    /// service.rest().delete_checkpoint(&saved).await?;
    /// let events = service.admin().get_audit_log(AuditScope::Checkpoints, None).await?;
    /// assert!(!events.is_empty());
    /// # Ok(())
    /// # }
    /// ```
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
        Ok(ask(&self.core, "AdminClient.get_audit_log", request)
            .await?
            .entries)
    }

    /// What was used from one time to just before another. The hosted service takes whole hours in
    /// UTC and at most 14 days.
    ///
    #[doc = setup!(service)]
    /// let from = "2026-01-01T00:00:00Z".parse()?;
    /// let to = "2026-01-02T00:00:00Z".parse()?;
    /// let usage = service.admin().get_billing_usage(from, to).await?;
    /// assert!(usage.data.is_empty());
    /// # Ok(())
    /// # }
    /// ```
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
        ask(&self.core, "AdminClient.get_billing_usage", request).await
    }

    /// What stored checkpoints take and cost now, of one project or of all.
    ///
    #[doc = setup!(training)]
    /// training.save_state("first").await?;
    /// let usage = service.admin().get_current_checkpoint_storage_usage(None).await?;
    /// assert!(format!("{usage:?}").contains("bytes"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 403 for a key that may not read this.
    pub async fn get_current_checkpoint_storage_usage(
        &self,
        project_id: Option<String>,
    ) -> Result<CheckpointStorage, Error> {
        ask(
            &self.core,
            "AdminClient.get_current_checkpoint_storage_usage",
            GetCheckpointStorage { project_id },
        )
        .await
    }
}

impl ServiceClient {
    /// A client for an organization's audit log, usage and costs; shares connections and settings.
    ///
    #[doc = setup!(service)]
    /// let entries = service.admin().get_audit_log(Default::default(), None).await?;
    /// assert!(entries.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn admin(&self) -> AdminClient {
        AdminClient::from_core(Arc::clone(self.core()))
    }
}
