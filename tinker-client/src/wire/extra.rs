//! Messages with additional body fields.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use tinker_types::{Endpoint, Method};

/// A message with additional fields in its JSON body. Without any it is encoded as the message itself.
pub(crate) struct Extended<'a, E> {
    pub(crate) request: &'a E,
    pub(crate) extra: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct Flat<'a, E> {
    #[serde(flatten)]
    request: &'a E,
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
}

impl<E: Serialize> Serialize for Extended<'_, E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { request, extra } = *self;
        if extra.is_empty() {
            return request.serialize(serializer);
        }
        Flat { request, extra }.serialize(serializer)
    }
}

impl<E: Endpoint> Endpoint for Extended<'_, E> {
    type Response = E::Response;
    const NAME: &'static str = E::NAME;
    const METHOD: Method = E::METHOD;
    const ROUTE: &'static str = E::ROUTE;

    fn parameters(&self) -> Vec<&str> {
        self.request.parameters()
    }

    fn path(&self) -> Cow<'static, str> {
        self.request.path()
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        self.request.query()
    }
}
