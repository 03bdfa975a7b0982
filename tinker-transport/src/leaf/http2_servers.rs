//! Servers known to speak HTTP/2.

use std::collections::HashMap;
use std::sync::Mutex;

use http::uri::{Authority, Scheme};
use http::{Uri, Version};

use crate::mutex::lock;

/// Servers that responded in HTTP/2, and the number of requests that each accepts at a time on a connection.
///
/// A client that accepts both versions opens a connection per waiting request, since it cannot rely on multiplexing: a
/// hundred long polls are a hundred TLS handshakes. A client that speaks only HTTP/2 opens one connection. So the
/// version of the first response of each server is recorded.
#[derive(Debug, Default)]
pub(super) struct Http2Servers(Mutex<HashMap<Authority, usize>>);

impl Http2Servers {
    /// The requests that the server accepts at a time on a connection, if it is known to speak HTTP/2.
    pub(super) fn streams(&self, uri: &Uri) -> Option<usize> {
        lock(&self.0).get(secure_authority(uri)?).copied()
    }

    /// Records the version of a response from `uri`, and the requests that the server accepts.
    pub(super) fn learn(&self, uri: &Uri, version: Version, streams: usize) {
        if version == Version::HTTP_2
            && let Some(authority) = secure_authority(uri)
        {
            let mut servers = lock(&self.0);
            // Without a copy of the name for each response.
            if let Some(known) = servers.get_mut(authority) {
                *known = streams;
            } else {
                servers.insert(authority.clone(), streams);
            }
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
        servers.learn(&secure, Version::HTTP_11, 9);
        servers.learn(&clear, Version::HTTP_2, 9);
        assert_eq!(
            (servers.streams(&secure), servers.streams(&clear)),
            (None, None)
        );

        let of = |uri| servers.streams(&Uri::from_static(uri));
        servers.learn(&secure, Version::HTTP_2, 9);
        assert_eq!(of("https://h.test/b"), Some(9));
        servers.learn(&secure, Version::HTTP_2, 8);
        assert_eq!(of("https://h.test/b"), Some(8));
        assert_eq!(of("https://h.test:444/b"), None);
        servers.forget(&secure);
        assert_eq!(servers.streams(&secure), None);
    }
}
