//! Training requests that are too long to be recorded in full.

use serde_json::Value;
use tinker_types::{Datum, Elements, ForwardBackward, Loss, LossFn, ModelInput, TensorData, proto};

/// Rebuilds the request from its first datum and the number of datums, which are all equal in such
/// recordings. The recorded size confirms it.
pub(crate) fn restored(decoded: &Value, size: usize) -> Result<ForwardBackward, String> {
    let count = decoded["num_datums"].as_u64().unwrap_or(0) as usize;
    let datum = datum(&decoded["data"][0])?;
    let loss = Loss::new(LossFn::from_name(text(decoded, "loss_fn")?));
    let seq_id = decoded["seq_id"].as_u64().unwrap_or(0);
    let pass = ForwardBackward::new(
        text(decoded, "model_id")?.into(),
        seq_id,
        vec![datum; count],
        loss,
    )
    .with_forward_only(decoded["forward_only"] == true);
    let restored = proto::encode_request(&pass).map_err(|error| error.to_string())?;
    if restored.len() == size {
        return Ok(pass);
    }
    let made = restored.len();
    Err(format!(
        "{count} times the first datum makes {made} bytes, recorded are {size}"
    ))
}

fn datum(decoded: &Value) -> Result<Datum, String> {
    let tokens = &decoded["model_input"][0]["encoded_text"]["tokens(int32)"];
    let tokens: Vec<u32> = read(tokens)?;
    let mut datum = Datum::new(ModelInput::from_tokens(tokens));
    let inputs = decoded["loss_fn_inputs"].as_object();
    for (name, input) in inputs.into_iter().flatten() {
        let elements = match text(input, "dtype")? {
            "DTYPE_INT64" => Elements::Int64(read::<Vec<i64>>(&input["dense"])?.into()),
            "DTYPE_FLOAT32" => Elements::Float32(read::<Vec<f32>>(&input["dense"])?.into()),
            other => return Err(format!("a tensor of {other} in a long request")),
        };
        let shape: Vec<usize> = read(&input["shape"])?;
        let tensor = TensorData::dense(elements).with_shape(shape);
        datum = datum.with_input(name, tensor.map_err(|error| error.to_string())?);
    }
    Ok(datum)
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|error| format!("{value}: {error}"))
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    value[key].as_str().ok_or_else(|| format!("no {key}"))
}
