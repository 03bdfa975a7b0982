//! Adapters and their optimizer state as safetensors files.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use tinker_engine::backend::{NamedTensor, OptimizerState};

const FIRST: &str = "exp_avg";
const SECOND: &str = "exp_avg_sq";
const STEP: &str = "step";

/// Encodes the weights.
pub(super) fn encode_adapter(tensors: &[NamedTensor]) -> Result<Vec<u8>, String> {
    let views = tensors
        .iter()
        .map(|tensor| Ok((tensor.name.clone(), view(&tensor.shape, &tensor.data)?)));
    let views = views.collect::<Result<Vec<_>, String>>()?;
    let info = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(info)).map_err(|e| e.to_string())
}

/// Encodes the optimizer's moments. Each array has the name and shape of its weight.
pub(super) fn encode_optimizer(
    tensors: &[NamedTensor],
    optimizer: &OptimizerState,
) -> Result<Vec<u8>, String> {
    let mut views = Vec::with_capacity(tensors.len() * 2);
    for (kind, arrays) in [(FIRST, &optimizer.first), (SECOND, &optimizer.second)] {
        if arrays.len() != tensors.len() {
            return Err(format!(
                "the optimizer has {} arrays for {} weights",
                arrays.len(),
                tensors.len()
            ));
        }
        for (tensor, array) in tensors.iter().zip(arrays) {
            views.push((
                format!("{}.{kind}", tensor.name),
                view(&tensor.shape, array)?,
            ));
        }
    }
    let info = HashMap::from([(STEP.to_owned(), optimizer.step.to_string())]);
    safetensors::serialize(views, Some(info)).map_err(|e| e.to_string())
}

fn view<'a>(shape: &[usize], data: &'a [f32]) -> Result<TensorView<'a>, String> {
    TensorView::new(Dtype::F32, shape.to_vec(), bytemuck::cast_slice(data))
        .map_err(|e| e.to_string())
}

/// Decodes weights, sorted by name.
pub(super) fn decode_adapter(bytes: &[u8], file: &Path) -> Result<Vec<NamedTensor>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut tensors = file.tensors();
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let read = |(name, view): (String, TensorView<'_>)| {
        let data = floats(&name, &view)?;
        Ok(NamedTensor {
            name,
            shape: view.shape().to_vec(),
            data,
        })
    };
    tensors.into_iter().map(read).collect()
}

/// Decodes the optimizer's moments, in the order of `tensors`.
pub(super) fn decode_optimizer(
    bytes: &[u8],
    tensors: &[NamedTensor],
    file: &Path,
) -> Result<OptimizerState, String> {
    let damaged = |e: &dyn std::fmt::Display| format!("{}: {e}", file.display());
    let arrays = SafeTensors::deserialize(bytes).map_err(|e| damaged(&e))?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(&e))?;
    let step = header
        .metadata()
        .as_ref()
        .and_then(|info| info.get(STEP)?.parse().ok());
    let step = step.ok_or_else(|| damaged(&"the step count is missing"))?;
    let moments = |kind: &str| {
        let array = |tensor: &NamedTensor| {
            let name = format!("{}.{kind}", tensor.name);
            let view = arrays.tensor(&name).map_err(|e| damaged(&e))?;
            if view.shape() != tensor.shape {
                return Err(damaged(&format!(
                    "{name} has shape {:?}, its weight {:?}",
                    view.shape(),
                    tensor.shape
                )));
            }
            floats(&name, &view)
        };
        tensors
            .iter()
            .map(array)
            .collect::<Result<Vec<_>, String>>()
    };
    Ok(OptimizerState {
        step,
        first: moments(FIRST)?,
        second: moments(SECOND)?,
    })
}

fn floats(name: &str, view: &TensorView<'_>) -> Result<Arc<[f32]>, String> {
    let (halves, _) = view.data().as_chunks::<2>();
    match view.dtype() {
        Dtype::F32 => Ok(bytemuck::allocation::pod_collect_to_vec(view.data()).into()),
        Dtype::BF16 => Ok(halves
            .iter()
            .map(|x| bf16::from_le_bytes(*x).to_f32())
            .collect()),
        Dtype::F16 => Ok(halves
            .iter()
            .map(|x| f16::from_le_bytes(*x).to_f32())
            .collect()),
        other => Err(format!("{name} is {other:?}, must be F32, BF16 or F16")),
    }
}
