//! The choice of the proxy for the HTTP client.

use std::sync::Arc;

#[cfg(feature = "network")]
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use crate::error::{Kind, Stage, TransportError};
use crate::stack::proxy::{Proxy, without_user};

/// Schemes of proxies.
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// The configured proxy, for clients and for messages.
pub(super) struct ProxyChoice {
    #[cfg(feature = "reqwest")]
    proxy: Proxy,
    matcher: Option<Arc<Matcher>>,
}

/// Whether a proxy relays bytes, so that requests are written as without a proxy.
#[cfg(feature = "network")]
pub(super) fn is_socks(proxy: &Uri) -> bool {
    let scheme = proxy.scheme_str();
    scheme.is_some_and(|scheme| scheme.starts_with("socks"))
}

impl ProxyChoice {
    /// # Errors
    /// [`Kind::Config`] for a proxy that is no URL of a known scheme.
    pub(super) fn new(proxy: &Proxy) -> Result<Self, TransportError> {
        let matcher = match proxy {
            Proxy::Direct => None,
            Proxy::System => Some(Matcher::from_system()),
            Proxy::Url(url) => {
                let is_proxy = |url: Url| SCHEMES.contains(&url.scheme()) && url.has_host();
                if !Url::parse(url.trim()).is_ok_and(is_proxy) {
                    return Err(unknown(url));
                }
                Some(Matcher::builder().all(url.trim()).build())
            }
        };
        Ok(Self {
            #[cfg(feature = "reqwest")]
            proxy: proxy.clone(),
            matcher: matcher.map(Arc::new),
        })
    }

    /// Sets the proxy of a client.
    #[cfg(feature = "reqwest")]
    pub(super) fn configure(
        &self,
        client: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, TransportError> {
        match &self.proxy {
            Proxy::System => Ok(client),
            Proxy::Direct => Ok(client.no_proxy()),
            Proxy::Url(url) => match reqwest::Proxy::all(url.trim()) {
                Ok(proxy) => Ok(client.proxy(proxy)),
                Err(_) => Err(unknown(url)),
            },
        }
    }

    /// Finds the proxy of a URI; `None` if no request has one.
    pub(super) fn matcher(&self) -> Option<Arc<Matcher>> {
        self.matcher.clone()
    }
}

fn unknown(url: &str) -> TransportError {
    let what = format!(
        "the proxy {} is not a URL with http://, https:// or socks5:// and a host",
        without_user(url)
    );
    TransportError::new(Kind::Config, Stage::NotBuilt, what)
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    #[test]
    fn a_proxy_is_found_and_one_that_is_no_url_is_refused_without_its_password() {
        let uri = Uri::from_static("http://server.test/a");
        let found = |proxy: Proxy| {
            let matcher = ProxyChoice::new(&proxy).unwrap().matcher();
            matcher.and_then(|matcher| matcher.intercept(&uri))
        };
        let proxy = Proxy::Url("http://me:hunter2@127.0.0.1:9".to_owned());
        assert_eq!(found(proxy).unwrap().uri().port_u16(), Some(9));
        assert!(found(Proxy::Direct).is_none());
        for bad in [
            "127.0.0.1:9",
            "ftp://h:1",
            "http://",
            "http://me:hunter2@:x",
        ] {
            let Err(error) = ProxyChoice::new(&Proxy::Url(bad.to_owned())) else {
                panic!("{bad} was taken");
            };
            assert_eq!(error.kind(), Kind::Config);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
