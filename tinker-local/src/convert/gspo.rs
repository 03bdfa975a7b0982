//! Group Sequence Policy Optimization (Zheng et al., 2025, <https://arxiv.org/abs/2507.18071>), in the form for
//! advantages of each token (its section 4.3, "GSPO-token").
//!
//! With the log ratios `d_t = lp_t - q_t` of a sequence to the policy that sampled it, and the mask `m` of the tokens
//! that count, the ratio of the sequence is
//!
//! ```text
//! s = exp(sum m_t d_t / sum m_t)
//! ```
//!
//! and the loss, summed over tokens and data like all losses here,
//!
//! ```text
//! -sum_t min(s_t A_t, clamp(s_t, low, high) A_t),   s_t = s exp(lp_t - stopgrad(lp_t))
//! ```
//!
//! so that `s_t` has the value of `s` everywhere and the gradient of token `t`: `-s A_t` where it is not clipped.
//! If the advantages of a sequence are equal, this is the paper's objective for sequences, times their length.

use tinker_engine::backend::{BaseModelInfo, LossKind, TrainBatch, TrainDatum};
use tinker_types::{Datum, InvalidValue};

use super::datum::{convert, each, floats};
use super::pass::{Pass, Slopes};

/// Inputs of the loss of one sequence besides the log probabilities.
struct Sequence {
    sampled: Vec<f32>,
    advantages: Vec<f32>,
    mask: Vec<f32>,
    low: Vec<f32>,
    high: Vec<f32>,
}

/// A pass with this loss. The bounds apply to tokens for which the datum has none.
pub(super) fn pass(
    data: &[Datum],
    bounds: (f32, f32),
    forward_only: bool,
    model: &BaseModelInfo,
) -> Result<Pass, InvalidValue> {
    let both = each(data, |datum, room| sequence(datum, bounds, model, room))?;
    let (data, sequences): (Vec<TrainDatum>, Vec<Sequence>) = both.into_iter().unzip();
    let batch = TrainBatch {
        data,
        loss: LossKind::CrossEntropy,
        forward_only,
    };
    let slopes = move |logprobs: &[Vec<f32>]| {
        let mut slopes = Slopes::default();
        for (sequence, logprobs) in sequences.iter().zip(logprobs) {
            let (loss, of_sequence) = sequence.loss(logprobs);
            slopes.loss_sum += loss;
            slopes.of_data.push(of_sequence);
        }
        Ok(slopes)
    };
    Ok(Pass {
        batch,
        surrogate: Some(Box::new(slopes)),
    })
}

fn sequence(
    datum: &Datum,
    (low, high): (f32, f32),
    model: &BaseModelInfo,
    room: &mut usize,
) -> Result<(TrainDatum, Sequence), InvalidValue> {
    let policy = LossKind::Ppo { low, high };
    let converted = convert(datum, policy, model, room)?;
    let positions = converted.tokens.len();
    let sequence = Sequence {
        sampled: converted.logprobs.unwrap_or_default(),
        advantages: converted.advantages.unwrap_or_default(),
        low: converted.clip_low.unwrap_or_else(|| vec![low; positions]),
        high: converted.clip_high.unwrap_or_else(|| vec![high; positions]),
        mask: floats(datum, "sequence_ratio_mask").unwrap_or_default(),
    };
    let refuse = |at: usize, name: &str, why: String| {
        Err(InvalidValue::new(
            format!("loss_fn_inputs.{name}[{at}]"),
            why,
        ))
    };
    for (at, &mask) in sequence.mask.iter().enumerate() {
        if mask != 0.0 && mask.to_bits() != 1.0_f32.to_bits() {
            let why = format!("is {mask}; it is 1 on the tokens the ratio is taken over, else 0");
            return refuse(at, "sequence_ratio_mask", why);
        }
        let sampled = sequence.sampled[at];
        if mask != 0.0 && !sampled.is_finite() {
            let why = format!("is {sampled}, and the ratio is taken over it");
            return refuse(at, "logprobs", why);
        }
    }
    let counts = |values: &[f32]| values.iter().any(|value| *value != 0.0);
    if counts(&sequence.advantages) && !counts(&sequence.mask) {
        return Err(InvalidValue::new(
            "loss_fn_inputs.sequence_ratio_mask",
            "is 0 everywhere; set it to 1 on the sampled tokens",
        ));
    }
    let bare = TrainDatum {
        tokens: converted.tokens,
        targets: converted.targets,
        targets_per_position: 1,
        ..TrainDatum::default()
    };
    Ok((bare, sequence))
}

