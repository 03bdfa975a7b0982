//! Credentials: where the value of `X-API-Key` comes from.

mod api_key;
mod command;
mod exchange;
mod jwt;

use std::borrow::Cow;
use std::error::Error as StdError;
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

/// A source of tokens. Asked before every attempt, so an answer should usually be at hand.
///
/// Implementations must not show the secret in `Debug`; [`Token`] and
/// [`SecretString`](secrecy::SecretString) take care of that.
pub trait Credential: fmt::Debug + Send + Sync {
    /// A token to send now.
    fn token(&self) -> CredentialFuture<'_, Token>;

    /// The same where it takes no waiting. Asked first, because the usual request then needs no
    /// boxed future for it; `None` means: ask [`token`](Self::token).
    fn at_hand(&self) -> Option<Token> {
        None
    }

    /// Can [`renew`](Self::renew) ever have another token? If not, no copy of the request is kept
    /// for it.
    fn can_renew(&self) -> bool {
        true
    }

    /// The server called `rejected` invalid: is there another? Called at most once per attempt;
    /// when many calls were rejected with the same token, one renewal must serve them all.
    fn renew<'a>(&'a self, rejected: &'a Token) -> CredentialFuture<'a, Option<Token>> {
        let _ = rejected;
        Box::pin(async { Ok(None) })
    }

    /// A number that is the same for the same credential within this process, by which transports
    /// find the cool-down they share. `None`: share nothing.
    fn fingerprint(&self) -> Option<u64> {
        None
    }
}

/// What a [`Credential`] returns.
pub type CredentialFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, CredentialError>> + Send + 'a>>;

/// A secret for one request. Not shown by `Debug`, wiped from memory when its last clone is
/// dropped; the header made of it is such a clone.
#[derive(Clone)]
pub struct Token {
    secret: Bytes,
    /// The same memory, checked once. `None`: it cannot stand in a header.
    header: Option<HeaderValue>,
}

/// Memory that wipes itself.
struct Wiped(SecretString);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl Token {
    /// Takes the secret.
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
        // It was made from a string.
        std::str::from_utf8(&self.secret).unwrap_or_default()
    }

    /// As a header value that `Debug` does not show.
    pub(crate) fn header(&self) -> Result<HeaderValue, CredentialError> {
        self.header.clone().ok_or_else(|| {
            CredentialError::new("the credential holds characters that cannot stand in a header; look for a line break")
        })
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

/// Hashes with a key of this process, so that the number gives nothing away.
fn fingerprint(text: &str) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(text)
}

/// Why there is no usable credential.
#[derive(Debug)]
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

    /// Puts the cause behind [`source`](StdError::source).
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl StdError for CredentialError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
