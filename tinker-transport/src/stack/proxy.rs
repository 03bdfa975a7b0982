//! Choice of the proxy.

use std::fmt;

use url::Url;

/// The proxy of network requests.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// The proxy that `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` and the settings of the system name.
    #[default]
    System,
    /// No proxy, whatever the environment names.
    Direct,
    /// This proxy for all requests: a URL with `http://`, `https://` or `socks5://`, possibly with user name and password.
    Url(String),
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::Direct => f.write_str("Direct"),
            Self::Url(url) => write!(f, "Url({})", without_user(url)),
        }
    }
}

/// A URL without user name, password, query and fragment, for messages.
pub fn without_user(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url.trim()) else {
        // A text that is no URL may hold a password too.
        return match url.rsplit_once('@') {
            Some((_, host)) => host.to_owned(),
            None => url.trim().to_owned(),
        };
    };
    // These fail for URLs that cannot have a user; then there is none to remove.
    let _ = parsed.set_username("");
    let _ = parsed.set_password(None);
    parsed.set_query(None);
    parsed.set_fragment(None);
    parsed.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_url_shows_its_password() {
        for (url, shown) in [
            ("http://me:hunter2@h.test:9/", "http://h.test:9"),
            (
                "http://hunter2@h.test/p?key=hunter2#hunter2",
                "http://h.test/p",
            ),
            ("http://me:hunter2@h.test:99999", "h.test:99999"),
            ("h.test", "h.test"),
        ] {
            assert_eq!(without_user(url), shown);
            assert!(!format!("{:?}", Proxy::Url(url.to_owned())).contains("hunter2"));
        }
    }
}
