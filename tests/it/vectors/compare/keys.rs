//! Idempotency keys: present where recorded, equal for all attempts of a call, different between
//! calls.

use crate::vectors::script::Identity;
use crate::vectors::sent::Sent;
use crate::vectors::vector::Vector;
use crate::vectors::verdict::{Aspect, Mismatch};

const KEY: &str = "x-idempotency-key";

pub(super) fn compare(vector: &Vector, sent: &[Sent], found: &mut Vec<Mismatch>) {
    let pairs: Vec<_> = vector
        .pairs(sent)
        .map(|(_, exchange, sent)| (exchange, sent))
        .collect();
    let mut differ = |n: u64, what: &str| {
        let what = format!("exchange {n}: {what}");
        found.push(Mismatch::new(Aspect::Keys, what));
    };
    for (exchange, sent) in &pairs {
        match (exchange.request.header(KEY), sent.header(KEY)) {
            (Some(_), None) => differ(exchange.n, "no idempotency key"),
            (None, Some(_)) => differ(exchange.n, "an idempotency key where there was none"),
            _ => {}
        }
    }
    for (index, (exchange, sent)) in pairs.iter().enumerate() {
        for (later, sent_later) in &pairs[index + 1..] {
            let recorded = (exchange.request.header(KEY), later.request.header(KEY));
            let is_same_call = recorded.0 == recorded.1;
            let is_same_key = sent.header(KEY) == sent_later.header(KEY);
            let is_keyed = recorded.0.is_some() && recorded.1.is_some();
            if is_keyed && is_same_call && !is_same_key {
                differ(later.n, "another idempotency key than the try before");
            }
            let are_repeats = Identity::sent(sent) == Identity::sent(sent_later);
            if is_keyed && is_same_key && !is_same_call && !are_repeats {
                differ(later.n, "the idempotency key of another call");
            }
        }
    }
}
