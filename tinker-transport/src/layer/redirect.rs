//! Redirect layer that does not leak secrets.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RANGE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri};
use url::Url;

use super::around::{Around, tower_layer};
use super::base::{Elsewhere, is_at_home};
use crate::body::Body;
use crate::error::{Kind, Stage, TransportError};
use crate::request::call::Call;
use crate::request::outgoing::Outgoing;
use crate::request::spare::Spare;
use crate::service::{Answer, Inner};

const HOPS: usize = 10;
/// Headers that another server may receive. Everything else, above all the credential, is removed.
const HARMLESS: [HeaderName; 4] = [ACCEPT, ACCEPT_ENCODING, RANGE, USER_AGENT];

/// Follows up to ten redirects.
///
/// - Within an origin (scheme, host, port) the request is repeated unchanged; 303, and 301 and 302 on a POST, turn it
///   into a GET without a body.
/// - To another origin only GET and HEAD are sent, with `Accept`, `Accept-Encoding`, `Range` and `User-Agent` only: no
///   credential, no other header. Signed download links work this way.
/// - Never from https to http, and never with a body that is a stream.
/// - A request that has left its origin is marked as one to another server, also on the way back: the inner layers add no
///   credential and no configured headers.
///
/// A redirect that is not followed is returned unchanged, as a 3xx response with its `Location`. A [`Call`] can request
/// that.
///
/// # Order
/// Inside [`BaseLayer`](super::BaseLayer), so that the URI is complete; outside of the layers that add to a request, so that
/// each hop gets what its server may see. Wrong: a leaf that follows redirects by itself, with the key.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedirectLayer;

impl RedirectLayer {
    /// A layer without settings.
    pub fn new() -> Self {
        Self
    }
}

tower_layer!(RedirectLayer makes Redirect);

impl Around for RedirectLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let call = request.extensions().get::<Call>();
        if call.is_some_and(|call| !call.follows_redirects) {
            return inner.run(request).await;
        }
        // The copy of the retry layer lacks the mark of a request to another server. Others are rare, and boxed so that all
        // calls do not reserve space for them.
        let mut is_shared = is_at_home(request) && request.copy.is_some();
        let mut own = None;
        for _ in 0..=HOPS {
            if !is_shared {
                own = Spare::of(request).map(Box::new);
            }
            let from = request.uri().clone();
            let response = inner.run(request).await?;
            let copy = if is_shared {
                request.copy.as_ref()
            } else {
                own.as_deref()
            };
            let next = copy.and_then(|copy| {
                let target = location(&from, &response)?;
                follow(copy.to_request(), &from, response.status(), target)
            });
            match next {
                Some(next) => request.set(next),
                None => return Ok(response),
            }
            is_shared = false;
        }
        let what = format!("the server redirected more than {HOPS} times");
        Err(TransportError::new(Kind::Request, Stage::Answered, what))
    }
}

/// Target of a redirect, if the response is one.
fn location(from: &Uri, response: &Response<Body>) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    Url::parse(&from.to_string()).ok()?.join(location).ok()
}

/// Turns `request` into the next one; `None` if it must not be sent.
fn follow(
    mut request: Request<Body>,
    from: &Uri,
    status: StatusCode,
    mut target: Url,
) -> Option<Request<Body>> {
    let here = Url::parse(&from.to_string()).ok()?;
    let becomes_get = match status {
        StatusCode::SEE_OTHER => request.method() != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => request.method() == Method::POST,
        _ => false,
    };
    if here.origin() != target.origin() {
        let is_downgrade = here.scheme() == "https" && target.scheme() != "https";
        // A POST that would become a GET is not sent either: its response is not meant for others.
        let is_harmless = matches!(*request.method(), Method::GET | Method::HEAD);
        if is_downgrade || !is_harmless || !matches!(target.scheme(), "http" | "https") {
            return None;
        }
        *request.headers_mut() = harmless(request.headers());
        request.extensions_mut().insert(Elsewhere);
    }
    target.set_fragment(None);
    *request.uri_mut() = target.as_str().parse().ok()?;
    if becomes_get {
        *request.method_mut() = Method::GET;
        request.headers_mut().remove(CONTENT_TYPE);
        request.headers_mut().remove(CONTENT_LENGTH);
        *request.body_mut() = Body::empty();
    }
    Some(request)
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
    use crate::fixture::{Seen, answer, leaf};
    use crate::stack::transport::Transport;

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
    async fn a_call_may_want_the_redirect_itself() {
        let (transport, seen) = redirecting(302, "https://home.test/c");
        let call = Call::new("get_checkpoint_archive_url", crate::Class::Rest).without_redirects();
        let request = Request::get("https://home.test/a")
            .extension(call)
            .body(Body::empty())
            .unwrap();
        let response = transport.call(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::FOUND);
        assert_eq!(response.headers()[LOCATION], "https://home.test/c");
        assert_eq!(seen.count(), 1);
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
