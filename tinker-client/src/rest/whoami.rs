//! Who holds the credential in use.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tinker_types::Whoami;

use super::RestClient;
use crate::error::{ConfigError, DecodeError, Error};

const OPERATION: &str = "whoami";
/// Issuers of tokens that say who holds them.
const ISSUER: &str = "passport-";

impl RestClient {
    /// Who holds the credential in use, read from the token that the server gives for it. Sends
    /// nothing of its own beyond the exchange for that token.
    ///
    /// ```no_run
    /// # async fn example(rest: tinker_client::RestClient) -> Result<(), tinker_client::Error> {
    /// let whoami = rest.whoami().await?;
    /// println!("{} of {}", whoami.user_urn, whoami.org_urn);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A plain API key on a server that exchanges none: ask [`get_api_key`](Self::get_api_key) there.
    pub async fn whoami(&self) -> Result<Whoami, Error> {
        let link = self.core.link().await?;
        let credential = link.credential.as_ref().ok_or_else(no_token)?;
        let token = credential.token().await.map_err(|error| {
            ConfigError::new("whoami: there is no usable credential").because(error)
        })?;
        let claims = Claims::of(token.expose()).ok_or_else(no_token)?;
        let is_ours = link.flags.fixed().pjwt_auth_enabled || claims.iss.starts_with(ISSUER);
        if !is_ours {
            return Err(no_token().into());
        }
        Ok(claims.into_whoami()?)
    }
}

fn no_token() -> ConfigError {
    ConfigError::new(
        "whoami needs a token that says who holds it, but the server exchanges no keys for tokens and the credential is a plain API key; use get_api_key",
    )
}

/// What a token says of its holder. Its signature is the server's business.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Claims {
    iss: String,
    sub: Option<String>,
    org_id: Option<String>,
    email: Option<String>,
}

impl Claims {
    fn of(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&json).ok()
    }

    fn into_whoami(self) -> Result<Whoami, DecodeError> {
        let missing = |what| DecodeError::new(OPERATION, format!("the token has no `{what}`"));
        let user = self.sub.ok_or_else(|| missing("sub"))?;
        let organization = self.org_id.ok_or_else(|| missing("org_id"))?;
        let mut whoami = Whoami::new(user, format!("tml:organization:{organization}"));
        whoami.email = self.email.filter(|email| !email.is_empty());
        Ok(whoami)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeServer, Reply};
    use serde_json::{Value, json};

    fn jwt(claims: Value) -> String {
        let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        format!("{}.{}.x", part(json!({"alg": "none"})), part(claims))
    }

    #[tokio::test]
    async fn the_token_says_who_holds_it() {
        let server = FakeServer::new();
        server.then(
            "client/config",
            vec![Reply::json(json!({"pjwt_auth_enabled": true}))],
        );
        let claims = json!({"sub": "u", "org_id": "o", "email": "", "iat": 1, "exp": 1e10});
        let token = jwt(claims);
        server.on("auth/token", move |_| {
            Some(Reply::json(json!({"jwt": token})))
        });
        let config = crate::Config::new("http://fake").with_api_key("k");
        let service = server.builder().config(config).build().unwrap();
        let whoami = service.rest().whoami().await.unwrap();
        assert_eq!(whoami, Whoami::new("u", "tml:organization:o"));
        assert_eq!(server.seen_at("auth/token").len(), 1);
    }

    #[tokio::test]
    async fn a_key_that_is_a_token_will_do_and_another_will_not() {
        let server = FakeServer::new();
        let of = async |key: &str| {
            let config = crate::Config::new("http://fake").with_api_key(key);
            let service = server.builder().config(config).build().unwrap();
            service.rest().whoami().await
        };
        let claims = |iss| json!({"iss": iss, "sub": "u", "org_id": "o", "exp": 1e10});
        assert!(of(&jwt(claims("passport-x"))).await.is_ok());
        for key in ["tml-1", &jwt(claims("other")), "eyJ.***.x"] {
            let error = of(key).await.unwrap_err();
            assert!(error.to_string().contains("get_api_key"), "{error}");
        }
    }
}
