//! Servers known to speak HTTP/2.

use std::collections::HashSet;
use std::sync::Mutex;

use http::uri::{Authority, Scheme};
use http::{Uri, Version};

use crate::mutex::lock;

/// Servers that responded in HTTP/2.
///
/// A client that accepts both versions opens a connection per waiting request, since it cannot rely on multiplexing: a
/// hundred long polls are a hundred TLS handshakes. A client that speaks only HTTP/2 opens one connection. So the
/// version of the first response of each server is recorded.
#[derive(Debug, Default)]
pub(super) struct Http2Servers(Mutex<HashSet<Authority>>);

impl Http2Servers {
    pub(super) fn knows(&self, uri: &Uri) -> bool {
        secure_authority(uri).is_some_and(|authority| lock(&self.0).contains(authority))
    }

    /// Records the version of a response from `uri`.
    pub(super) fn learn(&self, uri: &Uri, version: Version) {
        if version == Version::HTTP_2
            && let Some(authority) = secure_authority(uri)
        {
            lock(&self.0).insert(authority.clone());
        }
    }

    /// Forgets a server that could not be reached with HTTP/2.
    pub(super) fn forget(&self, uri: &Uri) {
        if let Some(authority) = secure_authority(uri) {
            lock(&self.0).remove(authority);
        }
    }
}

/// Without TLS nothing is negotiated, and HTTP/1.1 is used.
fn secure_authority(uri: &Uri) -> Option<&Authority> {
    uri.authority()
        .filter(|_| uri.scheme() == Some(&Scheme::HTTPS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_http2_answer_over_tls_counts_and_can_be_forgotten() {
        let servers = Http2Servers::default();
        let (secure, clear) = (
            Uri::from_static("https://h.test/a"),
            Uri::from_static("http://h.test/a"),
        );
        servers.learn(&secure, Version::HTTP_11);
        servers.learn(&clear, Version::HTTP_2);
        assert!(!servers.knows(&secure) && !servers.knows(&clear));

        servers.learn(&secure, Version::HTTP_2);
        assert!(servers.knows(&Uri::from_static("https://h.test/b")));
        assert!(!servers.knows(&Uri::from_static("https://h.test:444/b")));
        servers.forget(&secure);
        assert!(!servers.knows(&secure));
    }
}
