//! Pairs of a recorded exchange and a request of our client.

use crate::vectors::exchange::Exchange;
use crate::vectors::sent::Sent;
use crate::vectors::vector::Vector;

/// Recorded exchanges, each with the requests of our client for it, in the order of sending.
pub(super) fn pairs<'a>(
    vector: &'a Vector,
    sent: &'a [Sent],
) -> impl Iterator<Item = (usize, &'a Exchange, &'a Sent)> + Clone {
    sent.iter().filter_map(|sent| {
        let index = sent.recorded()?;
        Some((index, &vector.exchanges[index], sent))
    })
}
