//! JSON form of tensors.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;

use super::{DType, Elements, TensorData};
use crate::InvalidValue;

/// A tensor as it stands in JSON.
#[serde_with::skip_serializing_none]
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Json {
    data: Vec<Number>,
    dtype: DType,
    shape: Option<Vec<usize>>,
    sparse_crow_indices: Option<Vec<i64>>,
    sparse_col_indices: Option<Vec<i64>>,
}

impl Serialize for TensorData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Json::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TensorData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Json::deserialize(deserializer)?
            .try_into()
            .map_err(D::Error::custom)
    }
}

impl TryFrom<Json> for TensorData {
    type Error = InvalidValue;

    fn try_from(json: Json) -> Result<Self, InvalidValue> {
        let elements = match json.dtype {
            DType::Float32 => {
                let values = json
                    .data
                    .iter()
                    .map(|n| n.as_f64().unwrap_or(f64::NAN) as f32);
                Elements::Float32(values.collect())
            }
            DType::Int64 => {
                let whole = |(at, n): (usize, &Number)| {
                    let refuse = || {
                        InvalidValue::new(
                            format!("data[{at}]"),
                            format!("is {n}, not a 64-bit integer"),
                        )
                    };
                    n.as_i64().ok_or_else(refuse)
                };
                Elements::Int64(
                    json.data
                        .iter()
                        .enumerate()
                        .map(whole)
                        .collect::<Result<_, _>>()?,
                )
            }
        };
        match (
            json.sparse_crow_indices,
            json.sparse_col_indices,
            json.shape,
        ) {
            (None, None, None) => Ok(Self::dense(elements)),
            (None, None, Some(shape)) => Self::dense(elements).with_shape(shape),
            (Some(rows), Some(columns), Some(shape)) => {
                let shape = <[usize; 2]>::try_from(shape).map_err(|shape| {
                    InvalidValue::new("shape", format!("{shape:?} of a sparse tensor is not 2-D"))
                })?;
                Self::csr(elements, rows, columns, shape)
            }
            _ => Err(InvalidValue::new(
                "",
                "a sparse tensor needs sparse_crow_indices, sparse_col_indices and shape",
            )),
        }
    }
}

impl From<TensorData> for Json {
    fn from(tensor: TensorData) -> Self {
        let dtype = tensor.dtype();
        let data = match &tensor.elements {
            Elements::Int64(values) => values.iter().map(|&v| Number::from(v)).collect(),
            // JSON has no NaN, and senders validate their numbers, so no null occurs here.
            Elements::Float32(values) => values
                .iter()
                .map(|&v| Number::from_f64(f64::from(v)).unwrap_or_else(|| Number::from(0)))
                .collect(),
        };
        let (rows, columns) = match tensor.csr {
            Some(csr) => (Some(csr.rows.to_vec()), Some(csr.columns.to_vec())),
            None => (None, None),
        };
        Self {
            data,
            dtype,
            shape: tensor.shape,
            sparse_crow_indices: rows,
            sparse_col_indices: columns,
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for TensorData {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TensorData".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Json::json_schema(generator)
    }
}
