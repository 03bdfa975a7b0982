//! Sampled sequences: their seeds, and how far the trainer is from the sampler.

use std::collections::BTreeMap;

use tinker_client::{Datum, SamplingClient};

use super::group::Drift;
use crate::error::TrainError;
use crate::recipe::Measured;
use crate::sampling::steady;

/// The sampled log probabilities of a datum, and 1 where the target is a sampled token.
pub(crate) fn sampled_logprobs(datum: &Datum) -> (Vec<f32>, Vec<f32>) {
    let logprobs = datum.loss_fn_inputs.get("logprobs");
    let logprobs = logprobs
        .and_then(|tensor| tensor.as_f32())
        .unwrap_or_default();
    // Log probabilities of other tokens are given as 0; one that was sampled with certainty adds no difference.
    let mask = logprobs.iter().map(|lp| f32::from(u8::from(*lp != 0.0)));
    (logprobs.to_vec(), mask.collect())
}

/// Measures the divergence between the sampler of these data and the trainer.
pub(crate) fn drift_of(data: &[Datum]) -> Measured {
    let data: Vec<(Vec<f32>, Vec<f32>)> = data.iter().map(sampled_logprobs).collect();
    Measured(Box::new(move |output| {
        let mut drift = Drift::default();
        for (index, (sampled, mask)) in data.iter().enumerate() {
            let trained = output.logprobs(index).unwrap_or_default();
            for ((sampled, mask), trained) in sampled.iter().zip(mask).zip(trained) {
                if *mask > 0.0 {
                    drift.add(*sampled, *trained);
                }
            }
        }
        let names = ["kl_sampler_v1", "kl_sampler_v2", "kl_sampler_k3"];
        let names = names.into_iter().map(str::to_owned);
        names.zip(drift.means()).collect::<BTreeMap<_, _>>()
    }))
}

/// Log probabilities of tokens under the reference weights; that of the first token is 0.
pub(crate) async fn reference_logprobs(
    reference: &SamplingClient,
    tokens: Vec<u32>,
) -> Result<Vec<f32>, TrainError> {
    let failed = |error| TrainError::client("the reference failed", error);
    let found = steady(reference).compute_logprobs(tokens).await;
    let found = found.map_err(failed)?.into_iter();
    Ok(found.map(Option::unwrap_or_default).collect())
}

/// The seed of the samples of a row of a step: a mix of all three numbers.
pub(crate) fn seed_of(seed: u64, step: usize, row: usize) -> u64 {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x9e37_79b9_7f4a_7c15);
    for part in [step as u64, row as u64] {
        rng = fastrand::Rng::with_seed(rng.u64(..) ^ part);
    }
    // The wire has signed integers.
    rng.u64(..) >> 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_has_a_seed() {
        let mut seeds = HashSet::new();
        for (seed, step, row) in (0..4).flat_map(|seed| {
            (0..20).flat_map(move |step| (0..20).map(move |row| (seed, step, row)))
        }) {
            assert!(seeds.insert(seed_of(seed, step, row)));
        }
        assert_eq!(seed_of(1, 2, 3), seed_of(1, 2, 3));
    }
}
