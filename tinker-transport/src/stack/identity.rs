//! Certificate of the client.

use std::fmt;

use bytes::Bytes;

/// Certificate and private key of the client, for servers that ask for one.
#[derive(Clone)]
pub struct ClientCertificate {
    /// PEM: the certificate, then those of its issuers up to one that the server knows.
    pub(crate) chain: Bytes,
    /// PEM: the private key, not encrypted.
    pub(crate) key: Bytes,
}

impl ClientCertificate {
    /// A certificate chain and its key as PEM. One file may hold both; give it twice.
    pub fn from_pem(chain: impl Into<Bytes>, key: impl Into<Bytes>) -> Self {
        Self {
            chain: chain.into(),
            key: key.into(),
        }
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate([hidden])")
    }
}
