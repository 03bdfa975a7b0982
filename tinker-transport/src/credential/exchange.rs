//! Exchange of a long-lived credential for short-lived JWTs.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, StatusCode};
use tinker_types::wire::route;
use tinker_types::{Endpoint, ExchangeToken, ExchangedToken};
use tokio::time::Instant;

use super::jwt::Claims;
use super::{Credential, CredentialError, CredentialFuture, Token};
use crate::body::Body;
use crate::flow::class::Class;
use crate::mutex::lock;
use crate::request::call::Call;
use crate::request::replay::Replay;
use crate::stack::transport::Transport;

/// Remaining life below which a token is exchanged before it is used.
const MARGIN: Duration = Duration::from_mins(1);
/// Wait after a failed early renewal, and until the renewal of a token without a known lifetime.
const PAUSE: Duration = Duration::from_mins(1);

/// Exchanges the raw credential for a JWT, and renews it in time.
///
/// - The first token is fetched when the first request needs one.
/// - With 60 s or less to live, the next request waits for a new token; if the exchange fails and the old one is still
///   valid, the old one is used.
/// - Half way through its life (45 to 55 %), a token is renewed in the background: the first request after that point
///   starts the renewal and continues with the old token. A failed renewal is retried after 60 s.
/// - A token that the server rejects as invalid is exchanged immediately, once for all requests that used it.
///
/// Only one exchange is in progress at a time. A 401 from the exchange is final.
pub struct Exchange {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    fingerprint: Option<u64>,
    cached: Mutex<Option<CachedToken>>,
    /// Held during an exchange, so that only one is in progress at a time.
    lock: tokio::sync::Mutex<()>,
    renewing: AtomicBool,
}

#[derive(Clone)]
struct CachedToken {
    token: Token,
    expires: Instant,
    renew_at: Instant,
}

impl CachedToken {
    fn new(token: Token) -> Self {
        let claims = Claims::read(token.expose());
        let now = Instant::now();
        let early = claims
            .lifetime()
            .map_or(PAUSE, |life| life.mul_f64(0.45 + 0.1 * fastrand::f64()));
        Self {
            token,
            expires: now + claims.left(),
            renew_at: now + early,
        }
    }

    fn left(&self) -> Duration {
        self.expires.saturating_duration_since(Instant::now())
    }
}

/// A failed exchange, and whether the server refused the raw credential.
struct Failure {
    is_refusal: bool,
    error: CredentialError,
}

impl Exchange {
    /// Exchanges over `transport`, which must send the raw credential itself.
    pub fn new(transport: Transport) -> Self {
        let inner = Inner {
            transport,
            fingerprint: None,
            cached: Mutex::new(None),
            lock: tokio::sync::Mutex::new(()),
            renewing: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Shares the cool-down of the raw credential, by which the server counts.
    #[must_use]
    pub fn with_fingerprint_of(mut self, raw: &dyn Credential) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.fingerprint = raw.fingerprint();
        }
        self
    }
}

impl Inner {
    fn cached(&self) -> Option<CachedToken> {
        lock(&self.cached).clone()
    }

    fn keep(&self, cached: Option<CachedToken>) {
        *lock(&self.cached) = cached;
    }

    /// The cached token, if it lives long enough. Starts its renewal if due.
    fn at_hand(self: &Arc<Self>) -> Option<Token> {
        let cached = self.cached().filter(|cached| cached.left() > MARGIN)?;
        if Instant::now() >= cached.renew_at {
            self.renew_in_background();
        }
        Some(cached.token)
    }

    async fn token(self: &Arc<Self>) -> Result<Token, CredentialError> {
        if let Some(token) = self.at_hand() {
            return Ok(token);
        }
        let _lock = self.lock.lock().await;
        if let Some(cached) = self.cached().filter(|cached| cached.left() > MARGIN) {
            return Ok(cached.token);
        }
        match self.exchange().await {
            Ok(token) => Ok(token),
            Err(failure) => match self
                .cached()
                .filter(|cached| !cached.left().is_zero() && !failure.is_refusal)
            {
                Some(cached) => Ok(cached.token),
                None => Err(failure.error),
            },
        }
    }

    async fn renew(&self, rejected: &Token) -> Result<Option<Token>, CredentialError> {
        let _lock = self.lock.lock().await;
        match self.cached() {
            Some(cached) if cached.token != *rejected => Ok(Some(cached.token)),
            _ => self
                .exchange()
                .await
                .map(Some)
                .map_err(|failure| failure.error),
        }
    }

    fn renew_in_background(self: &Arc<Self>) {
        if self.renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            let _lock = inner.lock.lock().await;
            if let Err(failure) = inner.exchange().await {
                tracing::debug!(error = %failure.error, "early renewal of the token failed");
                inner.keep(inner.cached().map(|cached| CachedToken {
                    renew_at: Instant::now() + PAUSE,
                    ..cached
                }));
            }
            inner.renewing.store(false, Ordering::Release);
        });
    }

    /// Fetches a token and caches it. The caller must hold the lock.
    async fn exchange(&self) -> Result<Token, Failure> {
        let failed = |what: &'static str| Failure {
            is_refusal: false,
            error: CredentialError::new(what),
        };
        let unbuilt = "the token request could not be built";
        let body = serde_json::to_vec(&ExchangeToken {}).map_err(|_| failed(unbuilt))?;
        let request = Request::post(format!("{}{}", route::PREFIX, ExchangeToken::ROUTE))
            .header(http::header::CONTENT_TYPE, "application/json")
            .extension(Call::new("auth_token", Class::Session).with_replay(Replay::Safe))
            .body(Body::from(body))
            .map_err(|_| failed(unbuilt))?;
        let because = |error| Failure {
            is_refusal: false,
            error: CredentialError::new("the exchange of the credential for a token failed")
                .with_source(error),
        };
        let response = self.transport.call(request).await.map_err(because)?;
        let status = response.status();
        if !status.is_success() {
            let what = format!(
                "the server answered {status} to the exchange of the credential for a token"
            );
            return Err(Failure {
                is_refusal: status == StatusCode::UNAUTHORIZED,
                error: CredentialError::new(what),
            });
        }
        let body = response
            .into_body()
            .collect(1 << 20)
            .await
            .map_err(because)?;
        let answer: ExchangedToken = serde_json::from_slice(&body).map_err(|_| {
            failed("the response of the token exchange is not JSON with a field `jwt`")
        })?;
        let token = Token::new(answer.jwt);
        self.keep(Some(CachedToken::new(token.clone())));
        Ok(token)
    }
}

impl Credential for Exchange {
    fn token(&self) -> CredentialFuture<'_, Token> {
        Box::pin(self.inner.token())
    }

    fn at_hand(&self) -> Option<Token> {
        self.inner.at_hand()
    }

    fn renew<'a>(&'a self, rejected: &'a Token) -> CredentialFuture<'a, Option<Token>> {
        Box::pin(self.inner.renew(rejected))
    }

    fn fingerprint(&self) -> Option<u64> {
        self.inner.fingerprint
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange([hidden])")
    }
}

#[cfg(test)]
mod tests;
