//! Who uses a local engine, as far as it can tell: whoever reaches it.

/// The one user, in the form of the service's names.
pub(crate) const USER: &str = "tml:user:local";

/// The one organization.
pub(crate) const ORGANIZATION: &str = "local";

/// The project of sessions that were given none.
pub(crate) const PROJECT: &str = "local";

/// The name of whatever key a request carries, and of the organization, for people.
pub(crate) const NAME: &str = "local engine";

/// An address that belongs to nobody: `.invalid` never resolves.
pub(crate) const EMAIL: &str = "nobody@local.invalid";
