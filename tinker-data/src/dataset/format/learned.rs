//! Flags that say whether a message is learned.

use crate::chat::Role;
use crate::dataset::error::ErrorKind;
use crate::dataset::fields::Fields;
use crate::dataset::value_error::ValueError;
use crate::json::Json;

/// Takes the loss weight of a message: `weight`, or a flag of another name. 1 by default.
pub(super) fn weight(fields: &mut Fields, role: &Role) -> Result<f32, ValueError> {
    if fields.has("mask") || fields.has("loss_mask") {
        let key = if fields.has("mask") {
            "mask"
        } else {
            "loss_mask"
        };
        return Err(ValueError::new(
            ErrorKind::Unsupported,
            format!("has {key:?}, which means learned in some data sets and not learned in others"),
            "write \"weight\": 1 for learned and \"weight\": 0 for context",
        )
        .at_key(key));
    }
    let mut weight = None;
    for key in ["weight", "train", "training", "loss"] {
        let Some(value) = fields.take(key) else {
            continue;
        };
        let value = number(key, &value)?;
        if *role != Role::Assistant && value > 0.0 {
            return Err(ValueError::new(
                ErrorKind::Unsupported,
                format!("has {key:?} on a message of the role {:?}", role.as_str()),
                "only messages of the assistant are learned; remove the key, or give it 0",
            )
            .at_key(key));
        }
        if weight.is_some_and(|earlier: f32| earlier.to_bits() != value.to_bits()) {
            return Err(ValueError::new(
                ErrorKind::Value,
                format!("has {key:?} that disagrees with another flag"),
                "keep \"weight\" alone",
            )
            .at_key(key));
        }
        weight = Some(value);
    }
    // Of other messages nothing is learned, whatever their weight.
    let is_answer = *role == Role::Assistant;
    Ok(weight.filter(|_| is_answer).unwrap_or(1.0))
}

fn number(key: &str, value: &Json) -> Result<f32, ValueError> {
    let number = match value {
        Json::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Json::Number(number) => number.as_f64(),
        _ => None,
    };
    match number {
        Some(number) if (0.0..=1e6).contains(&number) => Ok(number as f32),
        _ => Err(ValueError::new(
            ErrorKind::Value,
            format!("has a wrong {key:?}"),
            "give a number from 0 on: 0 for context, 1 for learned",
        )
        .at_key(key)),
    }
}
