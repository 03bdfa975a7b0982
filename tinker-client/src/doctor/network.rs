//! The way to the server: name, proxy, connection, clock.

use std::net::ToSocketAddrs as _;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use http::Request;
use http::header::DATE;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use tinker_transport::policy::Never;
use tinker_transport::{Body, Call, Class, Proxy, Replay};
use tinker_types::wire::route;
use tinker_types::{Endpoint as _, GetHealth};
use url::{Host, Url};

use super::finding::{Finding, told};
use super::subject::Subject;

/// Time limit of the first request.
const FIRST: Duration = Duration::from_secs(15);
/// Difference between the clocks that does no harm, in seconds.
const DRIFT: i64 = 60;

pub(super) fn address(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let Ok(url) = Url::parse(&subject.service.state().config().base_url) else {
            return Finding::skipped("the address is no URL");
        };
        let port = url.port_or_known_default().unwrap_or(80);
        let Some(Host::Domain(host)) = url.host() else {
            return Finding::passed("an IP address", "no name has to be found");
        };
        if subject.is_in_process() {
            return Finding::skipped("the server is in this process");
        }
        let name = format!("{host}:{port}");
        let found = tokio::task::spawn_blocking(move || {
            name.to_socket_addrs()
                .map(|found| found.map(|address| address.ip()).collect::<Vec<_>>())
        });
        match found.await {
            Ok(Ok(found)) if !found.is_empty() => {
                let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                Finding::passed(
                    format!("{host} is {}", found.join(", ")),
                    "the name is found",
                )
            }
            other => {
                let why = match other {
                    Ok(Err(error)) => error.to_string(),
                    _ => "no address".to_owned(),
                };
                // A proxy may know names that this machine does not.
                Finding::limited(
                    format!("{host}: {why}"),
                    "the name is not found on this machine",
                )
                .with_advice("check the spelling of the address, and the DNS settings")
            }
        }
    }
    .boxed()
}

pub(super) fn proxy(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    let config = subject.service.state().config();
    let proxy = match &config.proxy {
        _ if subject.is_in_process() => None,
        Proxy::System => config
            .base_url
            .parse()
            .ok()
            .and_then(|url| tinker_transport::system_proxy(&url)),
        Proxy::Url(url) => Some(tinker_transport::without_user(url)),
        _ => None,
    };
    let finding = match proxy {
        Some(proxy) => Finding::noted(proxy, "all requests pass this proxy")
            .with_advice("if it is in the way, name the host in NO_PROXY"),
        None => Finding::passed("none", "requests go to the server directly"),
    };
    async move { finding }.boxed()
}

/// The response to a health request, without retries.
async fn health(subject: &Subject) -> Result<http::Response<Body>, crate::Error> {
    let call = Call::new(GetHealth::NAME, Class::Rest)
        .with_replay(Replay::Safe)
        .with_policy(Never)
        .with_timeout(FIRST);
    let path = format!("{}{}", route::PREFIX, GetHealth::ROUTE);
    let request = Request::get(path).extension(call).body(Body::empty());
    let request =
        request.map_err(|error| crate::error::ConfigError::new("no valid path").because(error))?;
    Ok(subject.raw().call(request).await?)
}

pub(super) fn connection(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let base_url = subject.service.state().config().base_url.clone();
        let is_secure = base_url.trim_start().starts_with("https:");
        let is_near =
            Url::parse(&base_url).is_ok_and(|url| is_near(&url)) || subject.is_in_process();
        let response = match health(subject).await {
            Ok(response) => response,
            Err(error) => {
                return subject
                    .stop("connection", &error, "the server cannot be reached")
                    .with_advice("check that the server is running, its address, and the proxy");
            }
        };
        let status = response.status();
        let tls = if is_secure { "TLS" } else { "no TLS" };
        let found = format!("HTTP {status}, {:?}, {tls}", response.version());
        match status.as_u16() {
            200..=299 if is_secure || is_near => Finding::passed(found, "the server answers"),
            200..=299 => Finding::limited(found, "key and data travel unencrypted")
                .with_advice("use https://, or a tunnel such as ssh -L"),
            502..=504 => {
                subject.blocked_by = Some("connection");
                Finding::failed(found, "something in between answers, the server does not")
                    .with_advice("check that the server is running, and the proxy")
            }
            // Some servers have no such route; the next checks tell more.
            _ => Finding::noted(found, "something answers; it has no health route"),
        }
    }
    .boxed()
}

fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

pub(super) fn clock(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let response = match health(subject).await {
            Ok(response) => response,
            Err(error) => return Finding::skipped(told(&error)),
        };
        let date = response
            .headers()
            .get(DATE)
            .and_then(|date| date.to_str().ok());
        let Some(theirs) =
            date.and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date).ok())
        else {
            return Finding::noted("the server sends no time", "the clocks cannot be compared");
        };
        let ahead = Timestamp::now().as_second() - theirs.as_second();
        let found = match ahead {
            0 => "equal to the second".to_owned(),
            1.. => format!("this machine is {ahead} s ahead"),
            _ => format!("this machine is {} s behind", -ahead),
        };
        if ahead.abs() <= DRIFT {
            return Finding::passed(found, "signed links and tokens are valid");
        }
        Finding::limited(
            found,
            "signed links and tokens may be refused as expired, or as not valid yet",
        )
        .with_advice("synchronize the clock of this machine, or that of the server")
    }
    .boxed()
}
