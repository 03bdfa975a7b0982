//! Splits into training data and held-out data.

use std::collections::HashSet;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

/// Chooses a share of the prompts to hold out: `true` for each row that is held out, in the order of the rows.
///
/// `prompts` are the rows' [`Example::prompt_fingerprint`](super::Example::prompt_fingerprint)s: the rows of one prompt
/// stay together. The choice depends on the prompts and the seed, not on the order of the rows. At least one prompt is
/// held out if the share is above 0 and there are two.
pub fn held_out(prompts: &[u128], share: f64, seed: u64) -> Vec<bool> {
    let key = |prompt: u128| {
        let mut hasher = SipHasher13::new_with_keys(seed, 0);
        hasher.write(&prompt.to_le_bytes());
        (hasher.finish(), prompt)
    };
    let different: HashSet<u128> = prompts.iter().copied().collect();
    let mut order: Vec<_> = different.into_iter().map(key).collect();
    order.sort_unstable();
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let least = usize::from(share > 0.0 && order.len() > 1);
    let count = ((order.len() as f64 * share).round() as usize).max(least);
    let chosen: HashSet<u128> = order
        .into_iter()
        .take(count)
        .map(|(_, prompt)| prompt)
        .collect();
    prompts
        .iter()
        .map(|prompt| chosen.contains(prompt))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_stay_together_and_order_does_not_matter() {
        let mut prompts: Vec<u128> = (0..100).chain(0..100).collect();
        let first = held_out(&prompts, 0.1, 7);
        assert_eq!(first.iter().filter(|held| **held).count(), 20);
        assert_eq!(first[..100], first[100..]);
        prompts.reverse();
        let mut second = held_out(&prompts, 0.1, 7);
        second.reverse();
        assert_eq!(first, second);
        assert_ne!(first, held_out(&prompts[..200], 0.1, 8));
    }

    #[test]
    fn small_data_are_split_too() {
        assert_eq!(
            held_out(&[1], 0.5, 0).iter().filter(|held| **held).count(),
            1
        );
        assert_eq!(held_out(&[1], 0.1, 0), [false]);
        assert_eq!(
            held_out(&[1, 2], 0.01, 0)
                .iter()
                .filter(|held| **held)
                .count(),
            1
        );
        assert_eq!(held_out(&[1, 2], 0.0, 0), [false, false]);
        assert_eq!(held_out(&[1, 2], f64::NAN, 0), [false, false]);
    }
}
