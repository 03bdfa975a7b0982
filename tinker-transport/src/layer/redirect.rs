//! Follows redirects without giving secrets away.

use std::task::{Context, Poll};

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RANGE, USER_AGENT,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt};
use url::Url;

use crate::body::Body;
use crate::error::{Kind, Stage, TransportError};
use crate::service::{HttpService, ResponseFuture};

const HOPS: usize = 10;
/// What another server may see of a request. Everything else, the credential first, stays here.
const HARMLESS: [HeaderName; 4] = [ACCEPT, ACCEPT_ENCODING, RANGE, USER_AGENT];

/// Follows up to ten redirects.
///
/// - Within an origin (scheme, host, port) the request is repeated as it was; 303, and 301 and 302
///   on a POST, turn it into a GET without a body.
/// - To another origin only a GET or HEAD goes, and only with `Accept`, `Accept-Encoding`, `Range`
///   and `User-Agent`: no credential, no other header. This is how signed download links work.
/// - Never from https to http, and never with a body that is a stream.
///
/// What is not followed is returned as it came, a 3xx answer with its `Location`.
///
/// # Order
/// Next to the leaf. Wrong: outside [`AuthLayer`](super::AuthLayer), which would put the key back
/// on at each hop. A leaf that follows redirects by itself defeats this layer.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedirectLayer;

impl RedirectLayer {
    /// The layer; it has no settings.
    pub fn new() -> Self {
        Self
    }
}

/// Service made by [`RedirectLayer`].
#[derive(Debug, Clone)]
pub struct Redirect<S> {
    inner: S,
}

impl<S> Layer<S> for RedirectLayer {
    type Service = Redirect<S>;

    fn layer(&self, inner: S) -> Redirect<S> {
        Redirect { inner }
    }
}

impl<S: HttpService> Service<Request<Body>> for Redirect<S> {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        let inner = self.inner.clone();
        Box::pin(async move {
            let (mut parts, mut body) = request.into_parts();
            for _ in 0..=HOPS {
                let again = body.try_clone();
                let response = inner
                    .clone()
                    .oneshot(Request::from_parts(parts.clone(), body))
                    .await?;
                let Some((target, again)) = location(&parts, &response).zip(again) else {
                    return Ok(response);
                };
                let Some(next) = follow(&mut parts, response.status(), &target, again) else {
                    return Ok(response);
                };
                body = next;
            }
            let what = format!("the server redirected more than {HOPS} times");
            Err(TransportError::new(Kind::Request, Stage::Answered, what))
        })
    }
}

/// Where an answer sends us, if it does.
fn location(parts: &Parts, response: &Response<Body>) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    Url::parse(&parts.uri.to_string()).ok()?.join(location).ok()
}

/// Turns `parts` into the next request and returns its body; nothing if it must not be sent.
fn follow(parts: &mut Parts, status: StatusCode, target: &Url, body: Body) -> Option<Body> {
    let here = Url::parse(&parts.uri.to_string()).ok()?;
    let becomes_get = match status {
        StatusCode::SEE_OTHER => parts.method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => parts.method == Method::POST,
        _ => false,
    };
    let method = if becomes_get {
        Method::GET
    } else {
        parts.method.clone()
    };
    if here.origin() != target.origin() {
        let is_downgrade = here.scheme() == "https" && target.scheme() != "https";
        // A POST that turned into a GET stays home as well: its answer was never meant for others.
        let is_harmless = matches!(parts.method, Method::GET | Method::HEAD);
        if is_downgrade || !is_harmless || !matches!(target.scheme(), "http" | "https") {
            return None;
        }
        parts.headers = harmless(&parts.headers);
    }
    let mut target = target.clone();
    target.set_fragment(None);
    parts.uri = target.as_str().parse().ok()?;
    parts.method = method;
    if becomes_get {
        parts.headers.remove(CONTENT_TYPE);
        parts.headers.remove(CONTENT_LENGTH);
        return Some(Body::empty());
    }
    Some(body)
}

fn harmless(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in HARMLESS {
        if let Some(value) = headers.get(&name) {
            kept.insert(name, value.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Seen, answer, leaf};
    use crate::transport::Transport;

    /// Redirects once with `status` to `target`, then answers 200.
    fn redirecting(status: u16, target: &'static str) -> (Transport, Seen) {
        let seen = Seen::new();
        let log = seen.clone();
        let leaf = leaf(move |request| {
            let is_first = log.count() == 0;
            log.note(request);
            let mut response = answer(if is_first { status } else { 200 });
            response
                .headers_mut()
                .insert(LOCATION, target.parse().unwrap());
            async move { Ok(response) }
        });
        (leaf.layer(RedirectLayer::new()), seen)
    }

    async fn ask(method: Method, status: u16, target: &'static str) -> (u16, Vec<Request<Body>>) {
        let (transport, seen) = redirecting(status, target);
        let request = Request::builder()
            .method(method)
            .uri("https://home.test/a/b?q=1")
            .header("x-api-key", "hunter2")
            .header("cf-access-client-secret", "hunter2")
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from("{}"))
            .unwrap();
        let status = transport.call(request).await.unwrap().status().as_u16();
        (status, seen.take())
    }

    #[tokio::test]
    async fn within_the_origin_everything_is_repeated() {
        let (status, requests) = ask(Method::POST, 307, "../c").await;
        assert_eq!(
            (status, requests[1].uri().to_string().as_str()),
            (200, "https://home.test/c")
        );
        assert_eq!(requests[1].method(), Method::POST);
        assert_eq!(requests[1].headers()["x-api-key"], "hunter2");
        assert_eq!(requests[1].body().as_bytes().unwrap(), "{}");
    }

    #[tokio::test]
    async fn a_post_becomes_a_get_where_http_says_so() {
        for status in [301, 302, 303] {
            let (_, requests) = ask(Method::POST, status, "/c").await;
            assert_eq!(requests[1].method(), Method::GET);
            assert!(!requests[1].headers().contains_key(CONTENT_TYPE));
            assert!(requests[1].body().as_bytes().unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn another_origin_sees_no_secret() {
        for target in [
            "https://other.test/c",
            "https://home.test:444/c",
            "//other.test/c",
        ] {
            let (status, requests) = ask(Method::GET, 302, target).await;
            assert_eq!(status, 200);
            let names: Vec<_> = requests[1].headers().keys().collect();
            assert_eq!(names, [&ACCEPT], "{target}");
        }
    }

    #[tokio::test]
    async fn what_must_not_be_followed_is_returned() {
        for (method, status, target) in [
            (Method::POST, 307, "https://other.test/c"),
            (Method::POST, 303, "https://other.test/c"),
            (Method::DELETE, 308, "https://other.test/c"),
            (Method::GET, 302, "http://home.test/a"),
            (Method::GET, 302, "file:///etc/passwd"),
        ] {
            let (got, requests) = ask(method, status, target).await;
            assert_eq!((got, requests.len()), (status, 1), "{target}");
        }
    }

    #[tokio::test]
    async fn a_circle_ends() {
        let leaf = leaf(|_| async {
            let mut response = answer(302);
            response
                .headers_mut()
                .insert(LOCATION, "/again".parse().unwrap());
            Ok(response)
        });
        let request = Request::get("https://home.test/a")
            .body(Body::empty())
            .unwrap();
        let error = leaf
            .layer(RedirectLayer::new())
            .call(request)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("more than 10 times"));
    }
}
