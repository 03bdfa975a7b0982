//! The server that a workload uses.

use crate::Outcome;

/// Name in the certificate.
pub(crate) const HOST: &str = "localhost";

/// Address of a server.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Base URL of the client.
    pub(crate) url: String,
    /// PEM of its certificate, if it speaks TLS.
    pub(crate) certificate: Option<Vec<u8>>,
}

impl Target {
    /// A server without TLS.
    pub(crate) fn plain(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            certificate: None,
        }
    }

    /// A server with the certificate in a file.
    pub(crate) fn secure(url: &str, certificate: &str) -> Outcome<Self> {
        Ok(Self {
            url: url.to_owned(),
            certificate: Some(std::fs::read(certificate)?),
        })
    }

    /// The same server in another manner, see [`Manner`](crate::manner::Manner).
    pub(crate) fn with(&self, manner: impl std::fmt::Display) -> Self {
        Self {
            url: format!("{}/{manner}", self.url),
            certificate: self.certificate.clone(),
        }
    }
}
