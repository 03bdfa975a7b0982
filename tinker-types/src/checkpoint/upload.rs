//! Upload of an adapter that was trained elsewhere. The messages follow the published reference of newer versions of the
//! API; they were not recorded.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_with::{serde_as, skip_serializing_none};

use crate::time::Iso8601;
use crate::wire::endpoint;
use crate::{CheckpointPath, LoraConfig};

/// Starts the upload of an adapter. Then each file is sent to its URL, and [`FinishWeightsUpload`] ends it.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StartWeightsUpload {
    /// Name of the base model.
    pub base_model: String,
    /// Shape of the adapter.
    pub lora_config: LoraConfig,
    /// Project that will own the checkpoint.
    #[serde(default)]
    pub destination_project_id: Option<String>,
}

impl StartWeightsUpload {
    /// An upload into the default project.
    pub fn new(base_model: &str, lora_config: LoraConfig) -> Self {
        Self {
            base_model: base_model.to_owned(),
            lora_config,
            destination_project_id: None,
        }
    }
}

endpoint!(StartWeightsUpload => WeightsUpload, "external_weights_upload_start");

/// A started upload.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WeightsUpload {
    /// Id of the upload.
    pub upload_id: String,
    /// Place of each file, by its name: those that an external checkpoint of this shape has.
    pub urls: BTreeMap<String, UploadUrl>,
    /// Time at which the URLs expire.
    #[serde_as(as = "Iso8601")]
    pub expires: Timestamp,
}

impl WeightsUpload {
    /// An upload whose URLs expire at `expires`.
    pub fn new(upload_id: String, urls: BTreeMap<String, UploadUrl>, expires: Timestamp) -> Self {
        Self {
            upload_id,
            urls,
            expires,
        }
    }
}

/// Place to which a file is sent with `PUT`, with exactly these headers and without the API key. Older servers send the
/// URL alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct UploadUrl {
    /// Signed URL. Treat it as a secret.
    pub url: String,
    /// Headers of the request.
    pub headers: BTreeMap<String, String>,
}

impl UploadUrl {
    /// A URL without headers.
    pub fn new(url: String) -> Self {
        Self {
            url,
            headers: BTreeMap::new(),
        }
    }
}

impl<'de> Deserialize<'de> for UploadUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Url(String),
            WithHeaders {
                url: String,
                #[serde(default)]
                headers: Option<BTreeMap<String, String>>,
            },
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Url(url) => Self::new(url),
            Form::WithHeaders { url, headers } => Self {
                url,
                headers: headers.unwrap_or_default(),
            },
        })
    }
}

/// Ends an upload whose files have been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FinishWeightsUpload {
    /// Id of the upload.
    pub upload_id: String,
}

impl FinishWeightsUpload {
    /// Ends this upload.
    pub fn new(upload_id: &str) -> Self {
        Self {
            upload_id: upload_id.to_owned(),
        }
    }
}

endpoint!(FinishWeightsUpload => WeightsUploaded, "external_weights_upload_finish");

/// A finished upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct WeightsUploaded {
    /// Address of the checkpoint.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub tinker_path: CheckpointPath,
}

impl WeightsUploaded {
    /// The response for a checkpoint.
    pub fn new(tinker_path: CheckpointPath) -> Self {
        Self { tinker_path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_url_are_read() {
        let read = |urls: &str| {
            let text =
                format!(r#"{{"upload_id":"u","urls":{urls},"expires":"2026-11-30T01:02:03Z"}}"#);
            serde_json::from_str::<WeightsUpload>(&text).unwrap().urls
        };
        let text = read(r#"{"f":"http://x/f"}"#);
        assert_eq!(text["f"], UploadUrl::new("http://x/f".to_owned()));
        let headed = read(r#"{"f":{"url":"http://x/f","headers":{"a":"b"}},"g":{"url":"y"}}"#);
        assert_eq!(headed["f"].headers["a"], "b");
        assert!(headed["g"].headers.is_empty());
    }
}
