//! Waits between attempts.

use crate::vectors::script::Identity;
use crate::vectors::sent::Sent;
use crate::vectors::vector::Vector;
use crate::vectors::verdict::{Aspect, Mismatch};

/// Waits of at least this length are compared; shorter ones are noise of the recording.
const RULE: f64 = 0.9;
/// Greatest difference of a wait.
const SHARE: f64 = 0.15;
/// Greatest addition to a short wait.
const PATIENCE: f64 = 2.0;

pub(super) fn compare(vector: &Vector, sent: &[Sent], found: &mut Vec<Mismatch>) {
    let pairs: Vec<_> = vector
        .pairs(sent)
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
