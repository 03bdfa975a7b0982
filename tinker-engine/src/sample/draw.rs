//! Draw of a token from logits.

use super::measure::Measure;
use crate::kernels::{WEIGHT_BLOCK, first_greatest, softmax_weights};
use crate::model::room;
use crate::random::Random;

/// How tokens are chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    /// Divides the logits; 0 takes the most likely token.
    pub(super) temperature: f32,
    /// Tokens kept, by rank.
    pub(super) top_k: Option<usize>,
    /// Probability kept, after `top_k`.
    pub(super) top_p: f32,
}

/// Buffers of a draw.
#[derive(Debug, Default)]
pub(super) struct DrawScratch {
    weights: Vec<f32>,
    /// Sum of each block of [`WEIGHT_BLOCK`] weights.
    sums: Vec<f32>,
    candidates: Vec<u32>,
    masked: Vec<f32>,
    /// Of the last draw at a temperature above 0: the greatest logit, the inverse temperature, and the total weight of all
    /// tokens.
    last: (f32, f32, f64),
}

impl DrawScratch {
    /// Of the last draw at a temperature above 0: the greatest logit, the inverse of the temperature, and the logarithm of
    /// the sum of `exp(by * (logit - greatest))` over all tokens, excluded or not.
    pub(super) fn normaliser(&self) -> (f32, f32, f32) {
        let (most, by, total) = self.last;
        (most, by, total.ln() as f32)
    }

    /// The weights of all tokens, their sums by block, and their total.
    fn fill_weights(&mut self, logits: &[f32], most: f32, temperature: f32) -> f64 {
        let n = logits.len();
        let weights = room(&mut self.weights, n);
        let sums = room(&mut self.sums, n.div_ceil(WEIGHT_BLOCK));
        let by = (1.0 / temperature).min(f32::MAX);
        softmax_weights(logits, most, by, weights, sums);
        let total = sums.iter().copied().map(f64::from).sum();
        self.last = (most, by, total);
        total
    }
}

impl Draw {
    /// Chooses a token that is not one of `excluded`, see [`choose`](Self::choose).
    pub(super) fn choose_except(
        &self,
        excluded: &[u32],
        logits: &[f32],
        random: &mut Random,
        scratch: &mut DrawScratch,
    ) -> u32 {
        if excluded.is_empty() || excluded.len() >= logits.len() {
            return self.choose(logits, random, scratch);
        }
        let mut masked = std::mem::take(&mut scratch.masked);
        masked.clear();
        masked.extend_from_slice(logits);
        for token in excluded {
            masked[*token as usize] = f32::NEG_INFINITY;
        }
        let token = self.choose(&masked, random, scratch);
        scratch.masked = masked;
        // Log probabilities are those among all tokens.
        if self.temperature > 0.0 {
            scratch.fill_weights(logits, logits[first_greatest(logits)], self.temperature);
        }
        token
    }

    /// Chooses a token. Takes one number from `random` unless the choice is certain.
    pub(super) fn choose(
        &self,
        logits: &[f32],
        random: &mut Random,
        scratch: &mut DrawScratch,
    ) -> u32 {
        let best = first_greatest(logits);
        if self.temperature == 0.0 {
            return best as u32;
        }
        let n = logits.len();
        let total = scratch.fill_weights(logits, logits[best], self.temperature);
        let (weights, sums) = (
            &scratch.weights[..n],
            &scratch.sums[..n.div_ceil(WEIGHT_BLOCK)],
        );
        let best = best as u32;
        if self.top_k == Some(1) {
            return best;
        }
        let limited = self.top_k.is_some_and(|k| k < n) || self.top_p < 1.0;
        if !limited {
            return pick_any(weights, sums, total, random).unwrap_or(best);
        }

        let candidates = &mut scratch.candidates;
        candidates.clear();
        // All tokens below this weight together hold less than 1 - top_p: the kept set needs none of them, and the others
        // are few.
        let floor = match self.top_k {
            Some(_) => 0.0,
            None => total as f32 * (1.0 - self.top_p) / n as f32 * 0.999,
        };
        candidates.extend((0..n as u32).filter(|t| weights[*t as usize] >= floor));
        let by_rank = |a: &u32, b: &u32| {
            logits[*b as usize]
                .total_cmp(&logits[*a as usize])
                .then(a.cmp(b))
        };
        if let Some(k) = self.top_k.filter(|k| *k < candidates.len()) {
            candidates.select_nth_unstable_by(k - 1, by_rank);
            candidates.truncate(k);
        }
        if self.top_p < 1.0 {
            let total = match self.top_k {
                Some(_) => total_weight(candidates, weights),
                None => total,
            };
            let enough = f64::from(self.top_p) * total;
            let kept = likeliest(candidates, weights, enough, by_rank);
            candidates.truncate(kept);
        }
        // By id, so that the draw does not depend on the order of the selection.
        candidates.sort_unstable();
        pick(candidates.iter().copied(), weights, random).unwrap_or(best)
    }
}

