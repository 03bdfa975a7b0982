//! The user, organization and project of a local engine.

/// Id of the user, in the form of the service.
pub(crate) const USER: &str = "tml:user:local";

/// Name of the organization.
pub(crate) const ORGANIZATION: &str = "local";

/// Project of sessions without one.
pub(crate) const PROJECT: &str = "local";

/// Display name of every API key and of the organization.
pub(crate) const NAME: &str = "local engine";

/// A placeholder address: `.invalid` never resolves.
pub(crate) const EMAIL: &str = "nobody@local.invalid";
