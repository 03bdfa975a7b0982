//! Time stamps on the wire.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use serde_with::{DeserializeAs, SerializeAs};

/// ISO 8601 with any offset, or without one, which counts as UTC.
pub(crate) struct Iso8601;

impl SerializeAs<Timestamp> for Iso8601 {
    fn serialize_as<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }
}

impl<'de> DeserializeAs<'de, Timestamp> for Iso8601 {
    fn deserialize_as<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        let without_offset = || {
            TimeZone::UTC
                .to_timestamp(text.parse::<DateTime>().ok()?)
                .ok()
        };
        match text.parse() {
            Ok(time) => Ok(time),
            Err(cause) => without_offset().ok_or_else(|| D::Error::custom(cause)),
        }
    }
}

#[cfg(feature = "schema")]
impl serde_with::schemars_1::JsonSchemaAs<Timestamp> for Iso8601 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_offset_or_none_is_read() {
        let read = |text: &str| {
            Iso8601::deserialize_as(serde::de::value::StrDeserializer::<serde_json::Error>::new(
                text,
            ))
        };
        let noon: Timestamp = "2026-01-02T12:00:00Z".parse().unwrap();
        for text in [
            "2026-01-02T12:00:00Z",
            "2026-01-02T13:00:00+01:00",
            "2026-01-02T12:00:00",
            "2026-01-02 12:00:00.000",
        ] {
            assert_eq!(read(text).unwrap(), noon, "{text}");
        }
        assert!(read("noon").is_err());
    }
}
