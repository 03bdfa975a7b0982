//! Copies of requests, to send them again.

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use crate::body::Body;
use crate::request::call::Call;

/// Headers kept without an allocation. A poll has eight when it reaches the retry layer.
const FEW: usize = 8;

/// A copy of a request, made before it is sent and usually dropped unused.
///
/// A clone of the request would work, but its two maps alone are five allocations. This type allocates nothing for a
/// typical request, with few headers and a [`Call`] as the only extension. It takes a kilobyte, so a layer that rarely needs
/// one keeps it in a box.
#[derive(Debug)]
pub(crate) struct Spare {
    method: Method,
    uri: Uri,
    version: Version,
    headers: Headers,
    /// Properties of the call: those of the request, or the usual ones if it has none.
    call: Call,
    /// All extensions, if there are others than the call.
    extensions: Option<Extensions>,
    body: Body,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "that the usual case has no box is the point"
)]
enum Headers {
    Few([Option<Header>; FEW]),
    Many(Vec<Header>),
}

type Header = (HeaderName, HeaderValue);

impl Spare {
    /// A copy of `request`; `None` if its body is a stream, which cannot be sent twice.
    pub(crate) fn of(request: &Request<Body>) -> Option<Self> {
        let body = request.body().try_clone()?;
        let extensions = request.extensions();
        let usual = usize::from(extensions.get::<Call>().is_some());
        Some(Self {
            body,
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: Headers::of(request.headers()),
            call: Call::of(request),
            extensions: (extensions.len() > usual).then(|| extensions.clone()),
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
        if let Some(all) = &self.extensions {
            request.extensions_mut().clone_from(all);
        }
        request.extensions_mut().insert(self.call.clone());
        request
    }
}

impl Headers {
    fn of(map: &HeaderMap) -> Self {
        let headers = map.iter();
        let mut headers = headers.map(|(name, value)| (name.clone(), value.clone()));
        if map.len() > FEW {
            return Self::Many(headers.collect());
        }
        Self::Few(std::array::from_fn(|_| headers.next()))
    }

    fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        let add = |(name, value): &Header| {
            map.append(name.clone(), value.clone());
        };
        match self {
            Self::Few(headers) => headers.iter().flatten().for_each(add),
            Self::Many(headers) => headers.iter().for_each(add),
        }
        map
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
