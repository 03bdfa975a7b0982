//! Host and origin checks, and broken connections, in front of the engine.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::{LocalBody, LocalService};

/// The engine with a check of the request's host and origin. Injected faults break the connection.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    service: LocalService,
    is_loopback: bool,
}

impl Guard {
    /// `is_loopback`: the socket can be reached only from this machine.
    pub(super) fn new(service: LocalService, is_loopback: bool) -> Self {
        Self {
            service,
            is_loopback,
        }
    }
}

impl<B> Service<Request<B>> for Guard
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<LocalBody>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.is_loopback
            && let Err(why) = check(&request)
        {
            return Box::pin(async move { Ok(forbidden(&why)) });
        }
        let answer = self.service.call(request);
        Box::pin(async move {
            match answer.await {
                Ok(answer) if answer.body().is_broken() => {
                    Err(io::Error::other("the connection is broken on purpose"))
                }
                Ok(answer) => Ok(answer),
                Err(never) => match never {},
            }
        })
    }
}

/// A web page can make its own host name resolve to this machine and then send requests here (DNS rebinding). Such a
/// request has that name as its host, and the address of the page as its origin.
fn check<B>(request: &Request<B>) -> Result<(), String> {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = authority.or_else(|| text(request.headers(), HOST.as_str()));
    if let Some(host) = host.filter(|host| !is_this_machine(host)) {
        return Err(refusal("host", host));
    }
    if let Some(origin) = text(request.headers(), ORIGIN.as_str()) {
        let host = origin.split_once("://").map(|(_, host)| host);
        if !host.is_some_and(is_this_machine) {
            return Err(refusal("origin", origin));
        }
    }
    Ok(())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    // A value that is not text does not name this machine.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn refusal(what: &str, value: &str) -> String {
    let shown: String = value.chars().take(100).collect();
    format!(
        "{what} {shown:?} is refused: this engine listens on a loopback address and answers what is sent to localhost, \
         127.0.0.1 or [::1]; use one of them, or bind to another address"
    )
}

/// Whether `name` or `name:port` always resolves to this machine.
fn is_this_machine(authority: &str) -> bool {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => authority,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let lower = name.to_ascii_lowercase();
    lower == "localhost"
        || lower.ends_with(".localhost")
        || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn forbidden(why: &str) -> Response<LocalBody> {
    let body = serde_json::json!({ "detail": why }).to_string();
    let mut answer = Response::new(LocalBody::whole(body.into()));
    *answer.status_mut() = StatusCode::FORBIDDEN;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(uri: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap()).is_ok()
    }

    #[test]
    fn names_that_mean_this_machine_are_allowed_and_others_are_not() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:8700",
            "127.1.2.3",
            "[::1]:8700",
            "[::1]",
            "tinker.localhost:1",
        ] {
            assert!(is_allowed("/", &[("host", host)]), "{host}");
            let origin = format!("http://{host}");
            assert!(is_allowed("/", &[("host", host), ("origin", &origin)]));
            assert!(is_allowed(&format!("http://{host}/a"), &[]), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8700",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.168.0.1",
            "",
            "[::2]",
        ] {
            assert!(!is_allowed("/", &[("host", host)]), "{host}");
        }
        for origin in ["http://evil.example", "null", "", "file://"] {
            let headers = [("host", "localhost"), ("origin", origin)];
            assert!(!is_allowed("/", &headers), "{origin}");
        }
        assert!(
            is_allowed("/", &[]),
            "HTTP/1.0 needs no host, and no browser speaks it"
        );
    }
}
