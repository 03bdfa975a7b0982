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
    loss.check_constants()?;
    let kind = match &loss.name {
        LossFn::CrossEntropy => LossKind::CrossEntropy,
        LossFn::ImportanceSampling => LossKind::ImportanceSampling,
        LossFn::Ppo => {
            let (low, high) = clip(loss, 0.8, 1.2)?;
            LossKind::Ppo { low, high }
        }
        LossFn::Cispo => {
            let (low, high) = clip(loss, 0.0, 4.0)?;
            LossKind::Cispo { low, high }
        }
        LossFn::Dro => LossKind::Dro {
            beta: loss.number("beta").unwrap_or(0.01) as f32,
        },
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
        LossFn::Custom => return Ok(Objective::Custom(id(loss))),
        _ => return refuse("is not a loss this engine knows"),
    };
    Ok(Objective::Direct(kind))
}

/// Whether the engine computes a loss of this name by itself, without an upload.
pub(crate) fn is_computed(name: &LossFn) -> bool {
    *name != LossFn::Custom && objective(&Loss::new(name.clone())).is_ok()
}

/// The id of an uploaded loss. The constants were checked.
fn id(loss: &Loss) -> LossId {
    match loss.config.get("loss_id") {
        Some(LossValue::Text(id)) => LossId::from(id.as_str()),
        _ => LossId::from(""),
    }
}

/// The bounds of the ratio, with these defaults.
fn clip(loss: &Loss, low: f64, high: f64) -> Result<(f32, f32), InvalidValue> {
    let low = loss.number("clip_low_threshold").unwrap_or(low);
    let high = loss.number("clip_high_threshold").unwrap_or(high);
    loss.clone().with_clip(low, high).check_constants()?;
    Ok((low as f32, high as f32))
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
        assert!(message(&Loss::ppo().with("epsilon", 0.2)).contains("is not known"));
        let low = Loss::ppo().with("clip_low_threshold", 1.5);
        assert!(message(&low).contains("1.5 to 1.2 is not a range"));
    }
}
