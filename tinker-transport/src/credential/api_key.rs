//! Fixed API keys.

use std::fmt;

use super::jwt::{self, Claims};
use super::{Credential, CredentialError, CredentialFuture, Token};

/// A fixed API key or JWT.
///
/// A JWT is refused before it is sent if it has expired.
#[derive(Clone)]
pub struct ApiKey {
    token: Token,
    /// The claims, if the key is a JWT that expires.
    claims: Option<Claims>,
}

impl ApiKey {
    /// Wraps a key, without surrounding white space.
    pub fn new(key: impl AsRef<str>) -> Self {
        let key = key.as_ref().trim();
        let claims = Claims::read(key);
        Self {
            token: Token::new(key),
            claims: (jwt::is_jwt(key) && claims.expires.is_some()).then_some(claims),
        }
    }
}

impl Credential for ApiKey {
    fn token(&self) -> CredentialFuture<'_, Token> {
        let token = self.at_hand().ok_or_else(|| {
            CredentialError::new(
                "the API key is an expired JWT; pass a new one, or a command that prints one",
            )
        });
        Box::pin(std::future::ready(token))
    }

    fn at_hand(&self) -> Option<Token> {
        let is_over = self.claims.is_some_and(|claims| claims.left().is_zero());
        (!is_over).then(|| self.token.clone())
    }

    fn can_renew(&self) -> bool {
        false
    }

    fn fingerprint(&self) -> Option<u64> {
        Some(self.token.fingerprint())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([hidden])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_expired_jwt_is_refused_before_it_is_sent() {
        let old = ApiKey::new(jwt::unsigned(1000, 2000))
            .token()
            .await
            .unwrap_err();
        assert!(old.to_string().contains("expired"));
        assert!(
            ApiKey::new(jwt::unsigned(1000, 99_999_999_999))
                .token()
                .await
                .is_ok()
        );
        assert_eq!(
            ApiKey::new(" tml-x\n").token().await.unwrap().expose(),
            "tml-x"
        );
    }

    #[test]
    fn a_key_is_never_shown() {
        let key = ApiKey::new("tml-hunter2");
        assert_eq!(
            format!("{key:?} {:?}", key.token),
            "ApiKey([hidden]) Token([hidden])"
        );
        assert_eq!(key.fingerprint(), ApiKey::new("tml-hunter2").fingerprint());
        assert_ne!(key.fingerprint(), ApiKey::new("tml-hunter3").fingerprint());
    }
}
