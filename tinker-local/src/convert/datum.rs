//! Conversion of training data.

use tinker_engine::backend::{BaseModelInfo, LossKind, TrainBatch, TrainDatum};
use tinker_types::{DType, Datum, Elements, InvalidValue, TensorData};

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
    if data.is_empty() {
        return Err(InvalidValue::new(
            "data",
            "is empty; give at least one datum",
        ));
    }
    let mut room = MOST_CELLS;
    let convert = |(index, datum): (usize, &Datum)| {
        convert(datum, &mut room).map_err(|e| e.within(format!("data[{index}]")))
    };
    data.iter().enumerate().map(convert).collect()
}

/// Converts input and targets only: an uploaded loss reads its other inputs itself.
pub(super) fn convert_bare(
    datum: &Datum,
    model: &BaseModelInfo,
    room: &mut usize,
) -> Result<TrainDatum, InvalidValue> {
    let (inputs, tokens) = Inputs::of(datum, model)?;
    inputs.with_targets(tokens, model, room)
}

pub(super) fn convert(
    datum: &Datum,
    loss: LossKind,
    model: &BaseModelInfo,
    room: &mut usize,
) -> Result<TrainDatum, InvalidValue> {
    let (inputs, tokens) = Inputs::of(datum, model)?;
    inputs.check_names(loss)?;
    let mut converted = inputs.with_targets(tokens, model, room)?;
    let width = converted.targets_per_position;
    if loss == LossKind::CrossEntropy {
        converted.weights = Some(inputs.weights(width)?);
        return Ok(converted);
    }
    if width != 1 {
        let why = format!(
            "has {width} targets for each position; only cross_entropy takes more than one"
        );
        return Err(InvalidValue::new("loss_fn_inputs.target_tokens", why));
    }
    let advantages = inputs.required("advantages", |_| true)?;
    // Positions with advantage 0 are not computed; their log probabilities may be anything.
    converted.logprobs = Some(inputs.required("logprobs", |at| advantages[at] != 0.0)?);
    converted.advantages = Some(advantages);
    if is_clipped(loss) {
        converted.clip_low = inputs.optional("clip_low_threshold")?;
        converted.clip_high = inputs.optional("clip_high_threshold")?;
    }
    Ok(converted)
}

fn is_clipped(loss: LossKind) -> bool {
    matches!(loss, LossKind::Ppo { .. } | LossKind::Cispo { .. })
}

/// The arrays of one datum.
pub(super) struct Inputs<'a> {
    pub(super) datum: &'a Datum,
    pub(super) positions: usize,
}

impl<'a> Inputs<'a> {
    /// The arrays of a datum, and its tokens.
    fn of(datum: &'a Datum, model: &BaseModelInfo) -> Result<(Self, Vec<u32>), InvalidValue> {
        datum.check_provenance()?;
        let tokens = input::tokens(&datum.model_input, model);
        let tokens = tokens.map_err(|e| e.within("model_input"))?;
        let positions = tokens.len();
        Ok((Self { datum, positions }, tokens))
    }

    /// Refuses unknown arrays: a misspelt one would be ignored silently. Arrays of other losses are allowed, so that the
    /// same data can be used with several losses.
    fn check_names(&self, loss: LossKind) -> Result<(), InvalidValue> {
        const KNOWN: [&str; 7] = [
            "target_tokens",
            "weights",
            "logprobs",
            "advantages",
            "clip_low_threshold",
            "clip_high_threshold",
            "sequence_ratio_mask",
        ];
        let unknown = self
            .datum
            .loss_fn_inputs
            .keys()
            .find(|name| !KNOWN.contains(&name.as_str()));
        let Some(name) = unknown else { return Ok(()) };
        let takes = match loss {
            LossKind::CrossEntropy => "target_tokens and weights",
            LossKind::ImportanceSampling | LossKind::Dro { .. } => {
                "target_tokens, logprobs and advantages"
            }
            LossKind::Ppo { .. } | LossKind::Cispo { .. } => {
                "target_tokens, logprobs, advantages, and if wanted clip_low_threshold and clip_high_threshold"
            }
        };
        Err(InvalidValue::new(
            format!("loss_fn_inputs.{name}"),
            format!("is not known; this loss takes {takes}"),
        ))
    }

