//! Conversion of training data.

use tinker_engine::backend::{BaseModelInfo, LossKind, TrainBatch, TrainDatum};
use tinker_types::{Datum, InvalidValue};

use super::input;

/// Most target cells of one request. A sparse tensor can describe a huge matrix in a few bytes.
const MOST_CELLS: usize = 1 << 24;

/// The data of a training request, checked against the model.
pub(super) fn batch(
    data: &[Datum],
    loss: LossKind,
    forward_only: bool,
    model: &BaseModelInfo,
) -> Result<TrainBatch, InvalidValue> {
    let data = each(data, |datum, room| convert(datum, loss, model, room))?;
    Ok(TrainBatch {
        data,
        loss,
        forward_only,
    })
}

/// Converts every datum; errors name its index. The second argument of `convert` is the number of target cells that
/// are left.
pub(super) fn each<T>(
    data: &[Datum],
    mut convert: impl FnMut(&Datum, &mut usize) -> Result<T, InvalidValue>,
) -> Result<Vec<T>, InvalidValue> {
    let mut room = MOST_CELLS;
    let convert = |(index, datum): (usize, &Datum)| {
        convert(datum, &mut room).map_err(|e| e.within(format!("data[{index}]")))
    };
    data.iter().enumerate().map(convert).collect()
}

/// Converts a datum that was checked.
pub(super) fn convert(
    datum: &Datum,
    loss: LossKind,
    model: &BaseModelInfo,
    room: &mut usize,
) -> Result<TrainDatum, InvalidValue> {
    let mut converted = convert_bare(datum, model, room)?;
    if loss == LossKind::CrossEntropy {
        let ones = || vec![1.0; converted.targets.len()];
        converted.weights = Some(floats(datum, "weights").unwrap_or_else(ones));
        return Ok(converted);
    }
    converted.logprobs = floats(datum, "logprobs");
    converted.advantages = floats(datum, "advantages");
    if matches!(loss, LossKind::Ppo { .. } | LossKind::Cispo { .. }) {
        converted.clip_low = floats(datum, "clip_low_threshold");
        converted.clip_high = floats(datum, "clip_high_threshold");
    }
    Ok(converted)
}

/// Converts input and targets only: an uploaded loss reads its other inputs itself.
pub(super) fn convert_bare(
    datum: &Datum,
    model: &BaseModelInfo,
    room: &mut usize,
) -> Result<TrainDatum, InvalidValue> {
    let tokens = input::tokens(&datum.model_input, model).map_err(|e| e.within("model_input"))?;
    let within = |e: InvalidValue| e.within("loss_fn_inputs.target_tokens");
    let Some(targets) = datum.loss_fn_inputs.get("target_tokens") else {
        return Err(within(InvalidValue::new("", "is missing")));
    };
    let width = match targets.shape() {
        Some([_, width]) => *width,
        _ => 1,
    };
    if width == 0 || width > model.vocab_size {
        let why = format!(
            "has {width} targets for each position; give 1 to {}",
            model.vocab_size
        );
        return Err(within(InvalidValue::new("", why)));
    }
    *room = room.checked_sub(tokens.len() * width).ok_or_else(|| {
        let why = format!(
            "makes more than {MOST_CELLS} target cells in one request; give fewer data at a time"
        );
        within(InvalidValue::new("", why))
    })?;
    let dense = targets.to_dense();
    let id = |(at, &id): (usize, &i64)| match u32::try_from(id) {
        Ok(token) if (token as usize) < model.vocab_size => Ok(token),
        _ => Err(within(input::outside(at, id, model))),
    };
    let ids = dense.as_i64().unwrap_or_default();
    Ok(TrainDatum {
        tokens,
        targets: ids.iter().enumerate().map(id).collect::<Result<_, _>>()?,
        targets_per_position: width,
        ..TrainDatum::default()
    })
}

/// The numbers of an array.
pub(super) fn floats(datum: &Datum, name: &str) -> Option<Vec<f32>> {
    let dense = datum.loss_fn_inputs.get(name)?.to_dense();
    dense.as_f32().map(<[f32]>::to_vec)
}

#[cfg(test)]
mod tests;
