//! The choice of the proxy for the HTTP client.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::ClientBuilder;

use crate::error::{Kind, Stage, TransportError};
use crate::stack::proxy::{Proxy, without_user};

/// The configured proxy, for clients and for messages.
pub(super) struct ProxyChoice {
    proxy: Fixed,
}

enum Fixed {
    System,
    None,
    Url(Box<reqwest::Proxy>, String),
}

impl ProxyChoice {
    /// # Errors
    /// [`Kind::Config`] for a proxy that is no URL of a known scheme.
    pub(super) fn new(proxy: &Proxy) -> Result<Self, TransportError> {
        let proxy = match proxy {
            Proxy::Direct => Fixed::None,
            Proxy::System => Fixed::System,
            Proxy::Url(url) => {
                let known = [
                    "http://",
                    "https://",
                    "socks4://",
                    "socks5://",
                    "socks5h://",
                ];
                let proxy = known
                    .iter()
                    .any(|scheme| url.trim().starts_with(scheme))
                    .then(|| reqwest::Proxy::all(url.trim()).ok())
                    .flatten();
                let proxy = proxy.ok_or_else(|| {
                    let what = format!(
                        "the proxy {} is not a URL with http://, https:// or socks5:// and a host",
                        without_user(url)
                    );
                    TransportError::new(Kind::Config, Stage::NotBuilt, what)
                })?;
                Fixed::Url(Box::new(proxy), url.trim().to_owned())
            }
        };
        Ok(Self { proxy })
    }

    /// Sets the proxy of a client.
    pub(super) fn configure(&self, client: ClientBuilder) -> ClientBuilder {
        match &self.proxy {
            Fixed::System => client,
            Fixed::None => client.no_proxy(),
            Fixed::Url(proxy, _) => client.proxy((**proxy).clone()),
        }
    }

    /// Finds the proxy of a URI by the rules of the HTTP client, which does not report it; `None` if there is none.
    pub(super) fn matcher(&self) -> Option<Matcher> {
        match &self.proxy {
            Fixed::System => Some(Matcher::from_system()),
            Fixed::None => None,
            Fixed::Url(_, url) => Some(Matcher::builder().all(url.as_str()).build()),
        }
    }
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
