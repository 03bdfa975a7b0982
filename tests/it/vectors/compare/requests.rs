//! Requests: routes, bodies and order.

use super::telemetry;
use crate::vectors::exchange::Answer;
use crate::vectors::message::Message;
use crate::vectors::sent::{Answered, Sent};
use crate::vectors::vector::Vector;
use crate::vectors::verdict::{Aspect, Mismatch};

pub(super) fn compare(vector: &Vector, sent: &[Sent], found: &mut Vec<Mismatch>) {
    let unexpected = sent
        .iter()
        .filter(|sent| sent.answered == Answered::Unexpected);
    for sent in unexpected {
        let what = format!("sent {}, which was not recorded", sent.title());
        found.push(Mismatch::new(Aspect::Requests, what));
    }
    for (index, exchange) in vector.exchanges.iter().enumerate() {
        let is_sent = sent.iter().any(|sent| sent.recorded() == Some(index));
        if !is_sent {
            let asked = &exchange.request;
            let what = format!(
                "did not send exchange {}, {} {}",
                exchange.n, asked.method, asked.path
            );
            found.push(Mismatch::new(Aspect::Requests, what));
        }
    }
    for (_, exchange, sent) in vector.pairs(sent) {
        let what = match (Message::recorded(&exchange.request), sent.message.clone()) {
            (Ok(recorded), Ok(message)) if exchange.request.route() == ["telemetry"] => {
                telemetry::difference(&recorded, &message)
            }
            (Ok(recorded), Ok(message)) => recorded.difference(&message),
            (Err(error), _) | (_, Err(error)) => Some(error),
        };
        found.extend(what.map(|what| {
            let what = format!("exchange {}, {}: {what}", exchange.n, exchange.request.path);
            Mismatch::new(Aspect::Body, what)
        }));
    }
}

/// Whether the order of a request matters; the others run concurrently.
fn has_a_place(path: &str) -> bool {
    let free = [
        "asample",
        "retrieve_future",
        "retrieve_futures",
        "telemetry",
    ];
    let free = free.iter().any(|route| path.ends_with(route));
    !free && !path.ends_with("session_heartbeat") && !path.ends_with("dynamic_config")
}

/// Checks that submissions are sent in the recorded order, and not before the answers they waited for.
pub(super) fn compare_order(vector: &Vector, sent: &[Sent], found: &mut Vec<Mismatch>) {
    let placed: Vec<_> = vector
        .pairs(sent)
        .filter(|(_, exchange, _)| has_a_place(&exchange.request.path))
        .collect();
    for pair in placed.windows(2) {
        let [(before, first, _), (after, second, _)] = pair else {
            continue;
        };
        if before > after {
            let what = format!("exchange {} was sent before exchange {}", first.n, second.n);
            found.push(Mismatch::new(Aspect::Order, what));
        }
    }
    for (_, earlier, sent_first) in &placed {
        let delay = earlier
            .response
            .as_ref()
            .map_or_else(Default::default, Answer::delay);
        for (_, later, sent_second) in &placed {
            let was_held_back = !delay.is_zero()
                && later.at > earlier.at
                && later.at >= earlier.answered_at()
                && earlier.n != later.n;
            if was_held_back && sent_second.at < sent_first.at + delay {
                let what = format!(
                    "exchange {} was sent before exchange {} was answered",
                    later.n, earlier.n
                );
                found.push(Mismatch::new(Aspect::Order, what));
            }
        }
    }
}
