//! Messages in which a null is the same as a missing field.

use serde::Deserializer;
use serde::de::value::StringDeserializer;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads a JSON value. A field that is null counts as missing, at any depth; elements of lists and entries of free-form
/// maps keep their nulls.
///
/// ```
/// use tinker_types::wire::NullsAbsent;
/// use tinker_types::ModelData;
///
/// #[derive(serde::Deserialize)]
/// struct Count {
///     #[serde(default)]
///     count: u32,
/// }
///
/// let count: Count = serde::Deserialize::deserialize(NullsAbsent(serde_json::json!({"count": null})))?;
/// assert_eq!(count.count, 0);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug)]
pub struct NullsAbsent(pub Value);

impl<'de> Deserializer<'de> for NullsAbsent {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Object(fields) => visitor.visit_map(Entries::new(fields, true)),
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            plain => plain.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Object(fields) => visitor.visit_map(Entries::new(fields, false)),
            other => Self(other).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            value => visitor.visit_some(Self(value)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

impl IntoDeserializer<'_, serde_json::Error> for NullsAbsent {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Entries {
    rest: serde_json::map::IntoIter,
    value: Option<Value>,
    keeps_nulls: bool,
}

impl Entries {
    fn new(fields: Map<String, Value>, keeps_nulls: bool) -> Self {
        Self {
            rest: fields.into_iter(),
            value: None,
            keeps_nulls,
        }
    }
}

impl<'de> MapAccess<'de> for Entries {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        let keeps_nulls = self.keeps_nulls;
        let next = self.rest.find(|(_, value)| keeps_nulls || !value.is_null());
        let Some((key, value)) = next else {
            return Ok(None);
        };
        self.value = Some(value);
        let key: StringDeserializer<Self::Error> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Self::Error> {
        seed.deserialize(NullsAbsent(self.value.take().unwrap_or_default()))
    }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = serde_json::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Self::Error> {
        let next = self.0.next().map(NullsAbsent);
        next.map(|value| seed.deserialize(value)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::{CreateSession, ModelInfo, SampleRequest, SampleResponse, SavedWeights};

    fn read<'de, T: Deserialize<'de>>(value: Value) -> Result<T, serde_json::Error> {
        T::deserialize(NullsAbsent(value))
    }

    #[test]
    fn a_null_field_is_a_missing_one_in_every_message() {
        let info: ModelInfo = read(
            json!({"model_data": {"arch": null, "model_name": "m"}, "model_id": "r",
            "optimizer_config": null, "is_lora": null, "lora_rank": 8, "type": null}),
        )
        .unwrap();
        assert_eq!(info.lora_rank, Some(8));
        let saved: SavedWeights =
            read(json!({"path": "tinker://r/weights/a", "type": null})).unwrap();
        assert_eq!(saved.path.name(), "a");
        let sample: SampleResponse = read(json!({
            "sequences": [{"stop_reason": "stop", "tokens": [1], "logprobs": null, "sequence_id": null}],
            "prompt_logprobs": [null, -1.5], "prompt_cache_hit_tokens": null}))
        .unwrap();
        assert_eq!(sample.prompt_logprobs, Some(vec![None, Some(-1.5)]));
        let request: SampleRequest = read(json!({"num_samples": 1, "prompt": {"chunks": []},
            "sampling_params": {"temperature": null, "stop": null}, "sampling_session_id": "s", "seq_id": 0,
            "prompt_logprobs": null, "type": null}))
        .unwrap();
        assert_eq!(request.sampling_params, crate::SamplingParams::default());
    }

    #[test]
    fn free_form_maps_and_required_fields_are_as_before() {
        let session: CreateSession =
            read(json!({"sdk_version": "1", "user_metadata": {"a": null}, "tags": null})).unwrap();
        assert_eq!(session.user_metadata["a"], Value::Null);
        let error = read::<CreateSession>(json!({"sdk_version": null})).unwrap_err();
        assert!(
            error.to_string().contains("missing field `sdk_version`"),
            "{error}"
        );
    }
}
