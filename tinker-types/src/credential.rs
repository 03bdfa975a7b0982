//! Credentials: their exchange, and what a key is.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::endpoint::{Endpoint, Method, endpoint};

/// Exchanges the credential of the request for a short-lived token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExchangeToken {}

endpoint!(ExchangeToken => ExchangedToken, "auth/token");

/// A short-lived token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExchangedToken {
    /// The token, a JWT.
    pub jwt: String,
}

impl fmt::Debug for ExchangedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangedToken(***)")
    }
}

/// Asks whose key the request carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GetApiKey {}

impl Endpoint for GetApiKey {
    type Response = ApiKeyInfo;
    const NAME: &'static str = "get_api_key";
    const METHOD: Method = Method::Get;
    fn path(&self) -> Cow<'static, str> {
        Cow::Borrowed("auth/apikey/me")
    }
}

/// Deletes the key the request carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DeleteApiKey {}

impl Endpoint for DeleteApiKey {
    type Response = serde::de::IgnoredAny;
    const NAME: &'static str = "delete_api_key";
    const METHOD: Method = Method::Delete;
    fn path(&self) -> Cow<'static, str> {
        Cow::Borrowed("auth/apikey/me")
    }
}

/// What is known of a key; the key itself is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ApiKeyInfo {
    /// Its number.
    pub key_id: u64,
    /// Its name.
    pub name: String,
    /// A note.
    pub note: String,
    /// Whose it is.
    pub details: KeyDetails,
}

/// Whose a key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyDetails {
    /// The organization.
    pub org_details: OrgDetails,
    /// The user.
    pub user_details: UserDetails,
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrgDetails {
    /// Its name.
    pub name: String,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserDetails {
    /// Their address.
    pub email: String,
}
