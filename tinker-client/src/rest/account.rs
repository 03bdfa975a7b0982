//! `AccountClient`: the key in use, the organization's audit log, usage and costs.

use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use tinker_types::{
    ApiKeyInfo, AuditEntry, AuditScope, BillingUsage, CheckpointStorage, DeleteApiKey, GetApiKey,
    GetAuditLog, GetBillingUsage, GetCheckpointStorage, InvalidValue,
};

use crate::error::Error;
use crate::service::client::ServiceClient;
use crate::session::ask::{ask, set};
use crate::session::state::ClientState;

/// Reads the API key in use and the organization's audit log, usage and costs.
///
/// Get one from [`ServiceClient::account`]. Opens no session. Cheap to clone. Dropping a future abandons its request.
/// The audit log, usage and costs need a key with the permission to read them; others get a 403.
#[derive(Debug, Clone)]
pub struct AccountClient {
    pub(super) state: Arc<ClientState>,
}

impl ServiceClient {
    /// The account behind the key in use. Works after [`close`](Self::close), too.
    ///
    #[doc = setup!(service)]
    /// let entries = service.account().audit_log(Default::default(), None).await?;
    /// assert!(entries.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn account(&self) -> AccountClient {
        AccountClient {
            state: Arc::clone(self.state()),
        }
    }
}

impl AccountClient {
    /// The name and owner of the API key in use. The hosted service accepts keys here, not tokens.
    ///
    #[doc = setup!(service)]
    /// let key = service.account().api_key().await?;
    /// assert!(!key.name.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 401 for an invalid key.
    pub async fn api_key(&self) -> Result<ApiKeyInfo, Error> {
        ask(&self.state, "RestClient.get_api_key", GetApiKey {}).await
    }

    /// Deletes the API key in use on the server. The key is invalid afterwards.
    ///
    /// ```no_run
    /// # async fn example(service: tinker_client::ServiceClient) -> Result<(), tinker_client::Error> {
    /// service.account().delete_api_key().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 401 for a key that is invalid or was deleted before.
    pub async fn delete_api_key(&self) -> Result<(), Error> {
        let method = "RestClient.delete_api_key";
        set(
            &self.state,
            method,
            DeleteApiKey {},
            StatusCode::UNAUTHORIZED,
        )
        .await
    }

    /// The audit log of one day in UTC; `None` for today.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::types::AuditScope;
    ///
    /// let saved = training.save_state("first").await?.path;
    /// service.checkpoints().delete(&saved).await?;
    /// let events = service.account().audit_log(AuditScope::Checkpoints, None).await?;
    /// assert!(!events.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 403 without the permission to read it.
    pub async fn audit_log(
        &self,
        events: AuditScope,
        day: Option<Date>,
    ) -> Result<Vec<AuditEntry>, Error> {
        let request = GetAuditLog {
            event_type: events,
            day,
        };
        let answer = ask(&self.state, "AdminClient.get_audit_log", request);
        Ok(answer.await?.entries)
    }

    /// Usage from `starting_on` until just before `ending_before`. The hosted service accepts whole hours in UTC and at
    /// most 14 days.
    ///
    #[doc = setup!(service)]
    /// let from = "2026-01-01T00:00:00Z".parse()?;
    /// let to = "2026-01-02T00:00:00Z".parse()?;
    /// let usage = service.account().billing_usage(from, to).await?;
    /// assert!(usage.data.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A range that ends before it starts, before anything is sent; 403 without the permission to read it.
    pub async fn billing_usage(
        &self,
        starting_on: Timestamp,
        ending_before: Timestamp,
    ) -> Result<BillingUsage, Error> {
        if ending_before <= starting_on {
            let why = format!("is {ending_before}, not after starting_on, {starting_on}");
            return Err(InvalidValue::new("ending_before", why).into());
        }
        let request = GetBillingUsage::between(starting_on, ending_before);
        ask(&self.state, "AdminClient.get_billing_usage", request).await
    }

    /// Current size and cost of stored checkpoints, of one project or of all.
    ///
    #[doc = setup!(training)]
    /// training.save_state("first").await?;
    /// let usage = service.account().checkpoint_storage(None).await?;
    /// assert!(format!("{usage:?}").contains("bytes"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// 403 without the permission to read it.
    pub async fn checkpoint_storage(
        &self,
        project_id: Option<&str>,
    ) -> Result<CheckpointStorage, Error> {
        let method = "AdminClient.get_current_checkpoint_storage_usage";
        let project_id = project_id.map(str::to_owned);
        ask(&self.state, method, GetCheckpointStorage { project_id }).await
    }
}