/// Total weight of tokens.
fn total_weight(tokens: &[u32], weights: &[f32]) -> f64 {
    tokens.iter().map(|t| f64::from(weights[*t as usize])).sum()
}

/// Moves the smallest set of likeliest tokens whose total weight is `enough` to the front, and returns its size; all
/// tokens, if their total weight is less. Bisection takes time linear in the number of tokens; sorting would be most of
/// the work of a draw.
fn likeliest(
    tokens: &mut [u32],
    weights: &[f32],
    enough: f64,
    mut by_rank: impl FnMut(&u32, &u32) -> std::cmp::Ordering,
) -> usize {
    let (mut kept, mut end, mut so_far) = (0, tokens.len(), 0.0);
    // The first `kept` are in, those from `end` on are out.
    while end - kept > 1 {
        let half = kept.midpoint(end);
        tokens[kept..end].select_nth_unstable_by(half - kept, &mut by_rank);
        let more = total_weight(&tokens[kept..half], weights);
        if so_far + more >= enough {
            end = half;
        } else {
            so_far += more;
            kept = half;
        }
    }
    end
}

/// Picks a token with a probability in proportion to its weight: first its block, then the token within it.
fn pick_any(weights: &[f32], sums: &[f32], total: f64, random: &mut Random) -> Option<u32> {
    let mut left = random.unit() * total;
    for (i, (block, sum)) in weights.chunks(WEIGHT_BLOCK).zip(sums).enumerate() {
        let sum = f64::from(*sum);
        if left < sum {
            let first = (i * WEIGHT_BLOCK) as u32;
            let tokens = first..first + block.len() as u32;
            return at_weight(tokens, weights, left);
        }
        left -= sum;
    }
    None
}

/// Picks one of the tokens with a probability in proportion to its weight.
fn pick(
    tokens: impl Iterator<Item = u32> + Clone,
    weights: &[f32],
    random: &mut Random,
) -> Option<u32> {
    let total: f64 = tokens.clone().map(|t| f64::from(weights[t as usize])).sum();
    at_weight(tokens, weights, random.unit() * total)
}

/// The token at which the cumulative weight exceeds `left`; the last token with a weight if it never does.
fn at_weight(tokens: impl Iterator<Item = u32>, weights: &[f32], mut left: f64) -> Option<u32> {
    let mut last = None;
    for token in tokens {
        let weight = f64::from(weights[token as usize]);
        if weight > 0.0 {
            last = Some(token);
            if left < weight {
                return last;
            }
            left -= weight;
        }
    }
    last
}

