//! Parts of a model input.

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_with::{base64::Base64, serde_as, skip_serializing_none};

use crate::InvalidValue;

/// One part of a [`ModelInput`](crate::ModelInput).
///
/// Tokens without a tag are text, as older clients send them. An unknown tag is kept as [`Chunk::Unknown`]; a known tag with malformed fields is an error.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Chunk {
    /// Token ids.
    Text(EncodedText),
    /// An image, as bytes.
    Image(Image),
    /// An image, by reference.
    ImagePointer(AssetPointer),
    /// Audio.
    Dmel(Dmel),
    /// A chunk of a newer protocol version.
    Unknown {
        /// Value of its `type` field.
        tag: String,
        /// The complete JSON object.
        value: Value,
    },
}

/// Text as token ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EncodedText {
    /// Token ids in the model's vocabulary, `[T]`.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<u32>"))]
    pub tokens: Arc<[u32]>,
}

/// File format of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ImageFormat {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
}

impl ImageFormat {
    /// Name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
        }
    }
}

/// An image, as bytes.
#[serde_as]
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Image {
    /// Content of the image file; base64 in JSON.
    #[serde_as(as = "Base64")]
    pub data: Vec<u8>,
    /// Format of the file.
    pub format: ImageFormat,
    /// Expected number of tokens. The server computes the number itself and may reject a mismatch early.
    pub expected_tokens: Option<u32>,
}

/// An image, by reference. For sampling only: training requires the bytes.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AssetPointer {
    /// Format of the file.
    pub format: ImageFormat,
    /// Path or URL that the server can read.
    pub location: String,
    /// Expected number of tokens.
    pub expected_tokens: Option<u32>,
}

/// Audio in an opaque container whose header holds the length.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dmel {
    /// Content of the container; base64 in JSON.
    #[serde_as(as = "Base64")]
    pub dmel: Vec<u8>,
}

impl Chunk {
    /// A text chunk of token ids.
    pub fn text(tokens: impl Into<Arc<[u32]>>) -> Self {
        Self::Text(EncodedText {
            tokens: tokens.into(),
        })
    }

    /// Number of positions of the chunk.
    ///
    /// # Errors
    /// The length of an image without `expected_tokens`, of audio with a malformed header and of an unknown chunk is
    /// unknown.
    pub fn length(&self) -> Result<usize, InvalidValue> {
        let unsized_image = || {
            InvalidValue::new(
                "expected_tokens",
                "is not set, so the image's length is unknown; set it",
            )
        };
        match self {
            Self::Text(text) => Ok(text.tokens.len()),
            Self::Image(Image {
                expected_tokens, ..
            })
            | Self::ImagePointer(AssetPointer {
                expected_tokens, ..
            }) => expected_tokens
                .map(|n| n as usize)
                .ok_or_else(unsized_image),
            Self::Dmel(audio) => audio.length(),
            Self::Unknown { tag, .. } => Err(InvalidValue::new(
                "type",
                format!("{tag:?} is an unknown type of chunk, so its length is unknown"),
            )),
        }
    }

    /// Checks that the chunk can be trained on: training requires bytes, not references, and token ids of at most 31
    /// bits.
    ///
    /// # Errors
    /// An image pointer, an unknown chunk, or a token id that is too large.
    pub(crate) fn check_trainable(&self) -> Result<(), InvalidValue> {
        match self {
            Self::Text(text) => {
                // One bit decides, so the usual case is one pass without a branch.
                if text.tokens.iter().fold(0, |all, token| all | token) >> 31 == 0 {
                    return Ok(());
                }
                let too_large = |&token: &u32| token > i32::MAX as u32;
                match text.tokens.iter().position(too_large) {
                    Some(at) => {
                        let why = format!("{} does not fit 31 bits", text.tokens[at]);
                        Err(InvalidValue::new(format!("tokens[{at}]"), why))
                    }
                    None => Ok(()),
                }
            }
            Self::Image(_) | Self::Dmel(_) => Ok(()),
            Self::ImagePointer(_) => {
                let why = "an image pointer can't be trained on; give the image itself";
                Err(InvalidValue::new("", why))
            }
            Self::Unknown { tag, .. } => {
                let why = format!("a chunk of type {tag:?} can't be trained on");
                Err(InvalidValue::new("", why))
            }
        }
    }

    const fn tag(&self) -> Option<&'static str> {
        match self {
            Self::Text(_) => Some("encoded_text"),
            Self::Image(_) => Some("image"),
            Self::ImagePointer(_) => Some("image_asset_pointer"),
            Self::Dmel(_) => Some("dmel"),
            Self::Unknown { .. } => None,
        }
    }
}

