//! Base URL of a server.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, InvalidUri, PathAndQuery, Scheme};
use tinker_types::wire::route;
use url::Url;

use crate::error::{BoxError, Kind, Stage, TransportError};

/// Address of a server with an optional path prefix, validated once.
///
/// ```
/// use tinker_transport::BaseUrl;
///
/// let base: BaseUrl = "https://example.com/services/x/".parse()?;
/// let uri = base.join(&"/api/v1/sessions?limit=2".parse()?)?;
/// assert_eq!(uri, "https://example.com/services/x/api/v1/sessions?limit=2");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// Without a trailing slash.
    text: String,
    origin: url::Origin,
    /// The parts of a URI: joining them takes no formatting and no parsing, which would cost four allocations and
    /// 0.1 microseconds a request.
    scheme: Scheme,
    authority: Authority,
    /// Empty, or starts with a slash and does not end with one.
    prefix: String,
}

impl BaseUrl {
    /// Prefixes a URI that has only a path. A complete URI stays unchanged.
    ///
    /// # Errors
    /// [`Kind::Request`] if the result is not a valid URI.
    pub fn join(&self, uri: &Uri) -> Result<Uri, TransportError> {
        if uri.authority().is_some() {
            return Ok(uri.clone());
        }
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let invalid = |error: BoxError| {
            let what = format!("the path {path:?} makes no valid URI");
            TransportError::new(Kind::Request, Stage::NotBuilt, what).with_source(error)
        };
        let whole = match uri.path_and_query() {
            Some(whole) if self.prefix.is_empty() && path.starts_with('/') => whole.clone(),
            _ => format!("{}{path}", self.prefix)
                .parse()
                .map_err(|error: InvalidUri| invalid(error.into()))?,
        };
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(whole);
        Uri::from_parts(parts).map_err(|error| invalid(error.into()))
    }

    /// Whether `uri` leads to this server. A URI that has only a path does.
    pub fn is_home_of(&self, uri: &Uri) -> bool {
        uri.authority().is_none()
            || Url::parse(&uri.to_string()).is_ok_and(|url| url.origin() == self.origin)
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The address as text, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for BaseUrl {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, TransportError> {
        let invalid = |why: &str| {
            // The text is not repeated, since it may hold a password.
            TransportError::new(Kind::Config, Stage::NotBuilt, format!("the base URL {why}"))
        };
        let text = text.trim();
        if let Some(whole) = with_scheme(text) {
            return Err(invalid(&format!(
                "has no http:// or https://; write {whole}"
            )));
        }
        let url = Url::parse(text).map_err(|error| invalid("cannot be read").with_source(error))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(invalid(
                "must begin with https:// or http:// and name a host",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                "must not hold a user name or password; set a credential instead",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("must end with its path, without ? or #"));
        }
        let api = route::PREFIX.trim_end_matches('/');
        if let Some(base) = url.as_str().trim_end_matches('/').strip_suffix(api) {
            let why = format!("must not hold the path of the API; leave {api} out: {base}");
            return Err(invalid(&why));
        }
        let origin = url.origin();
        let text = String::from(url).trim_end_matches('/').to_owned();
        let whole: Uri = text
            .parse()
            .map_err(|error: InvalidUri| invalid("cannot be read").with_source(error))?;
        let parts = whole.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(invalid("must name a host"));
        };
        let prefix = parts
            .path_and_query
            .as_ref()
            .map_or("", |path| path.as_str());
        let prefix = prefix.trim_end_matches('/').to_owned();
        Ok(Self {
            text,
            origin,
            scheme,
            authority,
            prefix,
        })
    }
}

/// The address that was meant by one without a scheme, unless it may hold a password.
fn with_scheme(text: &str) -> Option<String> {
    let is_bare = !text.is_empty() && !text.contains("://") && !text.contains(['@', ' ']);
    let host = text.split(['/', ':']).next().unwrap_or_default();
    if !is_bare || host.is_empty() || !host.contains('.') && !text.contains(':') {
        return None;
    }
    let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok() || text.contains(':');
    let scheme = if is_local { "http" } else { "https" };
    let whole = format!("{scheme}://{text}");
    Url::parse(&whole).is_ok().then_some(whole)
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_slashes_go_and_a_prefix_stays() {
        for (base, joined) in [
            ("http://h:8000", "http://h:8000/api"),
            ("http://h:8000//", "http://h:8000/api"),
            ("https://h/services/x/", "https://h/services/x/api"),
        ] {
            let base: BaseUrl = base.parse().unwrap();
            assert_eq!(base.join(&Uri::from_static("/api")).unwrap(), joined);
        }
    }

    #[test]
    fn whole_uris_stay_and_are_told_apart() {
        let base: BaseUrl = "https://h.test/p".parse().unwrap();
        let elsewhere = Uri::from_static("https://other.test/a");
        assert_eq!(base.join(&elsewhere).unwrap(), elsewhere);
        assert!(base.is_home_of(&Uri::from_static("https://h.test:443/a")));
        assert!(base.is_home_of(&Uri::from_static("/a")));
        for uri in [
            "https://other.test/a",
            "http://h.test/a",
            "https://h.test:444/a",
        ] {
            assert!(!base.is_home_of(&uri.parse().unwrap()), "{uri}");
        }
    }

    #[test]
    fn refusals_name_the_fix_and_hide_a_password() {
        let refuse = |text: &str| text.parse::<BaseUrl>().unwrap_err().to_string();
        assert!(refuse("ftp://h").contains("https://"));
        for (text, fix) in [
            ("h.test/x", "write https://h.test/x"),
            ("127.0.0.1:8700", "write http://127.0.0.1:8700"),
            ("localhost:8700", "write http://localhost:8700"),
            (
                "http://h.test/p/api/v1/",
                "leave /api/v1 out: http://h.test/p",
            ),
        ] {
            assert!(refuse(text).contains(fix), "{}", refuse(text));
        }
        assert!(!refuse("me:hunter2@h.test:80").contains("hunter2"));
        assert!(refuse("https://h/?a=1").contains("without ?"));
        let secret = "https://me:hunter2@h.test".parse::<BaseUrl>().unwrap_err();
        assert!(!format!("{secret} {secret:?}").contains("hunter2"));
    }
}
