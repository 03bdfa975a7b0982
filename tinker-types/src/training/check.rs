//! Checks of losses and their data.
//!
//! A client checks before it sends, and a server before it computes, with the same functions.

use crate::error::each;
use crate::{Chunk, Datum, Elements, InvalidValue, Loss, LossFn, LossInput, LossValue, TensorData};

/// Rounding can put a log probability above 0.
const ROUNDING: f32 = 1e-3;

const TARGETS: &str = "target_tokens";
const WEIGHTS: &str = "weights";

/// Arrays of the losses. Data may have those of other losses, so that they can be used with several.
const KNOWN: [&str; 7] = [
    TARGETS,
    WEIGHTS,
    "logprobs",
    "advantages",
    "clip_low_threshold",
    "clip_high_threshold",
    "sequence_ratio_mask",
];

impl Loss {
    /// Validates the constants and the data, as far as possible without the model. Inputs are present and can be
    /// trained on; loss inputs are known, present, and have the right type and shape; numbers are finite, target ids
    /// are not negative, log probabilities of samples not positive.
    ///
    /// A loss of a name that this version does not know, [`LossFn::Other`], may have any constants and inputs.
    ///
    /// # Errors
    /// The first fault, with the field, the cause and the fix.
    pub fn check(&self, data: &[Datum]) -> Result<(), InvalidValue> {
        self.check_constants()?;
        if data.is_empty() {
            let why = "is empty; give at least one datum";
            return Err(InvalidValue::new("data", why));
        }
        each(data, "data", |datum| self.check_datum(datum))
    }

    /// Validates the constants: names, types and ranges.
    ///
    /// # Errors
    /// The first invalid constant, with the cause and the fix.
    pub fn check_constants(&self) -> Result<(), InvalidValue> {
        let names: &[&str] = match self.name {
            LossFn::CrossEntropy | LossFn::ImportanceSampling => &[],
            LossFn::Ppo | LossFn::Cispo | LossFn::Gspo => {
                &["clip_low_threshold", "clip_high_threshold"]
            }
            LossFn::Dro => &["beta"],
            LossFn::Custom => return self.check_custom(),
            LossFn::StableReinforce | LossFn::Other(_) => return Ok(()),
        };
        for (key, value) in &self.config {
            let refuse = |why: String| Err(InvalidValue::new(place(key), why));
            if !names.contains(&key.as_str()) {
                let takes = match names {
                    [] => "no constants".to_owned(),
                    names => names.join(" and "),
                };
                let loss = self.name.as_str();
                return refuse(format!("is not known; {loss} takes {takes}"));
            }
            match value {
                LossValue::Number(number) if number.is_finite() => {}
                LossValue::Number(number) => {
                    return refuse(format!("is {number}; give a finite number"));
                }
                LossValue::Text(_) => return refuse("is a text; give a number".to_owned()),
            }
        }
        let (low, high) = (
            self.number("clip_low_threshold"),
            self.number("clip_high_threshold"),
        );
        if low.or(high).is_some_and(|bound| bound < 0.0)
            || low.zip(high).is_some_and(|(low, high)| low > high)
        {
            let [low, high] = [low, high]
                .map(|bound| bound.map_or("default".to_owned(), |bound| bound.to_string()));
            let why = format!(
                "{low} to {high} is not a range of ratios; give 0 <= low <= high, bounds of the ratio itself"
            );
            return Err(InvalidValue::new(place("clip_low_threshold"), why));
        }
        if let Some(beta) = self.number("beta").filter(|beta| *beta < 0.0) {
            return Err(InvalidValue::new(
                place("beta"),
                format!("is {beta}; it is 0 or more"),
            ));
        }
        Ok(())
    }

