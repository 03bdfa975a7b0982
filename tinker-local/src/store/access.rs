//! Access of tenants to checkpoints.

use tinker_types::CheckpointPath;

use super::record::Record;
use super::{Store, StoreError};
use crate::tenant::Tenant;

/// Kind of access to a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Load, copy or download it. Public checkpoints can be read by every tenant.
    Read,
    /// Remove or change it.
    Change,
}

impl Record {
    /// Whether a tenant may do this with the checkpoint.
    pub(crate) fn allows(&self, tenant: &Tenant, access: Access) -> bool {
        tenant.owns(self.owner.as_ref()) || (self.public && access == Access::Read)
    }
}

impl Store {
    /// Refuses a checkpoint of another tenant as if it did not exist. Neither it nor others of its run are named.
    pub(crate) fn check_access(
        &self,
        path: &CheckpointPath,
        tenant: &Tenant,
        access: Access,
    ) -> Result<(), StoreError> {
        let allows = |record: &Record| record.allows(tenant, access);
        let is_allowed = match self.known.get(&path.to_string()) {
            Some((record, _)) => allows(record),
            // The message about an unknown name lists the run's checkpoints.
            None => self.list_run(path.run().as_str()).all(allows),
        };
        if is_allowed {
            return Ok(());
        }
        Err(StoreError::NotFound {
            path: path.clone(),
            near: "; the run has no checkpoints in this data folder".to_owned(),
        })
    }
}
