//! Credentials of requests.

use http::HeaderMap;
use tinker_types::wire::header;

use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::tenant::Tenant;

/// Credential that a request needs if the engine does not accept every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    /// Nothing: a probe, or a signed link.
    None,
    /// The API key, also where tokens are required.
    Key,
    /// A token where tokens are required, else the API key.
    Token,
}

/// The tenant that sends a request.
///
/// Only accepted keys get in, or tokens that were exchanged for one. If every key is accepted, or none is needed, the
/// tenant is anyone.
pub(super) fn tenant(
    shared: &Shared,
    headers: &HeaderMap,
    needed: Credential,
    wants_token: bool,
) -> Result<Tenant, Refusal> {
    let sent = headers.get(header::API_KEY);
    let sent = sent.and_then(|key| key.to_str().ok());
    match needed {
        Credential::None => Ok(Tenant::default()),
        Credential::Token if wants_token => {
            let token = sent.ok_or_else(|| Refusal::token("is missing"))?;
            shared.signer.check_token(token).map_err(Refusal::token)
        }
        Credential::Key | Credential::Token if shared.keys.is_open() => Ok(Tenant::default()),
        Credential::Key | Credential::Token => {
            let why = "is missing; this server accepts certain API keys only";
            let key = sent.ok_or_else(|| Refusal::key(why))?;
            let tenant = shared.keys.tenant(key);
            tenant.ok_or_else(|| Refusal::key("is not an API key that this server accepts"))
        }
    }
}
