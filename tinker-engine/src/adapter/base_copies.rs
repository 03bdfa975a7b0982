//! Base weights that an adapter file repeats: by default, peft writes those of an adapted head.

use std::borrow::Cow;

use crate::backend::{AdapterState, BackendError, NamedTensor};
use crate::kernels::Packed;
use crate::model::Model;

/// The adapter without copies of base weights.
///
/// # Errors
/// A base weight in the file differs from the model's: all adapters share the base model, and none changes it.
pub(crate) fn without_base_copies<'a>(
    model: &Model,
    state: &'a AdapterState,
) -> Result<Cow<'a, AdapterState>, BackendError> {
    let mut copies = Vec::new();
    for tensor in &state.tensors {
        let Some(own) = counterpart(model, &tensor.name) else {
            continue;
        };
        if !is_copy(tensor, own) {
            let name = &tensor.name;
            return Err(BackendError::user(format!(
                "the adapter's file holds {name}, which differs from the base model's; base weights can't be \
                 changed, so load it over the base it was trained on, and train without modules_to_save"
            )));
        }
        copies.push(tensor.name.as_str());
    }
    if copies.is_empty() || state.optimizer.is_some() {
        return Ok(Cow::Borrowed(state));
    }
    let mut own = state.clone();
    own.tensors
        .retain(|tensor| !copies.contains(&tensor.name.as_str()));
    Ok(Cow::Owned(own))
}

/// The base weight of this name.
fn counterpart<'a>(model: &'a Model, name: &str) -> Option<&'a Packed> {
    match name {
        "base_model.model.lm_head.base_layer.weight" | "base_model.model.lm_head.weight" => {
            Some(&model.head.backward)
        }
        "base_model.model.model.embed_tokens.weight" => Some(model.embedding()),
        _ => None,
    }
}

fn is_copy(tensor: &NamedTensor, own: &Packed) -> bool {
    let (rows, width) = (own.depth(), own.columns());
    let mut row = vec![0.0; width];
    tensor.shape == [rows, width]
        && tensor.data.len() == rows * width
        && tensor
            .data
            .chunks_exact(width)
            .enumerate()
            .all(|(at, values)| {
                own.copy_row(at, &mut row);
                values == row
            })
}
