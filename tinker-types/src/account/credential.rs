//! Credentials: token exchange and API keys.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wire::endpoint;

/// Exchanges the credential of the request for a short-lived token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExchangeToken {}

endpoint!(ExchangeToken => ExchangedToken, "auth/token");

/// A short-lived token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExchangedToken {
    /// A JSON Web Token.
    pub jwt: String,
}

impl fmt::Debug for ExchangedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangedToken(***)")
    }
}

/// Holder of a token, according to its claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Whoami {
    /// URN of the user, `tml:organization_user:<id>`.
    pub user_urn: String,
    /// URN of the organization, `tml:organization:<id>`.
    pub org_urn: String,
    /// User's e-mail address, if the token contains it.
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

/// Requests the properties of the API key of the request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GetApiKey {}

endpoint!(GetApiKey => ApiKeyInfo, Get "auth/apikey/me" as "get_api_key");

/// Deletes the API key of the request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DeleteApiKey {}

endpoint!(DeleteApiKey => serde::de::IgnoredAny, Delete "auth/apikey/me" as "delete_api_key");

/// Properties of an API key, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ApiKeyInfo {
    /// Numeric id.
    pub key_id: u64,
    /// Name of the key.
    pub name: String,
    /// Free text.
    pub note: String,
    /// Owner of the key.
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

/// Owner of an API key.
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
    /// Name of the organization.
    pub name: String,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserDetails {
    /// User's e-mail address.
    pub email: String,
}
