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
    fn estimates_count_what_a_datum_holds() {
        let image = tinker_types::Image {
            data: vec![0; 100],
            format: tinker_types::ImageFormat::Png,
            expected_tokens: None,
        };
        let pointer = tinker_types::AssetPointer {
            format: tinker_types::ImageFormat::Png,
            location: "https://x/y".to_owned(),
            expected_tokens: None,
        };
        let audio = tinker_types::Dmel { dmel: vec![0; 7] };
        let chunks = vec![
            tinker_types::Chunk::text([1, 2, 3]),
            tinker_types::Chunk::Image(image),
            tinker_types::Chunk::ImagePointer(pointer),
            tinker_types::Chunk::Dmel(audio),
        ];
        let values = tinker_types::Elements::Float32([0.5].into());
        let sparse = tinker_types::TensorData::csr(values, [0, 0, 1], [2], [2, 3]).unwrap();
        let datum = Datum::new(tinker_types::ModelInput::new(chunks))
            .with_input("target_tokens", vec![1_i64, 2])
            .with_input("weights", sparse);
        // Tokens, image, location, audio; two ids; a value with three row and one column index.
        let tensors = 2 * 8 + (4 + 4 * 8);
        assert_eq!(datum.estimated_bytes(), 3 * 4 + 100 + 11 + 7 + tensors);
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
