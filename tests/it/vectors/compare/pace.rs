//! How long a client waits before it asks again.

use super::pairs;
use crate::vectors::script::Identity;
use crate::vectors::sent::Sent;
use crate::vectors::vector::Vector;
use crate::vectors::verdict::{Aspect, Mismatch};

/// Waits from here on are rules; shorter ones drown in the noise of the recording.
const RULE: f64 = 0.9;
/// Most that a wait may be off.
const SHARE: f64 = 0.15;
/// Most that we may add to a short wait.
const PATIENCE: f64 = 2.0;

pub(super) fn compare(vector: &Vector, sent: &[Sent], found: &mut Vec<Mismatch>) {
    let pairs: Vec<_> = pairs(vector, sent)
        .map(|(_, exchange, sent)| (Identity::sent(sent), exchange, sent))
        .collect();
    for (index, (identity, exchange, sent)) in pairs.iter().enumerate() {
        let mut later = pairs[index + 1..].iter();
        let Some((_, next, sent_next)) = later.find(|(other, ..)| other == identity) else {
            continue;
        };
        let recorded = next.at - exchange.at;
        let ours = (sent_next.at.saturating_sub(sent.at)).as_secs_f64();
        let is_off = if recorded < RULE {
            ours > recorded + PATIENCE
        } else {
            (ours - recorded).abs() > recorded * SHARE
        };
        if is_off {
            let what = format!(
                "exchange {} came {recorded:.2} s after {}; ours {ours:.2} s",
                next.n, exchange.n
            );
            found.push(Mismatch::new(Aspect::Pace, what));
        }
    }
}
