//! Copies of requests, to send them again.

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use crate::body::Body;
use crate::request::call::Call;

/// Headers kept without a map. A poll has twelve when it reaches the network.
const FEW: usize = 12;

/// A copy of a request, made before it is sent and usually dropped unused.
///
/// A clone of the request would work, but its two maps alone are five allocations, and two or three layers (retry,
/// redirect, auth) may need a copy of a request. This type allocates nothing for a typical request, with few headers
/// and a [`Call`] as the only extension: ten allocations fewer at the same speed.
#[derive(Debug)]
pub(crate) struct Spare {
    method: Method,
    uri: Uri,
    version: Version,
    headers: Headers,
    facts: Facts,
    body: Body,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "that the usual case has no box is the point"
)]
enum Headers {
    Few([Option<(HeaderName, HeaderValue)>; FEW]),
    Many(HeaderMap),
}

#[derive(Debug)]
enum Facts {
    None,
    Call(Call),
    Many(Extensions),
}

impl Spare {
    /// A copy of `request`; `None` if its body is a stream, which cannot be sent twice.
    pub(crate) fn of(request: &Request<Body>) -> Option<Self> {
        Some(Self {
            body: request.body().try_clone()?,
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: Headers::of(request.headers()),
            facts: Facts::of(request.extensions()),
        })
    }

    /// The request, to be sent again.
    pub(crate) fn to_request(&self) -> Request<Body> {
        // The body is no stream, so it can be cloned.
        let mut request = Request::new(self.body.try_clone().unwrap_or_default());
        request.method_mut().clone_from(&self.method);
        request.uri_mut().clone_from(&self.uri);
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers.to_map();
        match &self.facts {
            Facts::None => {}
            Facts::Call(call) => drop(request.extensions_mut().insert(call.clone())),
            Facts::Many(all) => request.extensions_mut().clone_from(all),
        }
        request
    }
}

impl Headers {
    fn of(map: &HeaderMap) -> Self {
        if map.len() > FEW {
            return Self::Many(map.clone());
        }
        let mut pairs = map.iter();
        Self::Few(std::array::from_fn(|_| {
            pairs
                .next()
                .map(|(name, value)| (name.clone(), value.clone()))
        }))
    }

    fn to_map(&self) -> HeaderMap {
        match self {
            Self::Many(map) => map.clone(),
            Self::Few(pairs) => {
                let mut map = HeaderMap::with_capacity(FEW);
                for (name, value) in pairs.iter().flatten() {
                    map.append(name.clone(), value.clone());
                }
                map
            }
        }
    }
}

impl Facts {
    fn of(extensions: &Extensions) -> Self {
        match (extensions.len(), extensions.get::<Call>()) {
            (0, _) => Self::None,
            (1, Some(call)) => Self::Call(call.clone()),
            _ => Self::Many(extensions.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{chunks, request};
    use crate::flow::class::Class;

    #[derive(Debug, Clone, PartialEq)]
    struct Mark(u8);

    #[test]
    fn a_copy_is_the_same_request_however_much_it_holds() {
        for count in [0, 3, FEW, FEW + 1, 40] {
            let mut original = request(Call::new("x", Class::Train).with_weight(7));
            for n in 0..count {
                let name = HeaderName::try_from(format!("x-{}", n / 2)).unwrap();
                original.headers_mut().append(name, n.into());
            }
            if count > 3 {
                original.extensions_mut().insert(Mark(3));
            }
            let copy = Spare::of(&original).unwrap().to_request();
            assert_eq!(copy.method(), original.method());
            assert_eq!(copy.uri(), original.uri());
            assert_eq!(copy.headers(), original.headers());
            assert_eq!(copy.body().as_bytes(), original.body().as_bytes());
            assert_eq!(Call::of(&copy).weight, Some(7));
            assert_eq!(
                copy.extensions().get::<Mark>(),
                original.extensions().get::<Mark>()
            );
        }
        assert!(Spare::of(&Request::new(chunks(&["a"]))).is_none());
    }
}
