//! Examples that are encoded already.

use tinker_types::Datum;

use crate::dataset::error::ErrorKind;
use crate::dataset::example::Example;
use crate::dataset::fields::Fields;
use crate::dataset::notes::Notes;
use crate::dataset::value_error::ValueError;
use crate::json::Json;

/// The label of a token that is not learned, in data sets of Hugging Face.
const NOT_LEARNED: i64 = -100;

/// Reads a row with `tokens` and `weights`, with `input_ids` and `labels`, or the JSON of a datum.
///
/// Weights and labels have one element for each token: the weight of predicting that token. Without them every token is
/// learned.
pub(super) fn read(mut fields: Fields, notes: &mut Notes) -> Result<Example, ValueError> {
    if fields.has("model_input") {
        return datum(fields);
    }
    let key = if fields.has("tokens") {
        "tokens"
    } else {
        "input_ids"
    };
    let tokens = numbers(&mut fields, key, id)?;
    if tokens.len() < 2 {
        return Err(ValueError::new(
            ErrorKind::Missing,
            format!(
                "has {} in {key:?}",
                if tokens.is_empty() {
                    "no token"
                } else {
                    "one token"
                }
            ),
            "give at least two tokens: the first is never predicted",
        )
        .at_key(key));
    }
    let weights = if fields.has("labels") {
        labels(&mut fields, &tokens)?
    } else if fields.has("weights") {
        numbers(&mut fields, "weights", weight)?
    } else {
        vec![1.0; tokens.len()]
    };
    if weights.len() != tokens.len() {
        return Err(ValueError::new(
            ErrorKind::Value,
            format!("has {} weights for {} tokens", weights.len(), tokens.len()),
            "give one weight for each token",
        )
        .at_key("weights"));
    }
    attention(&mut fields, tokens.len())?;
    fields.finish("", notes)?;
    let datum = Datum::weighted(&tokens, &weights).map_err(|error| {
        let reason = format!("is not a valid datum: {error}");
        ValueError::new(ErrorKind::Value, reason, "correct the weights").at_key("weights")
    })?;
    Ok(Example::Tokens(datum))
}

/// The JSON of a datum, as requests of the API hold it.
fn datum(fields: Fields) -> Result<Example, ValueError> {
    let wrong = |error: serde_json::Error| {
        ValueError::new(
            ErrorKind::Value,
            format!("is not a datum: {error}"),
            "write \"model_input\" and \"loss_fn_inputs\" as requests of the API have them",
        )
        .at_key("model_input")
    };
    // The wire type reads its own JSON.
    let json = serde_json::to_string(&Json::Object(fields.rest())).map_err(wrong)?;
    serde_json::from_str(&json)
        .map(Example::Tokens)
        .map_err(wrong)
}

/// Weights from labels, which repeat the tokens that are learned.
fn labels(fields: &mut Fields, tokens: &[u32]) -> Result<Vec<f32>, ValueError> {
    let labels = numbers(fields, "labels", |value| match value {
        Json::Number(number) => number.as_i64(),
        _ => None,
    })?;
    let wrong = labels
        .iter()
        .zip(tokens)
        .position(|(label, token)| *label != NOT_LEARNED && *label != i64::from(*token));
    if let Some(at) = wrong {
        return Err(ValueError::new(
            ErrorKind::Value,
            format!("has a label at {at} that is neither {NOT_LEARNED} nor the token there"),
            "give one label for each token, not shifted",
        )
        .at_key("labels"));
    }
    let learned = labels
        .iter()
        .map(|label| f32::from(u8::from(*label != NOT_LEARNED)));
    Ok(learned.collect())
}

/// Takes the attention mask, which has to be 1 everywhere: sequences are not padded.
fn attention(fields: &mut Fields, length: usize) -> Result<(), ValueError> {
    if !fields.has("attention_mask") {
        return Ok(());
    }
    let mask = numbers(fields, "attention_mask", weight)?;
    if mask.len() == length && mask.iter().all(|value| value.to_bits() == 1_f32.to_bits()) {
        return Ok(());
    }
    Err(ValueError::new(
        ErrorKind::Unsupported,
        "has an \"attention_mask\" that is not 1 for each token",
        "remove the padding",
    )
    .at_key("attention_mask"))
}

fn id(value: &Json) -> Option<u32> {
    match value {
        // Ids are signed on the wire.
        Json::Number(number) => i32::try_from(number.as_i64()?).ok()?.try_into().ok(),
        _ => None,
    }
}

fn weight(value: &Json) -> Option<f32> {
    match value {
        Json::Number(number) => number
            .as_f64()
            .map(|number| number as f32)
            .filter(|number| number.is_finite()),
        _ => None,
    }
}

fn numbers<T>(
    fields: &mut Fields,
    key: &str,
    read: impl Fn(&Json) -> Option<T>,
) -> Result<Vec<T>, ValueError> {
    let list = fields.list(key)?;
    let items = list.iter().enumerate().map(|(index, value)| {
        read(value).ok_or_else(|| {
            ValueError::new(
                ErrorKind::Value,
                "is not a number that can stand here",
                "give token ids from 0 to 2147483647, and finite weights",
            )
            .within(index)
            .under(key)
        })
    });
    items.collect()
}
