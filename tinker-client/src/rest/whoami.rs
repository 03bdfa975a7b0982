//! The holder of the credential in use.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tinker_types::Whoami;

use super::account::AccountClient;
use crate::error::{ConfigError, DecodeError, Error};

const OPERATION: &str = "whoami";
/// Prefix of the issuers of tokens that name their holder.
const ISSUER: &str = "passport-";

impl AccountClient {
    /// The holder of the credential in use, read from the token that the server issues for it. Sends nothing besides the
    /// exchange for that token.
    ///
    /// ```no_run
    /// # async fn example(service: tinker_client::ServiceClient) -> Result<(), tinker_client::Error> {
    /// let whoami = service.account().whoami().await?;
    /// println!("{} of {}", whoami.user_urn, whoami.org_urn);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A plain API key on a server that exchanges no keys; use [`api_key`](Self::api_key) there.
    pub async fn whoami(&self) -> Result<Whoami, Error> {
        let connection = self.state.connection().await?;
        let credential = connection.credential.as_ref().ok_or_else(no_token)?;
        let token = credential
            .token()
            .await
            .map_err(|error| ConfigError::new("whoami: no usable credential").because(error))?;
        let claims = Claims::of(token.expose()).ok_or_else(no_token)?;
        let is_ours = connection.flags.fixed().pjwt_auth_enabled || claims.iss.starts_with(ISSUER);
        if !is_ours {
            return Err(no_token().into());
        }
        Ok(claims.into_whoami()?)
    }
}

fn no_token() -> ConfigError {
    ConfigError::new(
        "whoami needs a token, but the server exchanges no keys for tokens and the credential is a plain API key; use get_api_key",
    )
}

/// The claims of a token about its holder. The signature is not verified: that is up to the server.
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
    use crate::fixture::{FakeServer, Reply};
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
        let whoami = service.account().whoami().await.unwrap();
        assert_eq!(whoami, Whoami::new("u", "tml:organization:o"));
        assert_eq!(server.seen_at("auth/token").len(), 1);
    }

    #[tokio::test]
    async fn a_key_that_is_a_token_will_do_and_another_will_not() {
        let server = FakeServer::new();
        let of = async |key: &str| {
            let config = crate::Config::new("http://fake").with_api_key(key);
            let service = server.builder().config(config).build().unwrap();
            service.account().whoami().await
        };
        let claims = |iss| json!({"iss": iss, "sub": "u", "org_id": "o", "exp": 1e10});
        assert!(of(&jwt(claims("passport-x"))).await.is_ok());
        for key in ["tml-1", &jwt(claims("other")), "eyJ.***.x"] {
            let error = of(key).await.unwrap_err();
            assert!(error.to_string().contains("get_api_key"), "{error}");
        }
    }
}
