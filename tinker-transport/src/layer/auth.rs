//! Credential layer.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, Request, Response, StatusCode};
use std::sync::Arc;
use tinker_types::wire::header;

use super::around::{Around, tower_layer};
use super::base::is_at_home;
use crate::body::Body;
use crate::credential::{Credential, CredentialError, Token};
use crate::error::{Kind, Stage, TransportError};
use crate::request::call::Call;
use crate::request::outgoing::Outgoing;
use crate::request::spare::Spare;
use crate::service::{Answer, Inner};

const X_API_KEY: HeaderName = HeaderName::from_static(header::API_KEY);

/// Sends the current token, as `X-API-Key` unless another header is set.
///
/// - A request that already has the header, or that leads to another server, is not changed.
/// - After a 401 whose `WWW-Authenticate` contains `error="invalid_token"`, the credential renews its token once, and
///   the same request is sent again within the same try.
/// - Any other 401, and a second one, is an ordinary response.
///
/// # Order
/// Inside retry, because a token may expire between two tries; inside [`BaseLayer`](super::BaseLayer).
/// Wrong: outside retry, where a call that waits out an outage returns with an expired token.
#[derive(Debug, Clone)]
pub struct AuthLayer {
    credential: Arc<dyn Credential>,
    header: HeaderName,
}

impl AuthLayer {
    /// Sends tokens of `credential`.
    pub fn new(credential: Arc<dyn Credential>) -> Self {
        Self {
            credential,
            header: X_API_KEY,
        }
    }

    tinker_types::setters! {
        /// Sets the header of the token. In `Authorization`, and in any header whose name ends with `-authorization`,
        /// the token follows the word `Bearer`.
        with_header(name: HeaderName) => header = name;
    }
}

tower_layer!(AuthLayer makes Auth);

impl AuthLayer {
    async fn token(&self, request: &Request<Body>) -> Result<Token, TransportError> {
        if let Some(token) = self.credential.at_hand() {
            return Ok(token);
        }
        let call = Call::of(request);
        call.before_deadline(self.credential.token())
            .await?
            .map_err(|error| unusable(error, Stage::NotSent))
    }

    fn attach(
        &self,
        request: &mut Request<Body>,
        token: &Token,
        stage: Stage,
    ) -> Result<(), TransportError> {
        let value = if self.header.as_str().ends_with("authorization") {
            token.bearer()
        } else {
            token.header()
        };
        let value = value.map_err(|error| unusable(error, stage))?;
        request.headers_mut().insert(&self.header, value);
        Ok(())
    }

    /// Another token, if `response` rejects the token as invalid and there is one.
    async fn renewed(
        &self,
        response: &Response<Body>,
        token: &Token,
    ) -> Result<Option<Token>, TransportError> {
        if !says_invalid_token(response) {
            return Ok(None);
        }
        self.credential
            .renew(token)
            .await
            .map_err(|error| unusable(error, Stage::Answered))
    }
}

impl Around for AuthLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        if !is_at_home(request) || request.headers().contains_key(&self.header) {
            return inner.run(request).await;
        }
        let token = self.token(request).await?;
        // Boxed, so that calls with a fixed key do not reserve space for it.
        let mut again = if self.credential.can_renew() {
            Spare::of(request).map(Box::new)
        } else {
            None
        };
        self.attach(request, &token, Stage::NotSent)?;
        loop {
            let response = inner.run(request).await?;
            let Some(spare) = again.take() else {
                return Ok(response);
            };
            let Some(token) = self.renewed(&response, &token).await? else {
                return Ok(response);
            };
            request.set(spare.to_request());
            self.attach(request, &token, Stage::Answered)?;
        }
    }
}