impl Sequence {
    /// The loss of one sequence and its derivative by each log probability.
    fn loss(&self, logprobs: &[f32]) -> (f64, Vec<f32>) {
        let mut slopes = vec![0.0; logprobs.len()];
        let masked = || (0..logprobs.len()).filter(|&at| self.mask[at] != 0.0);
        let gap = |at: usize| f64::from(logprobs[at]) - f64::from(self.sampled[at]);
        // A sequence without masked tokens has no advantages.
        let ratio = (masked().map(gap).sum::<f64>() / masked().count().max(1) as f64).exp();
        let mut loss = 0.0;
        for (at, slope) in slopes.iter_mut().enumerate() {
            let advantage = f64::from(self.advantages[at]);
            if advantage == 0.0 {
                continue;
            }
            let clipped = ratio
                .max(f64::from(self.low[at]))
                .min(f64::from(self.high[at]));
            if ratio * advantage <= clipped * advantage {
                loss -= ratio * advantage;
                *slope = -(ratio * advantage) as f32;
            } else {
                loss -= clipped * advantage;
            }
        }
        (loss, slopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinker_types::ModelInput;

    fn model() -> BaseModelInfo {
        BaseModelInfo::new("tiny", "qwen3", 10, 8)
    }

    fn datum(mask: [f32; 4]) -> Datum {
        Datum::new(ModelInput::from_tokens([1, 2, 3, 4]))
            .with_input("target_tokens", vec![2_i64, 3, 4, 5])
            .with_input("logprobs", vec![0.0, -1.0, -2.0, -0.5])
            .with_input("advantages", vec![0.0, 2.0, 2.0, 2.0])
            .with_input("sequence_ratio_mask", mask.to_vec())
    }

    fn slopes(datum: Datum, bounds: (f32, f32), logprobs: [f32; 4]) -> (f64, Vec<f32>) {
        let pass = pass(&[datum], bounds, false, &model()).unwrap();
        let slopes = pass.surrogate.unwrap()(&[logprobs.to_vec()]).unwrap();
        (slopes.loss_sum, slopes.of_data[0].clone())
    }

    const WIDE: (f32, f32) = (0.1, 10.0);

    #[test]
    fn the_ratio_is_that_of_the_masked_tokens_together() {
        let logprobs = [-9.0, -0.8, -2.3, -0.1];
        let (loss, slopes) = slopes(datum([0.0, 1.0, 1.0, 1.0]), WIDE, logprobs);
        let ratio = ((0.2_f64 - 0.3 + 0.4) / 3.0).exp();
        assert!((loss + 3.0 * 2.0 * ratio).abs() < 1e-6, "{loss} {ratio}");
        for slope in &slopes[1..] {
            assert!((f64::from(*slope) + 2.0 * ratio).abs() < 1e-6);
        }
        assert!(slopes[0].abs() < f32::EPSILON);
        let (one, _) = self::slopes(datum([0.0, 1.0, 0.0, 0.0]), WIDE, logprobs);
        assert!((one + 3.0 * 2.0 * 0.2_f64.exp()).abs() < 1e-6);
    }

    #[test]
    fn equal_advantages_have_the_gradient_of_the_whole_sequence() {
        // -T s A, differentiated by the log probabilities through s.
        let logprobs = [-9.0, -0.8, -2.3, -0.1];
        let mask = [0.0, 1.0, 1.0, 1.0];
        let whole = |logprobs: [f32; 4]| {
            let gaps = [1, 2, 3].map(|at| f64::from(logprobs[at]) - [0.0, -1.0, -2.0, -0.5][at]);
            -3.0 * 2.0 * (gaps.iter().sum::<f64>() / 3.0).exp()
        };
        let (_, slopes) = slopes(datum(mask), WIDE, logprobs);
        for at in 1..4 {
            let moved = |by: f32| {
                let mut logprobs = logprobs;
                logprobs[at] += by;
                whole(logprobs)
            };
            let difference = (moved(1.0 / 256.0) - moved(-1.0 / 256.0)) * 128.0;
            assert!((f64::from(slopes[at]) - difference).abs() < 1e-3);
        }
    }

    #[test]
    fn a_clipped_sequence_has_no_gradient() {
        let mask = [0.0, 1.0, 1.0, 1.0];
        let (loss, slopes) = slopes(datum(mask), (0.9, 1.05), [0.0, -0.8, -2.3, -0.1]);
        assert!((loss + 3.0 * 2.0 * 1.05).abs() < 1e-6 && slopes == [0.0; 4]);
        let own = datum(mask).with_input("clip_high_threshold", vec![9.0, 9.0, 1.0, 9.0]);
        let (_, slopes) = self::slopes(own, (0.9, 1.05), [0.0, -0.8, -2.3, -0.1]);
        assert!(slopes[1] < 0.0 && slopes[2] == 0.0 && slopes[3] < 0.0);
    }

    #[test]
    fn masks_that_make_no_sense_are_named() {
        let message = |datum: Datum| {
            let refused = pass(&[datum], WIDE, false, &model());
            refused.err().unwrap().to_string()
        };
        assert!(
            message(datum([0.0, 0.5, 1.0, 1.0]))
                .starts_with("data[0].loss_fn_inputs.sequence_ratio_mask[1]: is 0.5")
        );
        assert!(message(datum([0.0; 4])).contains("is 0 everywhere"));
        let odd = datum([1.0; 4]).with_input("logprobs", vec![f32::NAN, -1.0, -2.0, -0.5]);
        assert!(message(odd).contains("logprobs[0]: is NaN"));
        // Without advantages the mask may be empty.
        let idle = datum([0.0; 4]).with_input("advantages", vec![0.0; 4]);
        let (loss, slopes) = slopes(idle, WIDE, [-1.0; 4]);
        assert!(loss == 0.0 && slopes == [0.0; 4]);
    }
}
