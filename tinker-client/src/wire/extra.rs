//! Messages with additional body fields.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::Error};
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
        let known = serde_json::to_value(request).map_err(S::Error::custom)?;
        if let Some(name) = extra.keys().find(|name| known.get(name.as_str()).is_some()) {
            let why = format!("the extra field `{name}` is a field of the request; set it there");
            return Err(S::Error::custom(why));
        }
        Flat { request, extra }.serialize(serializer)
    }
}

impl<E: Endpoint> Endpoint for Extended<'_, E> {
    type Response = E::Response;
    const NAME: &'static str = E::NAME;
    const METHOD: Method = E::METHOD;
    const ROUTE: &'static str = E::ROUTE;
    const WHOLE_ROUTE: Option<&'static str> = E::WHOLE_ROUTE;

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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tinker_types::{CheckpointPath, GetWeightsInfo};

    use super::*;

    #[test]
    fn an_extra_field_cannot_replace_a_field_of_the_request() {
        let path: CheckpointPath = "tinker://run/weights/a".parse().unwrap();
        let request = GetWeightsInfo::new(&path);
        let known = serde_json::to_value(&request).unwrap();
        let name = known.as_object().unwrap().keys().next().unwrap().clone();
        for (name, is_taken) in [(name.as_str(), true), ("verbose", false)] {
            let extra = Map::from_iter([(name.to_owned(), json!(1))]);
            let written = serde_json::to_string(&Extended {
                request: &request,
                extra: &extra,
            });
            assert_eq!(written.is_err(), is_taken, "{name}: {written:?}");
        }
    }
}
