//! Rotary settings of `config.json`: `rope_theta`, `rope_scaling`, and the newer `rope_parameters`.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::error::FolderError;
use crate::model::RopeScaling;

/// Base of the rotary frequencies where a file has none, as in `transformers`.
const THETA: f64 = 10_000.0;

/// The fields of a file that determine the rotary frequencies.
pub(super) struct RopeFields<'a> {
    pub(super) path: &'a Path,
    pub(super) theta: Option<f64>,
    pub(super) scaling: Option<&'a Value>,
    pub(super) parameters: Option<&'a Value>,
    /// The context of the model.
    pub(super) context: usize,
}

/// `rope_scaling` or `rope_parameters`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    rope_type: Option<String>,
    /// The older name of `rope_type`.
    r#type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<usize>,
    partial_rotary_factor: Option<f64>,
}

impl RopeFields<'_> {
    /// Base and scaling of the rotary frequencies.
    pub(super) fn read(&self) -> Result<(f64, RopeScaling), FolderError> {
        let (name, value) = match (self.scaling, self.parameters) {
            (None, None) => return Ok((self.theta.unwrap_or(THETA), RopeScaling::None)),
            (Some(_), Some(_)) => {
                return Err(self.refuse(
                    "has both rope_scaling and rope_parameters; keep the one that is meant"
                        .to_owned(),
                ));
            }
            (Some(scaling), None) => ("rope_scaling", scaling),
            (None, Some(parameters)) => ("rope_parameters", parameters),
        };
        let value = self.flat(name, value)?;
        let rope: Settings = serde_json::from_value(without_nulls(value)).map_err(|error| {
            FolderError::new(self.path, format!("field {name} is not usable")).because(error)
        })?;
        if rope
            .partial_rotary_factor
            .is_some_and(|part| (part - 1.0).abs() > f64::EPSILON)
        {
            return Err(self.refuse(format!(
                "{name}.partial_rotary_factor is not 1; only rotary embeddings of whole heads are supported"
            )));
        }
        let theta = rope.rope_theta.or(self.theta).unwrap_or(THETA);
        Ok((theta, self.scaling(name, &rope)?))
    }

    /// The settings themselves, where a file has them once for each kind of layer.
    fn flat<'v>(&self, name: &str, value: &'v Value) -> Result<&'v Value, FolderError> {
        let Some(fields) = value.as_object() else {
            return Err(self.refuse(format!("field {name} is not usable: it is not an object")));
        };
        if !fields.values().any(Value::is_object) {
            return Ok(value);
        }
        let Some(full) = fields.get("full_attention") else {
            return Err(self.refuse(format!("{name} has no full_attention")));
        };
        match fields.iter().find(|(_, other)| !other.is_null() && *other != full) {
            None => Ok(full),
            Some((kind, _)) => Err(self.refuse(format!(
                "{name}.{kind} differs from {name}.full_attention; layers with different rotary embeddings are not \
                 supported"
            ))),
        }
    }

    fn scaling(&self, name: &str, rope: &Settings) -> Result<RopeScaling, FolderError> {
        let needs = |field: &str, value: Option<f64>| {
            value.ok_or_else(|| self.refuse(format!("{name} has no {field}")))
        };
        match rope.rope_type.as_deref().or(rope.r#type.as_deref()) {
            None if rope.factor.is_some() => {
                Err(self.refuse(format!("{name} has a factor but no rope_type")))
            }
            None | Some("default") => Ok(RopeScaling::None),
            Some("linear") => Ok(RopeScaling::Linear {
                factor: needs("factor", rope.factor)?,
            }),
            Some("llama3") => Ok(RopeScaling::Llama3 {
                factor: needs("factor", rope.factor)?,
                low_freq_factor: needs("low_freq_factor", rope.low_freq_factor)?,
                high_freq_factor: needs("high_freq_factor", rope.high_freq_factor)?,
                original_max_position_embeddings: rope
                    .original_max_position_embeddings
                    .unwrap_or(self.context),
            }),
            Some(other) => Err(self.refuse(format!(
                "rope scaling {other:?} is not supported; default, linear and llama3 are"
            ))),
        }
    }

    fn refuse(&self, what: String) -> FolderError {
        FolderError::new(self.path, what)
    }
}

/// The fields that are set.
fn without_nulls(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    value
}
