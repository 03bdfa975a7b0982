//! Losses by name, with their constants.

use tinker_types::{InvalidValue, Loss, LossFn, LossValue};

use crate::backend::LossKind;

const AVAILABLE: &str = "use cross_entropy, importance_sampling, ppo, cispo or dro";

/// The loss an engine computes. Defaults are the hosted service's; `dro`'s is not public, so its `beta` is 0.01.
pub(super) fn loss_kind(loss: &Loss) -> Result<LossKind, InvalidValue> {
    let refuse = |why: &str| {
        Err(InvalidValue::new(
            "loss_fn",
            format!("{} {why}; {AVAILABLE}", loss.name.as_str()),
        ))
    };
    let kind = match &loss.name {
        LossFn::CrossEntropy => {
            constants(loss, &[])?;
            LossKind::CrossEntropy
        }
        LossFn::ImportanceSampling => {
            constants(loss, &[])?;
            LossKind::ImportanceSampling
        }
        LossFn::Ppo => {
            let (low, high) = clip(loss, 0.8, 1.2)?;
            LossKind::Ppo { low, high }
        }
        LossFn::Cispo => {
            let (low, high) = clip(loss, 0.0, 4.0)?;
            LossKind::Cispo { low, high }
        }
        LossFn::Dro => {
            let [beta] = constants(loss, &["beta"])?[..] else {
                return refuse("takes beta");
            };
            let beta = beta.unwrap_or(0.01);
            if beta < 0.0 {
                return Err(InvalidValue::new(
                    "loss_fn_config.beta",
                    format!("is {beta}; it is 0 or more"),
                ));
            }
            LossKind::Dro { beta: beta as f32 }
        }
        LossFn::Gspo => {
            return refuse(
                "is not offered here: how the service clips its sequence ratio is not public",
            );
        }
        LossFn::StableReinforce => {
            return refuse("is not offered here: its definition is not public");
        }
        LossFn::Custom => {
            return refuse("is not offered here: uploaded losses need the hosted service");
        }
        _ => return refuse("is not a loss this engine knows"),
    };
    Ok(kind)
}

fn clip(loss: &Loss, low: f64, high: f64) -> Result<(f32, f32), InvalidValue> {
    let given = constants(loss, &["clip_low_threshold", "clip_high_threshold"])?;
    let (low, high) = (given[0].unwrap_or(low), given[1].unwrap_or(high));
    if low < 0.0 || low > high {
        let why = format!(
            "{low} to {high} is no range of ratios; give 0 <= low <= high, bounds of the ratio itself"
        );
        return Err(InvalidValue::new("loss_fn_config.clip_low_threshold", why));
    }
    Ok((low as f32, high as f32))
}

/// The values of the constants a loss takes, in the order of `names`. Anything else in its config is refused.
fn constants(loss: &Loss, names: &[&str]) -> Result<Vec<Option<f64>>, InvalidValue> {
    for (key, value) in &loss.config {
        let place = format!("loss_fn_config.{key}");
        if !names.contains(&key.as_str()) {
            let takes = if names.is_empty() {
                "no constants".to_owned()
            } else {
                names.join(" and ")
            };
            return Err(InvalidValue::new(
                place,
                format!("is not known; {} takes {takes}", loss.name.as_str()),
            ));
        }
        match value {
            LossValue::Number(number) if number.is_finite() => {}
            LossValue::Number(number) => {
                return Err(InvalidValue::new(
                    place,
                    format!("is {number}; give a finite number"),
                ));
            }
            LossValue::Text(_) => return Err(InvalidValue::new(place, "is a text; give a number")),
        }
    }
    let number = |name: &&str| match loss.config.get(*name) {
        Some(LossValue::Number(number)) => Some(*number),
        _ => None,
    };
    Ok(names.iter().map(number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(loss: &Loss) -> String {
        loss_kind(loss).unwrap_err().to_string()
    }

    #[test]
    fn defaults_and_given_constants() {
        assert_eq!(
            loss_kind(&Loss::ppo()).unwrap(),
            LossKind::Ppo {
                low: 0.8,
                high: 1.2
            }
        );
        assert_eq!(
            loss_kind(&Loss::cispo().with_clip(0.5, 2.0)).unwrap(),
            LossKind::Cispo {
                low: 0.5,
                high: 2.0
            }
        );
        assert_eq!(
            loss_kind(&Loss::dro().with_beta(0.5)).unwrap(),
            LossKind::Dro { beta: 0.5 }
        );
    }

    #[test]
    fn refusals_name_the_place_and_the_fix() {
        assert_eq!(
            message(&Loss::new(LossFn::from_name("dpo"))),
            "loss_fn: dpo is not a loss this engine knows; use cross_entropy, importance_sampling, ppo, cispo or dro"
        );
        for refused in [LossFn::Gspo, LossFn::StableReinforce, LossFn::Custom] {
            assert!(message(&Loss::new(refused)).contains("is not offered here"));
        }
        assert_eq!(
            message(&Loss::ppo().with("epsilon", 0.2)),
            "loss_fn_config.epsilon: is not known; ppo takes clip_low_threshold and clip_high_threshold"
        );
        assert!(message(&Loss::cross_entropy().with("beta", 1.0)).contains("takes no constants"));
        assert!(message(&Loss::ppo().with_clip(1.2, 0.8)).contains("no range"));
        assert!(message(&Loss::dro().with_beta(f64::NAN)).contains("finite"));
        assert!(message(&Loss::dro().with("beta", "x")).contains("text"));
    }
}
