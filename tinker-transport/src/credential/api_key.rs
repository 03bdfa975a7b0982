//! A fixed key.

use std::fmt;

use super::jwt::{self, Claims};
use super::{Credential, CredentialError, CredentialFuture, Token};

/// One key, or one JWT, for the whole life of the transport.
///
/// A JWT is refused before it is sent once its time is over.
#[derive(Clone)]
pub struct ApiKey(Token);

impl ApiKey {
    /// Takes the key; blanks round it are dropped.
    pub fn new(key: impl AsRef<str>) -> Self {
        Self(Token::new(key.as_ref().trim()))
    }
}

impl Credential for ApiKey {
    fn token(&self) -> CredentialFuture<'_, Token> {
        let key = self.0.expose();
        let claims = Claims::read(key);
        let is_over = jwt::is_jwt(key) && claims.expires.is_some() && claims.left().is_zero();
        let token = if is_over {
            Err(CredentialError::new(
                "the API key is a JWT that has expired; pass a fresh one, or a command that prints one",
            ))
        } else {
            Ok(self.0.clone())
        };
        Box::pin(std::future::ready(token))
    }

    fn fingerprint(&self) -> Option<u64> {
        Some(self.0.fingerprint())
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
            format!("{key:?} {:?}", key.0),
            "ApiKey([hidden]) Token([hidden])"
        );
        assert_eq!(key.fingerprint(), ApiKey::new("tml-hunter2").fingerprint());
        assert_ne!(key.fingerprint(), ApiKey::new("tml-hunter3").fingerprint());
    }
}
