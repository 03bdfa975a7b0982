//! Accepted API keys, and the tenants behind them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Separates fingerprints of API keys from other uses of the hash.
const LABEL: &[u8] = b"tinker-local api key";

/// Most bytes of a key.
const LONGEST: usize = 1024;

/// Fingerprint of the API key that owns a session or a checkpoint.
///
/// It is stored beside checkpoints, never the key. It has no salt: a key keeps its checkpoints after a restart, after a
/// change of the other keys, and in a moved folder. The folder is private to the user who starts the server and has the
/// keys anyway, and the fingerprint of a random key cannot be reversed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Owner(String);

/// The sender of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tenant(Option<Owner>);

impl Tenant {
    /// The owner of a session. It can be anyone if the engine accepts every key.
    pub(crate) fn of_owner(owner: Option<Owner>) -> Self {
        Self(owner)
    }

    /// The owner of what this tenant creates.
    pub(crate) fn owner(&self) -> Option<Owner> {
        self.0.clone()
    }

    /// Whether the engine accepts every key, so that everything belongs to everyone.
    pub(crate) fn is_anyone(&self) -> bool {
        self.0.is_none()
    }

    /// Whether something with this owner belongs to the tenant. What has no owner belongs to everyone.
    pub(crate) fn owns(&self, owner: Option<&Owner>) -> bool {
        match (&self.0, owner) {
            (Some(tenant), Some(owner)) => tenant == owner,
            (None, _) | (_, None) => true,
        }
    }

    /// A text that differs between tenants.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", |owner| &owner.0)
    }
}

/// The accepted API keys, as fingerprints. Without any, every key is accepted.
#[derive(Default)]
pub(crate) struct AcceptedKeys(Vec<[u8; 32]>);

impl AcceptedKeys {
    /// Fingerprints of the keys; the error is the reason why one cannot be used.
    pub(crate) fn new(keys: &[String]) -> Result<Self, &'static str> {
        let fingerprint = |key: &String| match key.as_bytes() {
            [] => Err("is empty"),
            bytes if bytes.len() > LONGEST => Err("has more than 1024 bytes"),
            bytes if !bytes.iter().all(u8::is_ascii_graphic) => {
                Err("has characters other than visible ASCII, which no request header can carry")
            }
            _ => Ok(mac(key).finalize().into_bytes().into()),
        };
        keys.iter()
            .map(fingerprint)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether every key is accepted.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// The tenant of a key, `None` if the key is not accepted. All accepted keys are compared, each in constant time.
    pub(crate) fn tenant(&self, key: &str) -> Option<Tenant> {
        let given = mac(key);
        let mut found = None;
        for accepted in &self.0 {
            if given.clone().verify_slice(accepted).is_ok() {
                found = Some(accepted);
            }
        }
        let owner = found.map(|accepted| Owner(URL_SAFE_NO_PAD.encode(accepted)));
        owner.map(|owner| Tenant(Some(owner)))
    }
}

fn mac(key: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(LABEL)
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(key.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> AcceptedKeys {
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        AcceptedKeys::new(&keys).unwrap()
    }

    #[test]
    fn a_key_is_the_same_tenant_in_every_engine_and_other_keys_are_none() {
        let (one, other) = (keys(&["tml-a", "tml-b"]), keys(&["tml-b"]));
        let b = one.tenant("tml-b").unwrap();
        assert_eq!(other.tenant("tml-b"), Some(b.clone()));
        assert_ne!(one.tenant("tml-a"), Some(b.clone()));
        for wrong in ["", "tml-", "tml-bb", "TML-B", "tml-c"] {
            assert_eq!(one.tenant(wrong), None, "{wrong}");
        }
        // Stored beside checkpoints: it must never change.
        assert_eq!(b.as_str(), "6spLkvHR1wje0Zh6VW1T3qcNQgnjFou4qMjyxosMTTQ");
        assert!(!format!("{b:?}").contains("tml-b"));
    }

    #[test]
    fn a_tenant_owns_its_own_and_what_has_no_owner() {
        let keys = keys(&["tml-a", "tml-b"]);
        let (a, b) = (keys.tenant("tml-a").unwrap(), keys.tenant("tml-b").unwrap());
        let owner = a.owner();
        assert!(a.owns(owner.as_ref()) && !b.owns(owner.as_ref()));
        assert!(a.owns(None) && Tenant::default().owns(owner.as_ref()));
    }

    #[test]
    fn keys_that_no_header_can_carry_are_refused() {
        for bad in ["", "two words", "schl\u{fc}ssel", "line\n"] {
            assert!(AcceptedKeys::new(&[bad.to_owned()]).is_err(), "{bad:?}");
        }
        assert!(AcceptedKeys::new(&["k".repeat(LONGEST + 1)]).is_err());
    }
}
