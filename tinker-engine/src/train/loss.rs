//! Losses: sums over cells of a function of the cell's log probability.

use crate::backend::{LossKind, TrainDatum};
use crate::model::Term;

/// The term of cell `i` of a datum, given its log probability under the trained model. `None` where weight or advantage
/// is 0: such a cell adds nothing, whatever its other values are.
pub(crate) fn term(loss: LossKind, datum: &TrainDatum, i: usize, logprob: f32) -> Option<Term> {
    let lp = f64::from(logprob);
    if loss == LossKind::CrossEntropy {
        let weight = datum
            .weights
            .as_ref()
            .map_or(1.0, |weights| f64::from(weights[i]));
        return (weight != 0.0).then_some(Term {
            loss: -weight * lp,
            slope: -weight as f32,
        });
    }
    let advantage = datum
        .advantages
        .as_ref()
        .map_or(0.0, |advantages| f64::from(advantages[i]));
    if advantage == 0.0 {
        return None;
    }
    let q = datum
        .logprobs
        .as_ref()
        .map_or(lp, |logprobs| f64::from(logprobs[i]));
    let ratio = (lp - q).exp();
    // The loss and its derivative by lp; the derivative of the ratio by lp is the ratio.
    let (loss, slope) = match loss {
        LossKind::CrossEntropy | LossKind::ImportanceSampling => {
            (-ratio * advantage, -ratio * advantage)
        }
        LossKind::Ppo { low, high } => {
            let clipped = bounds(datum, i, low, high).clamp(ratio);
            if ratio * advantage <= clipped * advantage {
                (-ratio * advantage, -ratio * advantage)
            } else {
                (-clipped * advantage, 0.0)
            }
        }
        LossKind::Cispo { low, high } => {
            let factor = bounds(datum, i, low, high).clamp(ratio) * advantage;
            (-factor * lp, -factor)
        }
        LossKind::Dro { beta } => {
            let (beta, gap) = (f64::from(beta), lp - q);
            (
                -(lp * advantage - beta / 2.0 * gap * gap),
                -(advantage - beta * gap),
            )
        }
    };
    Some(Term {
        loss,
        slope: slope as f32,
    })
}

struct Bounds {
    low: f64,
    high: f64,
}

impl Bounds {
    fn clamp(&self, ratio: f64) -> f64 {
        ratio.max(self.low).min(self.high)
    }
}

/// The ratio bounds of one token: those of the datum if it has any, else the constants of the loss.
fn bounds(datum: &TrainDatum, i: usize, low: f32, high: f32) -> Bounds {
    let own = |bounds: &Option<Vec<f32>>, constant| {
        f64::from(bounds.as_ref().map_or(constant, |bounds| bounds[i]))
    };
    Bounds {
        low: own(&datum.clip_low, low),
        high: own(&datum.clip_high, high),
    }
}

#[cfg(test)]
mod tests;