    /// The constant of this name, if it is a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.config.get(name) {
            Some(LossValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    fn check_custom(&self) -> Result<(), InvalidValue> {
        match self.config.get("loss_id") {
            Some(LossValue::Text(_)) if self.config.len() == 1 => Ok(()),
            Some(LossValue::Text(_)) => Err(InvalidValue::new(
                "loss_fn_config",
                "has more than loss_id, which is all that custom takes",
            )),
            _ => Err(InvalidValue::new(
                place("loss_id"),
                "is missing; upload a loss with create_custom_loss and give its id",
            )),
        }
    }

    /// Validates one datum, see [`check`](Self::check).
    ///
    /// # Errors
    /// The first fault, with the field, the cause and the fix.
    pub fn check_datum(&self, datum: &Datum) -> Result<(), InvalidValue> {
        let chunks = &datum.model_input.chunks;
        if chunks
            .iter()
            .all(|chunk| chunk.length().is_ok_and(|n| n == 0))
        {
            let why = "is empty; a datum needs at least one input token, and a completion at least one token";
            return Err(InvalidValue::new("model_input", why));
        }
        each::<_, _, ()>(chunks, "model_input.chunks", Chunk::check_trainable)?;
        datum.check_provenance()?;
        if self.name == LossFn::StableReinforce && datum.model_input_spans.is_empty() {
            let why = "is missing; stable_reinforce requires the provenance of tokens, see Datum::with_provenance_of";
            return Err(InvalidValue::new("model_input_spans", why));
        }
        let Some(required) = self.name.required_inputs() else {
            return Ok(());
        };
        if self.name != LossFn::Custom {
            self.check_names(datum)?;
        }
        for input in required {
            self.check_input(datum, *input, true)?;
        }
        for input in self.name.optional_inputs() {
            self.check_input(datum, *input, false)?;
        }
        self.check_width(datum)
    }

    /// Refuses unknown arrays: a misspelt one would have no effect.
    fn check_names(&self, datum: &Datum) -> Result<(), InvalidValue> {
        let mut names = datum.loss_fn_inputs.keys();
        let Some(name) = names.find(|name| !KNOWN.contains(&name.as_str())) else {
            return Ok(());
        };
        let is_mask = name == "mask";
        let why = match &self.name {
            LossFn::CrossEntropy if is_mask => {
                "is not known; leave targets out by the weight 0 in weights".to_owned()
            }
            _ if is_mask => {
                "is not known; targets with the advantage 0 are left out, so multiply advantages by the mask"
                    .to_owned()
            }
            loss => {
                let names = |inputs: &[LossInput]| -> Vec<&str> {
                    inputs.iter().map(|input| input.name).collect()
                };
                let mut takes = names(loss.required_inputs().unwrap_or_default()).join(", ");
                let optional = names(loss.optional_inputs()).join(", ");
                if !optional.is_empty() {
                    takes = format!("{takes}, and optionally {optional}");
                }
                format!("is not known; {} takes {takes}", loss.as_str())
            }
        };
        Err(InvalidValue::new(format!("loss_fn_inputs.{name}"), why))
    }

    fn check_input(
        &self,
        datum: &Datum,
        input: LossInput,
        is_required: bool,
    ) -> Result<(), InvalidValue> {
        let refuse = |why: String| {
            let place = format!("loss_fn_inputs.{}", input.name);
            Err(InvalidValue::new(place, why))
        };
        let Some(tensor) = datum.loss_fn_inputs.get(input.name) else {
            if is_required {
                return refuse(format!("is missing; {} needs it", self.name.as_str()));
            }
            return Ok(());
        };
        if tensor.dtype() != input.dtype {
            let (have, want) = (tensor.dtype(), input.dtype);
            return refuse(format!("is {have:?}, must be {want:?}").to_lowercase());
        }
        // Only the server may know the length of an image.
        if let Ok(positions) = datum.model_input.length() {
            let rows = tensor.positions();
            if rows != positions {
                return refuse(format!(
                    "has {rows} positions for {positions} input tokens; give one for each"
                ));
            }
        }
        let values = width(tensor);
        if values != 1 && !matches!(input.name, TARGETS | WEIGHTS) {
            return refuse(format!("has {values} values for each position; give one"));
        }
        // Targets with the advantage 0 are not computed; their log probabilities may be anything.
        let advantages = datum.advantages();
        let matters = |at: usize| {
            input.name != "logprobs"
                || advantages
                    .and_then(|all| all.get(at))
                    .is_none_or(|advantage| *advantage != 0.0)
        };
        check_numbers(tensor, input.name, matters)
            .map_err(|error| error.within(format!("loss_fn_inputs.{}", input.name)))
    }

    /// Checks the numbers of values at a position.
    fn check_width(&self, datum: &Datum) -> Result<(), InvalidValue> {
        let Some(targets) = datum.loss_fn_inputs.get(TARGETS) else {
            return Ok(());
        };
        let refuse =
            |name: &str, why: String| Err(InvalidValue::new(format!("loss_fn_inputs.{name}"), why));
        if targets.shape().is_some_and(|shape| shape.len() > 2) {
            let shape = targets.shape().unwrap_or_default();
            return refuse(TARGETS, format!("has shape {shape:?}; give [T] or [T, K]"));
        }
        let width = width(targets);
        let takes_several = matches!(self.name, LossFn::CrossEntropy | LossFn::Custom);
        if width != 1 && !takes_several {
            let why = format!(
                "has {width} targets for each position; only cross_entropy takes more than one"
            );
            return refuse(TARGETS, why);
        }
        if self.name != LossFn::CrossEntropy {
            return Ok(());
        }
        match datum.loss_fn_inputs.get(WEIGHTS) {
            None if targets.is_sparse() => refuse(
                WEIGHTS,
                "is missing; sparse target_tokens need it in the same layout".to_owned(),
            ),
            Some(weights) if self::width(weights) != width => {
                let have = self::width(weights);
                let why = format!("has {have} values for each position, the targets have {width}");
                refuse(WEIGHTS, why)
            }
            _ => Ok(()),
        }
    }
}

fn place(constant: &str) -> String {
    format!("loss_fn_config.{constant}")
}

/// Values at each position: the second dimension, or 1 for a vector.
fn width(tensor: &TensorData) -> usize {
    match tensor.shape() {
        Some([_, width]) => *width,
        _ => 1,
    }
}

/// Checks the numbers of an array, those at the positions that matter.
fn check_numbers(
    tensor: &TensorData,
    name: &str,
    matters: impl Fn(usize) -> bool,
) -> Result<(), InvalidValue> {
    let refuse = |at: usize, what: &dyn std::fmt::Display, why: &str| {
        let why = format!("is {what}; {why}");
        Err(InvalidValue::new(format!("[{at}]"), why))
    };
    match tensor.elements() {
        _ if are_plain(tensor.elements(), name) => Ok(()),
        Elements::Float32(values) => {
            let is_bad = |(at, value): (usize, &f32)| {
                let is_above = name == "logprobs" && *value > ROUNDING;
                (!value.is_finite() || is_above) && matters(at)
            };
            match values.iter().enumerate().position(is_bad) {
                None => Ok(()),
                Some(at) if values[at].is_finite() => {
                    refuse(at, &values[at], "a log probability is at most 0")
                }
                Some(at) => refuse(at, &values[at], "losses take finite numbers"),
            }
        }
        Elements::Int64(values) => {
            let is_bad = |value: &i64| *value < 0 || *value > i64::from(i32::MAX);
            match values.iter().position(is_bad) {
                None => Ok(()),
                Some(at) => {
                    let why = "token ids are not negative and fit 32 bits";
                    refuse(at, &values[at], why)
                }
            }
        }
    }
}

/// Whether no number needs a closer look. One pass without branches, which compiles to vector instructions: single bits
/// of all numbers decide.
fn are_plain(elements: &Elements, name: &str) -> bool {
    match elements {
        Elements::Float32(values) => {
            // Adding one to a full exponent, that of infinities and NaN, carries into the sign.
            let exponent = |value: &f32| (value.to_bits() & !(1 << 31)) + (1 << 23);
            let all = values.iter().fold(0, |all, value| all | exponent(value));
            let is_above = |value: &f32| u32::from(*value > ROUNDING);
            all >> 31 == 0
                && (name != "logprobs"
                    || values.iter().fold(0, |any, value| any | is_above(value)) == 0)
        }
        Elements::Int64(values) => {
            let all = values.iter().fold(0, |all, value| all | value);
            (0..=i64::from(i32::MAX)).contains(&all)
        }
    }
}

#[cfg(test)]
mod tests;
