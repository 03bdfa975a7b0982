//! Splitting of a batch into requests.

use std::ops::Range;

use tinker_types::Datum;

/// The data of one request, and their estimated size in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) data: Range<usize>,
    pub(crate) bytes: u64,
}

/// Splits data into requests of at most `most_data` data and `most_bytes` estimated bytes, greedily and in order. A
/// larger datum is sent alone.
pub(crate) fn split(data: &[Datum], most_data: u64, most_bytes: u64) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (index, datum) in data.iter().enumerate() {
        let bytes = datum.estimated_bytes() as u64;
        match parts.last_mut() {
            Some(part)
                if (part.data.len() as u64) < most_data
                    && part.bytes.saturating_add(bytes) <= most_bytes =>
            {
                part.data.end = index + 1;
                part.bytes += bytes;
            }
            _ => parts.push(Part {
                data: index..index + 1,
                bytes,
            }),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A datum with an estimated size of `4 * tokens` bytes.
    fn datum(tokens: usize) -> Datum {
        Datum::new(tinker_types::ModelInput::from_tokens(vec![7; tokens]))
    }

    #[test]
    fn limits_of_zero_still_send_everything_one_by_one() {
        assert_eq!(split(&[datum(1), datum(2)], 0, 0).len(), 2);
        assert!(split(&[], 10, 10).is_empty());
    }

    proptest! {
        #[test]
        fn parts_tile_the_batch_within_both_limits(
            sizes in proptest::collection::vec(0_usize..40, 0..60),
            most_data in 1_u64..8,
            most_bytes in 1_u64..120,
        ) {
            let data: Vec<Datum> = sizes.iter().map(|&size| datum(size)).collect();
            let parts = split(&data, most_data, most_bytes);
            let mut next = 0;
            for (index, part) in parts.iter().enumerate() {
                prop_assert_eq!(part.data.start, next);
                next = part.data.end;
                let bytes: u64 = sizes[part.data.clone()].iter().map(|&n| 4 * n as u64).sum();
                prop_assert_eq!(part.bytes, bytes);
                prop_assert!(part.data.len() as u64 <= most_data);
                prop_assert!(bytes <= most_bytes || part.data.len() == 1);
                // Greedy: the first datum of the next part did not fit into this one.
                if let Some(after) = parts.get(index + 1) {
                    let first = 4 * sizes[after.data.start] as u64;
                    let is_full = part.data.len() as u64 == most_data;
                    prop_assert!(is_full || bytes + first > most_bytes);
                }
            }
            prop_assert_eq!(next, data.len());
        }
    }
}