fn says_invalid_token(response: &Response<Body>) -> bool {
    let mut challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
    response.status() == StatusCode::UNAUTHORIZED
        && challenges.any(|value| {
            value
                .to_str()
                .is_ok_and(|value| value.contains(r#"error="invalid_token""#))
        })
}

fn unusable(error: CredentialError, stage: Stage) -> TransportError {
    TransportError::new(Kind::Credential, stage, "no usable credential").with_source(error)
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::credential::{ApiKey, CredentialFuture, Token};
    use crate::fixture::{Seen, answer, leaf, request, scripted};
    use crate::flow::class::Class;
    use crate::layer::BaseLayer;
    use crate::request::base_url::BaseUrl;
    use crate::stack::transport::Transport;

    /// Hands out `token-0`, and the next number with each renewal.
    #[derive(Debug, Default)]
    struct Numbered(AtomicUsize);

    impl Numbered {
        fn current(&self) -> Token {
            Token::new(format!("token-{}", self.0.load(Ordering::SeqCst)))
        }
    }

    impl Credential for Numbered {
        fn token(&self) -> CredentialFuture<'_, Token> {
            Box::pin(async { Ok(self.current()) })
        }
        fn renew<'a>(&'a self, _: &'a Token) -> CredentialFuture<'a, Option<Token>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(Some(self.current())) })
        }
    }

    /// A server that accepts one token and calls any other invalid, or just refuses it.
    fn server(good: &'static str, challenge: &'static str) -> (Transport, Seen) {
        let seen = Seen::new();
        let log = seen.clone();
        let leaf = leaf(move |request| {
            let is_good = request.headers()[X_API_KEY] == good;
            log.note(request);
            let mut response = answer(if is_good { 200 } else { 401 });
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
            async move { Ok(response) }
        });
        (
            leaf.layer(AuthLayer::new(Arc::new(Numbered::default()))),
            seen,
        )
    }

    const INVALID: &str = r#"Bearer error="invalid_token""#;

    fn create() -> Request<Body> {
        let mut request = request(Call::new("create", Class::Rest));
        request
            .headers_mut()
            .insert("x-idempotency-key", "k".parse().unwrap());
        request
    }

    #[tokio::test]
    async fn a_rejected_token_is_renewed_once_and_the_same_request_sent_again() {
        let (transport, seen) = server("token-1", INVALID);
        assert_eq!(transport.call(create()).await.unwrap().status(), 200);
        let requests = seen.take();
        assert_eq!(requests.len(), 2);
        assert!(
            requests
                .iter()
                .all(|request| request.headers()["x-idempotency-key"] == "k")
        );
        assert!(
            requests
                .iter()
                .all(|request| request.body().as_bytes().unwrap() == "body")
        );

        let (transport, seen) = server("token-9", INVALID);
        assert_eq!(
            transport.call(create()).await.unwrap().status(),
            401,
            "the second 401 is final"
        );
        assert_eq!(seen.count(), 2);
    }

    #[tokio::test]
    async fn a_401_without_the_marker_is_final() {
        let (transport, seen) = server("token-1", "Bearer");
        assert_eq!(transport.call(create()).await.unwrap().status(), 401);
        assert_eq!(seen.count(), 1);
    }

    #[tokio::test]
    async fn the_key_goes_home_only_and_is_never_shown() {
        let (leaf, seen) = scripted(&[]);
        let base: BaseUrl = "https://home.test/prefix".parse().unwrap();
        let transport = leaf
            .layer(AuthLayer::new(Arc::new(ApiKey::new("tml-hunter2"))))
            .layer(BaseLayer::new(base));
        for uri in [
            "/a",
            "https://home.test/b",
            "https://elsewhere.test/c",
            "http://home.test/d",
        ] {
            transport
                .call(Request::get(uri).body(Body::empty()).unwrap())
                .await
                .unwrap();
        }
        let requests = seen.take();
        let has_key: Vec<_> = requests
            .iter()
            .map(|request| request.headers().contains_key(X_API_KEY))
            .collect();
        assert_eq!(has_key, [true, true, false, false]);
        assert!(!format!("{requests:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn another_header_is_used_where_one_is_set() {
        for (name, value) in [
            ("x-other-key", "tml-1"),
            ("authorization", "Bearer tml-1"),
            ("twinkle-authorization", "Bearer tml-1"),
        ] {
            let (leaf, seen) = scripted(&[]);
            let layer = AuthLayer::new(Arc::new(ApiKey::new("tml-1")))
                .with_header(HeaderName::from_static(name));
            leaf.layer(layer).call(create()).await.unwrap();
            let requests = seen.take();
            assert_eq!(requests[0].headers()[name], value);
            assert!(requests[0].headers()[name].is_sensitive());
            assert!(!requests[0].headers().contains_key(X_API_KEY));
        }
    }

    #[tokio::test]
    async fn a_key_that_cannot_be_sent_is_an_error_without_the_key() {
        let (leaf, _) = scripted(&[]);
        let transport = leaf.layer(AuthLayer::new(Arc::new(ApiKey::new("tml-hunter2\nx"))));
        let error = transport.call(create()).await.unwrap_err();
        assert!(error.is_auth() && error.stage() == Stage::NotSent);
        assert!(error.source().unwrap().to_string().contains("line break"));
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}
