//! Requests from typed messages.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use tinker_transport::{Body, Call, Class, Replay};
use tinker_types::wire::{header, route};
use tinker_types::{Endpoint, InvalidValue, Method, proto};
use url::Url;

use crate::error::Error;
use crate::wire::codec;
use crate::wire::constant::{self, header_value};
use crate::wire::table;

/// The protocol version of this client: the version of the official Python SDK that it matches.
///
/// Sent in `sdk_version` fields and in a header, because servers may gate features on it, unless
/// [`Dialect::sdk_version`](crate::Dialect::sdk_version) is another one. The `User-Agent` names this crate.
pub const PROTOCOL_VERSION: &str = "0.38.0";

const SDK_METHOD: HeaderName = HeaderName::from_static(header::SDK_METHOD);

/// The form of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Protobuf,
}

/// A call of an endpoint that is safe to repeat.
pub(crate) fn repeatable<E: Endpoint>(class: Class) -> Call {
    Call::new(E::NAME, class).with_replay(Replay::Safe)
}

/// The request of a message, with a JSON body.
pub(crate) fn json_request<E: Endpoint>(endpoint: &E, call: Call) -> Result<Request<Body>, Error> {
    let body = match E::METHOD {
        Method::Get | Method::Delete => Bytes::new(),
        Method::Post | Method::Put => codec::to_json(call.operation, endpoint)?,
    };
    let path = address(endpoint)?;
    Ok(build(E::METHOD, path, Form::Json, body, call))
}

/// A request with the headers of its call.
pub(crate) fn build(
    method: Method,
    address: Uri,
    form: Form,
    body: impl Into<Body>,
    call: Call,
) -> Request<Body> {
    let mut headers = table::empty();
    if method != Method::Get {
        headers.insert(CONTENT_TYPE, form.media_type());
    }
    name_method(&mut headers, call.caller);
    let mut request = Request::new(body.into());
    *request.method_mut() = match method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Delete => http::Method::DELETE,
    };
    *request.uri_mut() = address;
    *request.headers_mut() = headers;
    request.extensions_mut().insert(call);
    request
}

/// Names the public method that makes the call.
fn name_method(headers: &mut HeaderMap, caller: Option<&'static str>) {
    if let Some(name) = caller {
        headers.insert(SDK_METHOD, header_value(name));
    }
}

impl Form {
    /// The other form.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Json => Self::Protobuf,
            Self::Protobuf => Self::Json,
        }
    }

    /// The name of the form.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Protobuf => "protobuf",
        }
    }

    pub(crate) fn media_type(self) -> HeaderValue {
        header_value(match self {
            Self::Json => "application/json",
            Self::Protobuf => proto::CONTENT_TYPE,
        })
    }

    /// Requests answers in this form.
    pub(crate) fn accept(self, request: &mut Request<Body>) {
        request.headers_mut().insert(ACCEPT, self.media_type());
    }
}

/// Path and query of a message. Refuses ids of dots only, which would lead to another path.
pub(crate) fn address<E: Endpoint>(endpoint: &E) -> Result<Uri, InvalidValue> {
    if let Some(address) = E::WHOLE_ROUTE.and_then(constant::address)
        && endpoint.query().is_empty()
    {
        return Ok(address);
    }
    let path = endpoint.path();
    if path.split('/').any(|part| matches!(part, "." | "..")) {
        let why =
            format!("{path:?} has a segment of dots only; use the id that the server assigned");
        return Err(InvalidValue::new("path", why));
    }
    locate(&path, &endpoint.query())
}

/// Path and query below the base URL, percent-encoded. `path` is not encoded yet.
pub(crate) fn locate(path: &str, query: &[(&'static str, String)]) -> Result<Uri, InvalidValue> {
    // Most paths have nothing to encode. The `url` crate takes eight allocations for one.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    let text = if query.is_empty() && path.bytes().all(is_plain) {
        format!("{}{path}", route::PREFIX)
    } else {
        encoded(path, query)
    };
    let invalid = || InvalidValue::new("path", format!("{path:?} is not a valid path"));
    Uri::try_from(text).map_err(|_| invalid())
}

fn encoded(path: &str, query: &[(&'static str, String)]) -> String {
    let Ok(mut url) = Url::parse("http://server/") else {
        return String::new();
    };
    url.set_path(&format!("{}{}", route::PREFIX, path.replace('%', "%25")));
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(path: &str, query: &[(&'static str, String)]) -> String {
        locate(path, query).unwrap().to_string()
    }

    #[test]
    fn paths_are_escaped_as_the_official_client_does() {
        assert_eq!(
            located("samplers/s-1:sample:0", &[]),
            "/api/v1/samplers/s-1:sample:0"
        );
        assert_eq!(
            located("training_runs/a b/\u{fc}?x#y", &[]),
            "/api/v1/training_runs/a%20b/%C3%BC%3Fx%23y"
        );
        // A percent sign in an id is encoded like any other character: `a%2Fb` stays one id.
        assert_eq!(
            located("samplers/a%2Fb%", &[]),
            "/api/v1/samplers/a%252Fb%25"
        );
        let up = tinker_types::GetSampler::new("..".into());
        assert!(address(&up).is_err());
        let query = [("limit", "5".to_owned()), ("project_id", "p 1".to_owned())];
        assert_eq!(
            located("training_runs", &query),
            "/api/v1/training_runs?limit=5&project_id=p+1"
        );
    }
}
