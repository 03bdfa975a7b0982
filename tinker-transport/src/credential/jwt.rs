//! Claims of a JWT that matter to a client. Signatures are not checked.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock;

/// Times in a token, as seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Claims {
    pub(super) expires: Option<f64>,
    pub(super) issued: Option<f64>,
}

impl Claims {
    /// Reads the claims. Unreadable claims count as missing.
    pub(super) fn read(token: &str) -> Self {
        let Some(payload) = token.split('.').nth(1) else {
            return Self::default();
        };
        let json = URL_SAFE_NO_PAD
            .decode(payload.trim_end_matches('='))
            .unwrap_or_default();
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap_or_default();
        let number = |name: &str| value.get(name).and_then(serde_json::Value::as_f64);
        Self {
            expires: number("exp"),
            issued: number("iat"),
        }
    }

    /// Time until the token expires; zero if it has expired or has no expiry.
    pub(super) fn left(&self) -> Duration {
        let now = clock::wall()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        self.expires.map_or(Duration::ZERO, |expires| {
            positive(expires - now.as_secs_f64())
        })
    }

    /// Time from issue to expiry, if both are known and in order.
    pub(super) fn lifetime(&self) -> Option<Duration> {
        let lifetime = positive(self.expires? - self.issued?);
        (!lifetime.is_zero()).then_some(lifetime)
    }
}

/// Whether this looks like a JWT. No opaque key starts like base64 of `{"`.
pub(super) fn is_jwt(token: &str) -> bool {
    token.starts_with("eyJ")
}

fn positive(seconds: f64) -> Duration {
    // A far date is not an error, only a long time.
    Duration::try_from_secs_f64(seconds.clamp(0.0, 1e9)).unwrap_or_default()
}

/// A token with these claims and no signature.
#[cfg(test)]
pub(super) fn unsigned(issued: i64, expires: i64) -> String {
    let part = |json: String| URL_SAFE_NO_PAD.encode(json);
    format!(
        "{}.{}.x",
        part(r#"{"alg":"none"}"#.into()),
        part(format!(r#"{{"iat":{issued},"exp":{expires}}}"#))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_without_a_signature() {
        let token = unsigned(1000, 4000);
        assert!(is_jwt(&token));
        let claims = Claims::read(&token);
        assert_eq!(
            claims,
            Claims {
                expires: Some(4000.0),
                issued: Some(1000.0)
            }
        );
        assert_eq!(claims.lifetime(), Some(Duration::from_mins(50)));
        assert_eq!(claims.left(), Duration::ZERO);
    }

    #[test]
    fn garbage_has_no_claims() {
        for token in ["", "tml-abc", "eyJ.!!!.x", "a.e30.c", "a.bnVsbA.c"] {
            assert_eq!(Claims::read(token), Claims::default(), "{token}");
            assert_eq!(Claims::read(token).left(), Duration::ZERO);
        }
    }
}