impl Dmel {
    /// First dimension of the container: an optional byte 254, a dtype byte, then LEB128 numbers `ndim, dims...`.
    fn length(&self) -> Result<usize, InvalidValue> {
        let malformed = || InvalidValue::new("dmel", "has no readable container header");
        let mut bytes = self
            .dmel
            .iter()
            .copied()
            .skip(usize::from(self.dmel.first() == Some(&254)));
        if bytes.next().is_none_or(|dtype| dtype > 7) {
            return Err(malformed());
        }
        let mut number = || {
            let mut value = 0_usize;
            for shift in (0..usize::BITS).step_by(7) {
                let byte = bytes.next()?;
                value |= usize::from(byte & 0x7f).checked_shl(shift)?;
                if byte & 0x80 == 0 {
                    return Some(value);
                }
            }
            None
        };
        match (number(), number()) {
            (Some(dimensions), Some(first)) if dimensions > 0 => Ok(first),
            _ => Err(malformed()),
        }
    }
}

impl Serialize for Chunk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Tagged<'a, T> {
            #[serde(flatten)]
            fields: &'a T,
            #[serde(rename = "type")]
            tag: Option<&'static str>,
        }
        /// As [`Tagged`], at a third of its cost.
        #[derive(Serialize)]
        struct TaggedText<'a> {
            tokens: &'a [u32],
            r#type: Option<&'static str>,
        }
        let tag = self.tag();
        match self {
            Self::Text(text) => TaggedText {
                tokens: &text.tokens,
                r#type: tag,
            }
            .serialize(serializer),
            Self::Image(fields) => Tagged { fields, tag }.serialize(serializer),
            Self::ImagePointer(fields) => Tagged { fields, tag }.serialize(serializer),
            Self::Dmel(fields) => Tagged { fields, tag }.serialize(serializer),
            Self::Unknown { value, .. } => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Chunk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let tag = match value.get("type") {
            Some(Value::String(tag)) => tag.clone(),
            // Older clients leave the type of text out.
            None | Some(Value::Null) if value.get("tokens").is_some() => "encoded_text".to_owned(),
            _ => {
                return Err(D::Error::custom(
                    "a chunk needs a `type`, for example \"encoded_text\"",
                ));
            }
        };
        let known = match tag.as_str() {
            "encoded_text" => serde_json::from_value(value).map(Self::Text),
            "image" => serde_json::from_value(value).map(Self::Image),
            "image_asset_pointer" => serde_json::from_value(value).map(Self::ImagePointer),
            "dmel" => serde_json::from_value(value).map(Self::Dmel),
            _ => return Ok(Self::Unknown { tag, value }),
        };
        known.map_err(|cause| D::Error::custom(format!("malformed {tag} chunk: {cause}")))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Chunk {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Chunk".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let tagged = |tag: &str, fields: schemars::Schema| {
            schemars::json_schema!({
                "allOf": [fields, { "properties": { "type": { "const": tag } }, "required": ["type"] }]
            })
        };
        let forms = [
            tagged("encoded_text", generator.subschema_for::<EncodedText>()),
            tagged("image", generator.subschema_for::<Image>()),
            tagged(
                "image_asset_pointer",
                generator.subschema_for::<AssetPointer>(),
            ),
            tagged("dmel", generator.subschema_for::<Dmel>()),
        ];
        schemars::json_schema!({ "oneOf": forms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_known_chunk_is_an_error_and_an_unknown_one_is_kept() {
        assert!(serde_json::from_str::<Chunk>(r#"{"type":"encoded_text","tokens":"x"}"#).is_err());
        let newer = r#"{"fps":3,"type":"video"}"#;
        let chunk: Chunk = serde_json::from_str(newer).unwrap();
        assert!(matches!(&chunk, Chunk::Unknown { tag, .. } if tag == "video"));
        assert_eq!(serde_json::to_string(&chunk).unwrap(), newer);
    }

    #[test]
    fn text_is_written_as_the_official_client_writes_it() {
        let json = serde_json::to_string(&Chunk::text([1, 2, 3])).unwrap();
        assert_eq!(json, r#"{"tokens":[1,2,3],"type":"encoded_text"}"#);
    }

    #[test]
    fn tokens_without_a_type_are_text() {
        for json in [r#"{"tokens":[1,2]}"#, r#"{"tokens":[1,2],"type":null}"#] {
            let chunk: Chunk = serde_json::from_str(json).unwrap();
            assert_eq!(chunk, Chunk::text([1, 2]));
        }
        for json in [r#"{"data":"QQ=="}"#, r#"{"tokens":[1],"type":3}"#] {
            assert!(serde_json::from_str::<Chunk>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn audio_length_is_the_first_dimension() {
        let header = Dmel {
            dmel: vec![254, 3, 2, 0x80, 0x01, 80],
        };
        assert_eq!(Chunk::Dmel(header).length().unwrap(), 128);
        assert!(Chunk::Dmel(Dmel { dmel: vec![254] }).length().is_err());
    }
}