/// The `k` most likely tokens with their log probabilities, most likely first.
pub(super) fn top(logits: &[f32], measure: Measure, k: usize) -> Vec<(u32, f32)> {
    let k = k.min(logits.len());
    if k == 0 {
        return Vec::new();
    }
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    let by_rank = |a: &u32, b: &u32| {
        logits[*b as usize]
            .total_cmp(&logits[*a as usize])
            .then(a.cmp(b))
    };
    if k < ids.len() {
        ids.select_nth_unstable_by(k - 1, by_rank);
        ids.truncate(k);
    }
    ids.sort_unstable_by(by_rank);
    ids.into_iter()
        .map(|id| (id, measure.logprob(logits[id as usize])))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [0.0, 2.0, 1.0, -1.0, 2.0];

    fn shares(draw: Draw) -> Vec<f64> {
        let mut counts = vec![0; LOGITS.len()];
        let mut random = Random::new(1, 2);
        for _ in 0..20_000 {
            counts[draw.choose(&LOGITS, &mut random, &mut DrawScratch::default()) as usize] += 1;
        }
        counts
            .into_iter()
            .map(|count| f64::from(count) / 20_000.0)
            .collect()
    }

    fn softmax(keep: &[usize], temperature: f64) -> Vec<f64> {
        let weight = |i: usize| (f64::from(LOGITS[i]) / temperature).exp();
        let total: f64 = keep.iter().map(|i| weight(*i)).sum();
        (0..LOGITS.len())
            .map(|i| {
                if keep.contains(&i) {
                    weight(i) / total
                } else {
                    0.0
                }
            })
            .collect()
    }

    fn assert_close(got: &[f64], want: &[f64]) {
        for (g, w) in got.iter().zip(want) {
            // Three standard deviations of 20,000 draws are at most 0.011.
            assert!(
                (g - w).abs() < 0.012 && (*w > 0.0 || *g == 0.0),
                "{got:?} {want:?}"
            );
        }
    }

    #[test]
    fn frequencies_are_the_probabilities() {
        let all = Draw {
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
        };
        assert_close(&shares(all), &softmax(&[0, 1, 2, 3, 4], 1.0));
        assert_close(
            &shares(Draw {
                temperature: 0.5,
                ..all
            }),
            &softmax(&[0, 1, 2, 3, 4], 0.5),
        );
        assert_close(
            &shares(Draw {
                top_k: Some(3),
                ..all
            }),
            &softmax(&[1, 2, 4], 1.0),
        );
        // The two likeliest hold 0.77 together, a third is needed for 0.8.
        assert_close(&shares(Draw { top_p: 0.75, ..all }), &softmax(&[1, 4], 1.0));
        assert_close(
            &shares(Draw { top_p: 0.8, ..all }),
            &softmax(&[1, 2, 4], 1.0),
        );
        // After top_k 3 the first two hold 0.84 of the remaining weight.
        assert_close(
            &shares(Draw {
                top_k: Some(3),
                top_p: 0.8,
                ..all
            }),
            &softmax(&[1, 4], 1.0),
        );
        assert_close(
            &shares(Draw {
                temperature: 0.0,
                ..all
            }),
            &[0.0, 1.0, 0.0, 0.0, 0.0],
        );
    }

    #[test]
    fn excluded_tokens_are_not_drawn() {
        let mut random = Random::new(1, 2);
        let mut scratch = DrawScratch::default();
        let mut drawn = |draw: Draw, excluded: &[u32]| {
            let mut tokens: Vec<u32> = (0..2_000)
                .map(|_| draw.choose_except(excluded, &LOGITS, &mut random, &mut scratch))
                .collect();
            tokens.sort_unstable();
            tokens.dedup();
            tokens
        };
        let all = Draw {
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
        };
        assert_eq!(drawn(all, &[]), [0, 1, 2, 3, 4]);
        assert_eq!(drawn(all, &[1, 4]), [0, 2, 3]);
        let top_k = Some(2);
        assert_eq!(drawn(Draw { top_k, ..all }, &[1, 4]), [0, 2]);
        assert_eq!(drawn(Draw { top_p: 0.99, ..all }, &[0, 1, 2, 4]), [3]);
        let temperature = 0.0;
        assert_eq!(drawn(Draw { temperature, ..all }, &[1, 4]), [2]);
    }

    #[test]
    fn the_likeliest_are_those_of_a_sorted_list() {
        let mut random = Random::new(3, 3);
        for n in 1..60 {
            let weights: Vec<f32> = (0..n)
                .map(|_| (random.unit() * 8.0).floor() as f32)
                .collect();
            let by_rank = |a: &u32, b: &u32| {
                let (wa, wb) = (weights[*a as usize], weights[*b as usize]);
                wb.total_cmp(&wa).then(a.cmp(b))
            };
            let mut sorted: Vec<u32> = (0..n).collect();
            let total = total_weight(&sorted, &weights);
            sorted.sort_unstable_by(by_rank);
            for share in [0.001, 0.3, 0.5, 0.9, 1.0, 1.1] {
                let enough = share * total;
                let fewest =
                    (1..=sorted.len()).find(|k| total_weight(&sorted[..*k], &weights) >= enough);
                let fewest = fewest.unwrap_or(sorted.len());
                let mut tokens: Vec<u32> = (0..n).rev().collect();
                let kept = likeliest(&mut tokens, &weights, enough, by_rank);
                assert_eq!(kept, fewest, "{weights:?} {share}");
                let mut front = tokens[..kept].to_vec();
                front.sort_unstable_by(by_rank);
                assert_eq!(front, sorted[..kept]);
            }
        }
    }

    #[test]
    fn the_top_is_sorted_and_ties_go_to_the_lower_id() {
        let top = top(&LOGITS, Measure::Plain { norm: 0.0 }, 3);
        let top: Vec<u32> = top.into_iter().map(|(id, _)| id).collect();
        assert_eq!(top, [1, 4, 2]);
    }
}
