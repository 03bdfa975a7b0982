//! The server that a workload uses.

use crate::Outcome;

/// Name in the certificate.
pub(crate) const HOST: &str = "localhost";

/// Address of a server.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) url: String,
    /// PEM of its certificate, if it speaks TLS.
    pub(crate) certificate: Option<Vec<u8>>,
}

impl Target {
    /// The servers at `http` and `https`, the second with the certificate in a file.
    pub(crate) fn both(http: &str, https: &str, certificate: &str) -> Outcome<[Self; 2]> {
        let plain = Self {
            url: http.to_owned(),
            certificate: None,
        };
        let secure = Self {
            url: https.to_owned(),
            certificate: Some(std::fs::read(certificate)?),
        };
        Ok([plain, secure])
    }
}
