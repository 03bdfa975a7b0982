//! The server of a request.

use http::Uri;
use http::uri::{Authority, Scheme};

/// A server, as connections distinguish them: host and port, and whether it speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    is_secure: bool,
    authority: Authority,
}

impl Server {
    /// The server of a URI; `None` if it has no `http://` or `https://`, or no host.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme()?;
        let is_secure = *scheme == Scheme::HTTPS;
        let is_known = is_secure || *scheme == Scheme::HTTP;
        let authority = uri.authority().filter(|_| is_known)?;
        (!authority.host().is_empty()).then(|| Self {
            is_secure,
            authority: authority.clone(),
        })
    }

    pub(super) fn is_secure(&self) -> bool {
        self.is_secure
    }

    pub(super) fn host(&self) -> &str {
        self.authority.host()
    }

    /// The port, where it is not that of the scheme.
    pub(super) fn unusual_port(&self) -> Option<u16> {
        let usual = if self.is_secure { 443 } else { 80 };
        self.authority.port_u16().filter(|port| *port != usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_differ_by_scheme_host_and_port() {
        let of = |uri| Server::of(&Uri::from_static(uri));
        assert_eq!(of("http://h.test/a"), of("http://H.test/b"));
        assert_ne!(of("http://h.test/a"), of("https://h.test/a"));
        assert_ne!(of("http://h.test:81/a"), of("http://h.test/a"));
        for none in ["ftp://h.test/a", "/a", "http://:1/a"] {
            let uri: Result<Uri, _> = none.parse();
            assert!(
                uri.is_err() || Server::of(&uri.unwrap()).is_none(),
                "{none}"
            );
        }
        let port = |uri| of(uri).unwrap().unusual_port();
        assert_eq!(port("https://h.test:443/a"), None);
        assert_eq!(port("https://h.test:80/a"), Some(80));
    }
}