    /// The training datum of tokens and targets.
    fn with_targets(
        &self,
        tokens: Vec<u32>,
        model: &BaseModelInfo,
        room: &mut usize,
    ) -> Result<TrainDatum, InvalidValue> {
        let within = |e: InvalidValue| e.within("loss_fn_inputs.target_tokens");
        let Some(tensor) = self.datum.loss_fn_inputs.get("target_tokens") else {
            return Err(within(InvalidValue::new(
                "",
                "is missing; every loss needs it",
            )));
        };
        check_dtype(tensor, DType::Int64).map_err(within)?;
        let width = self.width(tensor).map_err(within)?;
        if width == 0 || width > model.vocab_size {
            let why = format!(
                "has {width} targets for each position; give 1 to {}",
                model.vocab_size
            );
            return Err(within(InvalidValue::new("", why)));
        }
        let cells = self.positions * width;
        *room = room.checked_sub(cells).ok_or_else(|| {
            let why = format!("makes more than {MOST_CELLS} target cells in one request; give fewer data at a time");
            within(InvalidValue::new("", why))
        })?;
        let Elements::Int64(ids) = tensor.to_dense().elements().clone() else {
            return Err(within(InvalidValue::new("", "is float32, must be int64")));
        };
        let id = |(at, &id): (usize, &i64)| match u32::try_from(id) {
            Ok(token) if (token as usize) < model.vocab_size => Ok(token),
            _ => Err(within(input::outside(at, id, model))),
        };
        Ok(TrainDatum {
            tokens,
            targets: ids.iter().enumerate().map(id).collect::<Result<_, _>>()?,
            targets_per_position: width,
            ..TrainDatum::default()
        })
    }

    /// Cells of each position: the second dimension, or 1 for a vector.
    fn width(&self, tensor: &TensorData) -> Result<usize, InvalidValue> {
        let (rows, width) = match tensor.shape() {
            Some([rows, width]) => (*rows, *width),
            Some([_, _, ..]) => {
                let shape = tensor.shape().unwrap_or_default();
                return Err(InvalidValue::new(
                    "",
                    format!("has shape {shape:?}; give [T] or [T, K]"),
                ));
            }
            _ => (tensor.cells(), 1),
        };
        if rows != self.positions {
            let why = format!(
                "has {rows} positions for {} input tokens; give one for each",
                self.positions
            );
            return Err(InvalidValue::new("", why));
        }
        Ok(width)
    }

    fn weights(&self, width: usize) -> Result<Vec<f32>, InvalidValue> {
        let targets = self.datum.loss_fn_inputs.get("target_tokens");
        match self.floats("weights", width, |_| true)? {
            Some(weights) => Ok(weights),
            None if targets.is_some_and(TensorData::is_sparse) => Err(InvalidValue::new(
                "loss_fn_inputs.weights",
                "is missing; sparse target_tokens need it in the same layout",
            )),
            None => Ok(vec![1.0; self.positions * width]),
        }
    }

    pub(super) fn required(
        &self,
        name: &str,
        matters: impl Fn(usize) -> bool,
    ) -> Result<Vec<f32>, InvalidValue> {
        let missing = || {
            InvalidValue::new(
                format!("loss_fn_inputs.{name}"),
                "is missing; this loss needs it",
            )
        };
        self.floats(name, 1, matters)?.ok_or_else(missing)
    }

    pub(super) fn optional(&self, name: &str) -> Result<Option<Vec<f32>>, InvalidValue> {
        self.floats(name, 1, |_| true)
    }

    /// Numbers of the array, which must be finite where they matter.
    fn floats(
        &self,
        name: &str,
        width: usize,
        matters: impl Fn(usize) -> bool,
    ) -> Result<Option<Vec<f32>>, InvalidValue> {
        let Some(tensor) = self.datum.loss_fn_inputs.get(name) else {
            return Ok(None);
        };
        let within = |e: InvalidValue| e.within(format!("loss_fn_inputs.{name}"));
        check_dtype(tensor, DType::Float32).map_err(within)?;
        let have = self.width(tensor).map_err(within)?;
        if have != width {
            return Err(within(InvalidValue::new(
                "",
                format!("has {have} values for each position, the targets have {width}"),
            )));
        }
        let Elements::Float32(values) = tensor.to_dense().elements().clone() else {
            return Err(within(InvalidValue::new("", "is int64, must be float32")));
        };
        if let Some(at) = (0..values.len()).find(|&at| !values[at].is_finite() && matters(at)) {
            return Err(within(InvalidValue::new(
                format!("[{at}]"),
                format!("is {}; losses take finite numbers", values[at]),
            )));
        }
        Ok(Some(values.to_vec()))
    }
}

fn check_dtype(tensor: &TensorData, want: DType) -> Result<(), InvalidValue> {
    let have = tensor.dtype();
    if have == want {
        return Ok(());
    }
    Err(InvalidValue::new(
        "",
        format!("is {have:?}, must be {want:?}").to_lowercase(),
    ))
}

#[cfg(test)]
mod tests;
