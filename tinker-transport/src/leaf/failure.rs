//! Explanations of failed requests: the address, the proxy in between, and what was wrong with the connection.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use super::client::{ClientError, Failure};
use crate::error::{BoxError, Kind, Stage, TransportError};
use crate::request::base_url::BaseUrl;

/// The way to servers: the proxies, and whether anything on it has answered in HTTP.
pub(super) struct Route {
    /// `None`: no request goes through a proxy.
    proxies: Option<Arc<Matcher>>,
    has_answered: AtomicBool,
}

impl Route {
    /// The way through these proxies.
    pub(super) fn through(proxies: Option<Arc<Matcher>>) -> Self {
        Self {
            proxies,
            has_answered: AtomicBool::new(false),
        }
    }

    /// Records that a response in HTTP arrived.
    pub(super) fn note_answer(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
    }

    /// The error of a request to `uri` without a response.
    pub(super) fn explain(&self, error: ClientError, uri: &Uri) -> TransportError {
        let ClientError { failure, source } = error;
        if failure == Failure::Request {
            return unsent(source);
        }
        let server = self.describe(uri);
        let (kind, stage, what) = if let Some(fault) = tls_fault(&*source) {
            let authority = uri.authority().map_or("", |authority| authority.as_str());
            (
                Kind::Config,
                Stage::NotSent,
                fault.explain(&server, authority),
            )
        } else if failure == Failure::ConnectTimeout {
            let what = format!(
                "cannot connect to {server} in time; check the address, the port and the network"
            );
            (Kind::Connect, Stage::NotSent, what)
        } else if failure == Failure::Connect {
            let what =
                format!("cannot connect to {server}; check the address, the port and the network");
            (Kind::Connect, Stage::NotSent, what)
        } else if !self.has_answered.load(Ordering::Relaxed) && is_other_protocol(&*source) {
            // The first bytes of the first answer are not HTTP, so nothing was done.
            let secure = uri.authority().map_or("", |authority| authority.as_str());
            let what = format!(
                "{server} does not answer in HTTP; if the port speaks TLS, try https://{secure}"
            );
            (Kind::Config, Stage::MaybeReceived, what)
        } else {
            let what = format!("the connection to {server} broke before the answer");
            (Kind::Interrupted, Stage::MaybeReceived, what)
        };
        TransportError::new(kind, stage, what).with_source(source)
    }

    /// Scheme, host and port, and the proxy that is used for them.
    fn describe(&self, uri: &Uri) -> String {
        let mut text = origin(uri);
        if let Some(proxy) = self.proxies.as_ref().and_then(|all| all.intercept(uri)) {
            // Writing to a string does not fail. Name and password of the proxy are not part of its URI.
            let _ = write!(text, " through the proxy {}", origin(proxy.uri()));
        }
        text
    }
}

/// The proxy that the system's settings name for a server, as scheme, host and port: `HTTP_PROXY`, `HTTPS_PROXY`,
/// `ALL_PROXY` and `NO_PROXY`, or the settings of the platform. Name and password are left out.
pub fn system_proxy(server: &BaseUrl) -> Option<String> {
    let uri: Uri = server.as_str().parse().ok()?;
    let proxy = Matcher::from_system().intercept(&uri)?;
    Some(origin(proxy.uri()))
}

/// The error of a request that cannot be sent at all.
fn unsent(source: BoxError) -> TransportError {
    let what =
        "the request cannot be sent over the network; its URI needs http:// or https:// and a host";
    TransportError::new(Kind::Request, Stage::NotBuilt, what).with_source(source)
}

/// Scheme, host and port, without user information.
fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let host = uri.host().unwrap_or_default();
    match uri.port() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    }
}

/// A TLS failure that a repeat does not change.
enum TlsFault {
    /// The port answered in another protocol.
    NotTls,
    /// The certificate was refused.
    Certificate(rustls::CertificateError),
    /// The server asks for a certificate of the client, or refuses the one it got.
    ClientCertificate,
}

impl TlsFault {
    fn explain(&self, server: &str, authority: &str) -> String {
        match self {
            Self::NotTls => {
                format!("{server}: this port does not speak TLS; try http://{authority}")
            }
            Self::Certificate(
                rustls::CertificateError::Expired
                | rustls::CertificateError::ExpiredContext { .. }
                | rustls::CertificateError::NotValidYet
                | rustls::CertificateError::NotValidYetContext { .. },
            ) => format!(
                "the certificate of {server} is not valid at this time; check the clock of this machine, then the certificate"
            ),
            Self::Certificate(
                rustls::CertificateError::NotValidForName
                | rustls::CertificateError::NotValidForNameContext { .. },
            ) => format!(
                "the certificate of {server} is for another host name; use a name that it lists"
            ),
            Self::Certificate(_) => format!(
                "the certificate of {server} is not trusted; add the certificate of its authority to the trusted ones"
            ),
            Self::ClientCertificate => {
                format!("{server} asks for a client certificate; configure one that it accepts")
            }
        }
    }
}

/// The TLS failure among the causes of an error.
fn tls_fault(error: &(dyn StdError + 'static)) -> Option<TlsFault> {
    use rustls::{AlertDescription, Error, InvalidMessage};
    causes(error).find_map(|cause| match cause.downcast_ref::<Error>()? {
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => Some(TlsFault::NotTls),
        Error::InvalidCertificate(why) => Some(TlsFault::Certificate(why.clone())),
        Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => Some(TlsFault::ClientCertificate),
        _ => None,
    })
}

/// Whether the answer does not begin as HTTP does.
fn is_other_protocol(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| {
        cause
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_parse)
    })
}

/// An error and its causes, including those inside of I/O errors, which `source` skips.
pub(super) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        let inner = cause.downcast_ref::<std::io::Error>();
        next = match inner.and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
        Some(cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_leave_out_user_and_path() {
        let shown = |uri: &str| origin(&uri.parse().unwrap());
        assert_eq!(shown("http://me:pw@h.test:80/a?b"), "http://h.test:80");
        assert_eq!(shown("https://h.test/a"), "https://h.test");
        assert_eq!(shown("http://[::1]:8700/"), "http://[::1]:8700");
    }

    #[test]
    fn the_proxy_is_named_without_its_password() {
        let proxies = Matcher::builder()
            .all("http://me:hunter2@proxy.test:3128")
            .no("inside.test")
            .build();
        let route = Route {
            proxies: Some(Arc::new(proxies)),
            has_answered: AtomicBool::new(false),
        };
        let shown = |uri: &'static str| route.describe(&Uri::from_static(uri));
        assert_eq!(
            shown("http://h.test:1/x"),
            "http://h.test:1 through the proxy http://proxy.test:3128"
        );
        assert_eq!(shown("http://inside.test:1/x"), "http://inside.test:1");
    }
}
