//! Credentials: sources of the value of `X-API-Key`.

mod api_key;
mod command;
mod exchange;
mod jwt;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::LazyLock;

use bytes::Bytes;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

pub use api_key::ApiKey;
pub use command::Command;
pub use exchange::Exchange;

use crate::error::BoxError;

/// A source of tokens. Queried before every attempt, so a token should usually be available without waiting.
///
/// Implementations must not show the secret in `Debug`; [`Token`] and
/// [`SecretString`](secrecy::SecretString) take care of that.
pub trait Credential: fmt::Debug + Send + Sync {
    /// The current token.
    fn token(&self) -> CredentialFuture<'_, Token>;

    /// The current token, if available without waiting. Queried first, because most requests then need no boxed future;
    /// on `None`, [`token`](Self::token) is called.
    fn at_hand(&self) -> Option<Token> {
        None
    }

    /// Whether [`renew`](Self::renew) can ever return another token. If not, no copy of the request is kept for it.
    fn can_renew(&self) -> bool {
        true
    }

    /// Another token after the server rejected `rejected` as invalid, if there is one. Called at most once per attempt;
    /// if many calls were rejected with the same token, one renewal must serve them all.
    fn renew<'a>(&'a self, rejected: &'a Token) -> CredentialFuture<'a, Option<Token>> {
        let _ = rejected;
        Box::pin(async { Ok(None) })
    }

    /// A number that identifies the credential within this process; transports with the same number share a cool-down.
    /// `None`: not shared.
    fn fingerprint(&self) -> Option<u64> {
        None
    }
}

/// Return type of [`Credential`].
pub type CredentialFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, CredentialError>> + Send + 'a>>;

/// A secret for one request. Not shown by `Debug`, and wiped from memory when its last clone is dropped, including the
/// header made from it.
#[derive(Clone)]
pub struct Token {
    secret: Bytes,
    /// The same memory, validated once. `None`: it is not a valid header value.
    header: Option<HeaderValue>,
}

/// Memory that is wiped on drop.
struct Wiped(SecretString);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl Token {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        let secret = Bytes::from_owner(Wiped(SecretString::from(secret.into())));
        let mut header = HeaderValue::from_maybe_shared(secret.clone()).ok();
        if let Some(header) = &mut header {
            header.set_sensitive(true);
        }
        Self { secret, header }
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        // Made from a string, so it is valid UTF-8.
        std::str::from_utf8(&self.secret).unwrap_or_default()
    }

    /// A header value that `Debug` does not show.
    pub(crate) fn header(&self) -> Result<HeaderValue, CredentialError> {
        self.header.clone().ok_or_else(|| {
            CredentialError::new("the credential contains characters that are not allowed in a header; check for a line break")
        })
    }

    /// A header value of the word `Bearer` and the token, which `Debug` does not show.
    pub(crate) fn bearer(&self) -> Result<HeaderValue, CredentialError> {
        self.header()?;
        let text = Bytes::from_owner(Wiped(SecretString::from(format!(
            "Bearer {}",
            self.expose()
        ))));
        let mut header = HeaderValue::from_maybe_shared(text)
            .map_err(|_| CredentialError::new("the credential is not a valid header value"))?;
        header.set_sensitive(true);
        Ok(header)
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        fingerprint(self.expose())
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.secret == other.secret
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([hidden])")
    }
}

/// Hash with a key of this process, so that it reveals nothing about the text.
fn fingerprint(text: &str) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(text)
}

/// Error of a credential source.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct CredentialError {
    what: Cow<'static, str>,
    source: Option<BoxError>,
}

impl CredentialError {
    /// A new error; `what` is a lowercase fragment without the secret.
    pub fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }

    tinker_types::setters! {
        /// Sets the cause, returned by [`source`](std::error::Error::source).
        with_source(source: impl Into<BoxError>) => source = Some(source.into());
    }
}
