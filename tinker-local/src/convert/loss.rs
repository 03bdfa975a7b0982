//! Losses and their constants.

use tinker_types::{InvalidValue, Loss, LossFn, LossId, LossValue};

use tinker_engine::backend::LossKind;

/// Bounds of the sequence ratio in the paper's experiments: 3e-4 below and 4e-4 above 1.
const GSPO_LOW: f64 = 1.0 - 3e-4;
const GSPO_HIGH: f64 = 1.0 + 4e-4;

const AVAILABLE: &str = "use cross_entropy, importance_sampling, ppo, cispo, dro or gspo";

/// Way in which a loss is computed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Objective {
    /// By the engine, for each cell.
    Direct(LossKind),
    /// From the log probabilities of whole sequences, see [`gspo`](super::gspo).
    Gspo {
        /// Lower bound of the ratio.
        low: f32,
        /// Upper bound of the ratio.
        high: f32,
    },
    /// By an uploaded graph.
    Custom(LossId),
}

/// The objective of a loss. Defaults are the hosted service's where they are public; `dro`'s `beta` is 0.01, and
/// `gspo`'s bounds are those of its paper.
pub(super) fn objective(loss: &Loss) -> Result<Objective, InvalidValue> {
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
            let (low, high) = clip(loss, GSPO_LOW, GSPO_HIGH)?;
            return Ok(Objective::Gspo { low, high });
        }
        LossFn::StableReinforce => {
            return refuse(
                "is not offered here, as its definition is not public; the owner of the engine can name a substitute, for \
                 example `tinker serve --substitute-loss stable_reinforce=importance_sampling`",
            );
        }
        LossFn::Custom => return custom(loss).map(Objective::Custom),
        _ => return refuse("is not a loss this engine knows"),
    };
    Ok(Objective::Direct(kind))
}

/// Whether the engine computes a loss of this name by itself, without an upload.
pub(crate) fn is_computed(name: &LossFn) -> bool {
    *name != LossFn::Custom && objective(&Loss::new(name.clone())).is_ok()
}

/// The id of an uploaded loss.
fn custom(loss: &Loss) -> Result<LossId, InvalidValue> {
    match loss.config.get("loss_id") {
        Some(LossValue::Text(id)) if loss.config.len() == 1 => Ok(LossId::from(id.as_str())),
        Some(LossValue::Text(_)) => Err(InvalidValue::new(
            "loss_fn_config",
            "has more than loss_id, which is all that custom takes",
        )),
        _ => Err(InvalidValue::new(
            "loss_fn_config.loss_id",
            "is missing; upload a loss with create_custom_loss and give its id",
        )),
    }
}

fn clip(loss: &Loss, low: f64, high: f64) -> Result<(f32, f32), InvalidValue> {
    let given = constants(loss, &["clip_low_threshold", "clip_high_threshold"])?;
    let (low, high) = (given[0].unwrap_or(low), given[1].unwrap_or(high));
    if low < 0.0 || low > high {
        let why = format!(
            "{low} to {high} is not a range of ratios; give 0 <= low <= high, bounds of the ratio itself"
        );
        return Err(InvalidValue::new("loss_fn_config.clip_low_threshold", why));
    }
    Ok((low as f32, high as f32))
}

/// The values of a loss's constants, in the order of `names`. Other keys are refused.
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
        objective(loss).unwrap_err().to_string()
    }

    fn direct(loss: &Loss) -> LossKind {
        match objective(loss).unwrap() {
            Objective::Direct(kind) => kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn defaults_and_given_constants() {
        assert_eq!(
            direct(&Loss::ppo()),
            LossKind::Ppo {
                low: 0.8,
                high: 1.2
            }
        );
        assert_eq!(
            direct(&Loss::cispo().with_clip(0.5, 2.0)),
            LossKind::Cispo {
                low: 0.5,
                high: 2.0
            }
        );
        assert_eq!(
            direct(&Loss::dro().with_beta(0.5)),
            LossKind::Dro { beta: 0.5 }
        );
        assert_eq!(
            objective(&Loss::new(LossFn::Gspo)).unwrap(),
            Objective::Gspo {
                low: 0.9997,
                high: 1.0004
            }
        );
        assert_eq!(
            objective(&Loss::new(LossFn::Custom).with("loss_id", "s:loss:0")).unwrap(),
            Objective::Custom("s:loss:0".into())
        );
    }

    #[test]
    fn refusals_name_the_place_and_the_fix() {
        assert_eq!(
            message(&Loss::new(LossFn::from_name("dpo"))),
            "loss_fn: dpo is not a loss this engine knows; use cross_entropy, importance_sampling, ppo, cispo, dro or gspo"
        );
        let refused = message(&Loss::new(LossFn::StableReinforce));
        assert!(refused.contains("its definition is not public"));
        assert!(message(&Loss::new(LossFn::Custom)).contains("upload a loss"));
        let odd = Loss::new(LossFn::Custom).with("loss_id", 3.0);
        assert!(message(&odd).starts_with("loss_fn_config.loss_id"));
        assert_eq!(
            message(&Loss::ppo().with("epsilon", 0.2)),
            "loss_fn_config.epsilon: is not known; ppo takes clip_low_threshold and clip_high_threshold"
        );
        assert!(message(&Loss::cross_entropy().with("beta", 1.0)).contains("takes no constants"));
        assert!(message(&Loss::ppo().with_clip(1.2, 0.8)).contains("not a range"));
        assert!(message(&Loss::dro().with_beta(f64::NAN)).contains("finite"));
        assert!(message(&Loss::dro().with("beta", "x")).contains("text"));
    }
}
