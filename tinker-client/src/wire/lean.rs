//! Requests without optional fields at their defaults.

use std::borrow::Cow;
use std::io;

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use tinker_types::{
    CreateModel, Endpoint, Method, SampleRequest, SaveWeights, SaveWeightsForSampler,
};

/// Optional fields that later versions of the protocol added, with their defaults as JSON.
type Fields = &'static [(&'static str, &'static str)];

/// Fields that the official client sends even at these defaults. Servers that refuse unknown fields refuse such requests.
const OPTIONAL: &[(&str, Fields)] = &[
    (
        CreateModel::NAME,
        &[("optimizer_config", r#"{"type":"adamw"}"#)],
    ),
    (SaveWeights::NAME, &[("overwrite", "false")]),
    (SaveWeightsForSampler::NAME, &[("kind", r#""snapshot""#)]),
    (
        SampleRequest::NAME,
        &[
            ("prompt_logprobs", "false"),
            ("topk_prompt_logprobs", "0"),
            ("topk_sample_logprobs", "0"),
            ("prompt_alt_tokens_k", "0"),
            ("record_stability_info", "false"),
        ],
    ),
];

/// The optional fields of an operation.
pub(crate) fn optional_fields(operation: &str) -> Fields {
    let mut known = OPTIONAL.iter();
    known
        .find(|(name, _)| *name == operation)
        .map_or(&[], |(_, fields)| fields)
}

/// A message that is written without its optional fields at their defaults.
pub(crate) struct Lean<'a, E>(pub(crate) &'a E);

impl<E: Endpoint> Serialize for Lean<'_, E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match optional_fields(E::NAME) {
            [] => self.0.serialize(serializer),
            fields => self.0.serialize(Omitting {
                inner: serializer,
                fields,
            }),
        }
    }
}

impl<E: Endpoint> Endpoint for Lean<'_, E> {
    type Response = E::Response;
    const NAME: &'static str = E::NAME;
    const METHOD: Method = E::METHOD;
    const ROUTE: &'static str = E::ROUTE;
    const WHOLE_ROUTE: Option<&'static str> = E::WHOLE_ROUTE;

    fn parameters(&self) -> Vec<&str> {
        self.0.parameters()
    }

    fn path(&self) -> Cow<'static, str> {
        self.0.path()
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        self.0.query()
    }
}

/// Leaves out optional fields of the outermost object; everything else is forwarded.
struct Omitting<S> {
    inner: S,
    fields: Fields,
}

impl<S> Omitting<S> {
    fn omits<T: ?Sized + Serialize>(&self, name: &str, value: &T) -> bool {
        let mut fields = self.fields.iter();
        let default = fields.find(|(field, _)| *field == name);
        default.is_some_and(|(_, default)| {
            let mut rest = Comparison(default.as_bytes());
            serde_json::to_writer(&mut rest, value).is_ok() && rest.0.is_empty()
        })
    }
}

/// The part of an expected text that was not written yet. Another text is an error.
struct Comparison<'a>(&'a [u8]);

impl io::Write for Comparison<'_> {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        let rest = self.0.strip_prefix(written);
        self.0 = rest.ok_or(io::ErrorKind::InvalidData)?;
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: SerializeStruct> SerializeStruct for Omitting<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), S::Error> {
        if self.omits(name, value) {
            return self.inner.skip_field(name);
        }
        self.inner.serialize_field(name, value)
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), S::Error> {
        self.inner.skip_field(name)
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

/// A message with additional fields is written as a map of entries.
impl<S: SerializeMap> SerializeMap for Omitting<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), S::Error> {
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_value(value)
    }

    fn serialize_entry<K: ?Sized + Serialize, V: ?Sized + Serialize>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), S::Error> {
        let name = serde_json::to_value(key).ok();
        let name = name.as_ref().and_then(serde_json::Value::as_str);
        if name.is_some_and(|name| self.omits(name, value)) {
            return Ok(());
        }
        self.inner.serialize_entry(key, value)
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

macro_rules! forward {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

impl<S: Serializer> Serializer for Omitting<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = S::SerializeSeq;
    type SerializeTuple = S::SerializeTuple;
    type SerializeTupleStruct = S::SerializeTupleStruct;
    type SerializeTupleVariant = S::SerializeTupleVariant;
    type SerializeMap = Omitting<S::SerializeMap>;
    type SerializeStruct = Omitting<S::SerializeStruct>;
    type SerializeStructVariant = S::SerializeStructVariant;

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        Ok(Omitting {
            inner: self.inner.serialize_struct(name, len)?,
            fields: self.fields,
        })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        Ok(Omitting {
            inner: self.inner.serialize_map(len)?,
            fields: self.fields,
        })
    }

    forward! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_f32(f32) serialize_f64(f64)
        serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_unit_struct(&'static str)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(value)
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, value)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner
            .serialize_newtype_variant(name, index, variant, value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<S::SerializeSeq, S::Error> {
        self.inner.serialize_seq(len)
    }

    fn serialize_tuple(self, len: usize) -> Result<S::SerializeTuple, S::Error> {
        self.inner.serialize_tuple(len)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<S::SerializeTupleStruct, S::Error> {
        self.inner.serialize_tuple_struct(name, len)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<S::SerializeTupleVariant, S::Error> {
        self.inner
            .serialize_tuple_variant(name, index, variant, len)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<S::SerializeStructVariant, S::Error> {
        self.inner
            .serialize_struct_variant(name, index, variant, len)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};
    use tinker_types::{LoraConfig, ModelInput, OptimizerConfig};

    use super::*;
    use crate::wire::extra::Extended;

    fn written(message: &impl Endpoint) -> Value {
        serde_json::to_value(Lean(message)).unwrap()
    }

    #[test]
    fn optional_fields_are_sent_when_set_and_only_then() {
        let mut sample = SampleRequest::new("s".into(), 0, ModelInput::from_tokens([1]));
        let plain = json!({"num_samples": 1, "prompt": {"chunks": [{"tokens": [1], "type": "encoded_text"}]},
            "sampling_params": {"temperature": 1.0, "top_k": -1, "top_p": 1.0},
            "sampling_session_id": "s", "seq_id": 0, "type": "sample"});
        assert_eq!(written(&sample), plain);
        sample.topk_sample_logprobs = 3;
        sample.prompt_logprobs = true;
        let set = written(&sample);
        assert_eq!(
            (&set["topk_sample_logprobs"], &set["prompt_logprobs"]),
            (&json!(3), &json!(true))
        );
        assert_eq!(set.as_object().unwrap().len(), 8);

        let mut model = CreateModel::new("s".into(), 0, "m", LoraConfig::new(4));
        assert!(written(&model).get("optimizer_config").is_none());
        model.optimizer_config = OptimizerConfig::Dimuon { version: 1 };
        assert_eq!(written(&model)["optimizer_config"]["type"], "dimuon");
    }

    #[test]
    fn additional_fields_do_not_bring_the_others_back() {
        let sample = SampleRequest::new("s".into(), 0, ModelInput::from_tokens([1]));
        let extra = Map::from_iter([("verbose".to_owned(), json!(true))]);
        let message = written(&Extended {
            request: &sample,
            extra: &extra,
        });
        assert_eq!(message["verbose"], true);
        assert!(message.get("record_stability_info").is_none());
        assert_eq!(message.as_object().unwrap().len(), 7);
    }
}
