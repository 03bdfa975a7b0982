//! Accounts and servers: credentials, capabilities, billing, the audit log, telemetry.

mod audit;
mod billing;
mod capability;
mod credential;
mod secret;
mod telemetry;

pub use audit::{AuditEntry, AuditLog, AuditScope, GetAuditLog};
pub use billing::{
    BillingUsage, CheckpointStorage, GetBillingUsage, GetCheckpointStorage, StorageEntry, Usage,
    UsageEvent, UsageSession,
};
pub use capability::{
    ClientConfig, DynamicConfig, GetClientConfig, GetDynamicConfig, GetHealth,
    GetServerCapabilities, Health, ServerCapabilities, SupportedModel,
};
pub use credential::{
    ApiKeyInfo, DeleteApiKey, ExchangeToken, ExchangedToken, GetApiKey, KeyDetails, OrgDetails,
    UserDetails, Whoami,
};
pub use secret::AccessToken;
pub use telemetry::{
    SendTelemetry, Severity, TelemetryAccepted, TelemetryEvent, TelemetryEventKind,
};
