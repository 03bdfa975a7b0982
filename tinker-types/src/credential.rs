//! Credentials: their exchange, and what a key is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wire::{Endpoint, Method, endpoint};

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

/// Who holds a token, as its claims say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Whoami {
    /// The user, `tml:organization_user:<id>`.
    pub user_urn: String,
    /// The organization, `tml:organization:<id>`.
    pub org_urn: String,
    /// The user's address, where the token has one.
    #[serde(default)]
    pub email: Option<String>,
}

impl Whoami {
    /// A user of an organization, each by URN.
    pub fn new(user_urn: impl Into<String>, org_urn: impl Into<String>) -> Self {
        Self {
            user_urn: user_urn.into(),
            org_urn: org_urn.into(),
            email: None,
        }
    }
}

/// Asks whose key the request carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GetApiKey {}

impl Endpoint for GetApiKey {
    type Response = ApiKeyInfo;
    const NAME: &'static str = "get_api_key";
    const METHOD: Method = Method::Get;
    const ROUTE: &'static str = "auth/apikey/me";
}

/// Deletes the key the request carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DeleteApiKey {}

impl Endpoint for DeleteApiKey {
    type Response = serde::de::IgnoredAny;
    const NAME: &'static str = "delete_api_key";
    const METHOD: Method = Method::Delete;
    const ROUTE: &'static str = "auth/apikey/me";
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

impl ApiKeyInfo {
    /// A key of a user of an organization, without a note.
    pub fn new(key_id: u64, name: &str, details: KeyDetails) -> Self {
        Self {
            key_id,
            name: name.to_owned(),
            note: String::new(),
            details,
        }
    }
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
