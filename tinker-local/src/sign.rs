//! Signatures of links to files and of short-lived tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;

use crate::tenant::{Owner, Tenant};
use crate::{clock, identity};

/// Signs with a key that lives as long as the engine: a restart invalidates earlier links and tokens.
pub(crate) struct Signer {
    key: [u8; 32],
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

/// The claims of a token that are checked.
#[derive(Deserialize)]
struct Claims {
    exp: i64,
    #[serde(default)]
    owner: Option<Owner>,
}

/// Header of every token: HMAC with SHA-256.
const HEAD: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

impl Signer {
    /// A signer with a fresh key.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self { key })
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(text.as_bytes());
        mac
    }

    /// Signs a text. The signature contains only characters that are safe in a link.
    pub(crate) fn sign(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(text).finalize().into_bytes())
    }

    /// Whether this is the signature of the text. Takes constant time.
    pub(crate) fn has_signed(&self, text: &str, signature: &str) -> bool {
        URL_SAFE_NO_PAD
            .decode(signature)
            .is_ok_and(|given| self.mac(text).verify_slice(&given).is_ok())
    }

    /// A JSON web token of a tenant.
    pub(crate) fn token(&self, tenant: &Tenant, lifetime: Duration) -> String {
        let now = clock::calendar().as_second();
        let claims = json!({
            "iss": "tinker-local",
            "sub": identity::USER,
            "org_id": identity::ORGANIZATION,
            "email": identity::EMAIL,
            "owner": tenant.owner(),
            "iat": now,
            "exp": now.saturating_add_unsigned(lifetime.as_secs()),
        });
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(HEAD),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.sign(&text);
        format!("{text}.{signature}")
    }

    /// The tenant of a token. The error is a fragment for a message.
    pub(crate) fn check_token(&self, token: &str) -> Result<Tenant, &'static str> {
        let Some((text, signature)) = token.rsplit_once('.') else {
            return Err(
                "is not a token of this engine; exchange the API key for one at auth/token",
            );
        };
        if !self.has_signed(text, signature) {
            return Err(
                "is not a token of this engine; exchange the API key for one at auth/token",
            );
        }
        let claims = text
            .split_once('.')
            .and_then(|(_, claims)| URL_SAFE_NO_PAD.decode(claims).ok())
            .and_then(|claims| serde_json::from_slice::<Claims>(&claims).ok());
        match claims {
            Some(claims) if claims.exp > clock::calendar().as_second() => {
                Ok(Tenant::of_owner(claims.owner))
            }
            _ => Err("has expired; exchange the API key for a new one at auth/token"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::AcceptedKeys;

    #[test]
    fn only_what_was_signed_here_is_accepted() {
        let (mine, other) = (Signer::new().unwrap(), Signer::new().unwrap());
        let signature = mine.sign("files/a?1");
        assert!(mine.has_signed("files/a?1", &signature));
        assert!(!mine.has_signed("files/b?1", &signature));
        assert!(!other.has_signed("files/a?1", &signature));
        for bad in ["", "!", &signature[1..], "AAAA"] {
            assert!(!mine.has_signed("files/a?1", bad), "{bad}");
        }
    }

    #[test]
    fn a_token_has_claims_and_an_end() {
        let (mine, other) = (Signer::new().unwrap(), Signer::new().unwrap());
        let keys = AcceptedKeys::new(&["tml-key".to_owned()]).unwrap();
        let tenant = keys.tenant("tml-key").unwrap();
        let token = mine.token(&tenant, Duration::from_mins(5));
        assert_eq!(mine.check_token(&token), Ok(tenant));
        assert!(
            other
                .check_token(&token)
                .unwrap_err()
                .contains("not a token")
        );
        let claims = token.split('.').nth(1).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["sub"], identity::USER);
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
            300
        );
        let ended = mine.token(&Tenant::default(), Duration::ZERO);
        assert!(mine.check_token(&ended).unwrap_err().contains("expired"));
        assert!(
            mine.check_token("tml-key")
                .unwrap_err()
                .contains("auth/token")
        );
    }
}
