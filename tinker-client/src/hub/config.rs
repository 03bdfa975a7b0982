//! Settings of the Hub.

use std::path::PathBuf;

use tinker_transport::Token;

/// Address of the official Hub.
pub(crate) const OFFICIAL_ENDPOINT: &str = "https://huggingface.co";

/// Settings of the Hub. Plain data; [`HubConfig::from_env`] reads the environment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HubConfig {
    /// Address of the Hub. Default: `https://huggingface.co`.
    pub endpoint: String,
    /// Token of the user, for private and gated repositories. It is sent to the Hub only, not to the servers that it
    /// redirects to.
    pub token: Option<Token>,
    /// The cache, a folder with a folder for each repository.
    pub cache: PathBuf,
    /// Whether to use the cache only. Default: no.
    pub is_offline: bool,
}

impl HubConfig {
    /// The official Hub without a token, with this cache.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            endpoint: OFFICIAL_ENDPOINT.to_owned(),
            token: None,
            cache: cache.into(),
            is_offline: false,
        }
    }

    tinker_types::setters! {
        /// Sets the address of the Hub.
        with_endpoint(endpoint: impl Into<String>) => endpoint = endpoint.into();

        /// Sets the token.
        with_token(token: impl Into<String>) => token = Some(Token::new(token));

        /// Sets whether to use the cache only.
        with_offline(is_offline: bool) => is_offline = is_offline;
    }
}
