//! Mutations of inputs, for runs without a fuzzer.

/// Bytes with a meaning in more than one of the formats.
const WORDS: [&[u8]; 12] = [
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"\"\"",
    b"[[[[[[[[",
    b"{\"",
    b"\\ud800",
    b"../",
    b"%00",
    b"\xff\xff\xff\xff\x0f",
    b"\x28\xb5\x2f\xfd",
];

/// A mutated seed, or random bytes.
pub fn mutated(random: &mut fastrand::Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = match seeds.len() {
        0 => Vec::new(),
        count => seeds[random.usize(..count)].clone(),
    };
    if random.u8(..16) == 0 {
        let length = random.usize(..64);
        bytes = std::iter::repeat_with(|| random.u8(..))
            .take(length)
            .collect();
    }
    for _ in 0..random.usize(1..6) {
        change(random, seeds, &mut bytes);
    }
    bytes
}

fn change(random: &mut fastrand::Rng, seeds: &[Vec<u8>], bytes: &mut Vec<u8>) {
    let at = random.usize(..=bytes.len());
    let end = (at + random.usize(..16)).min(bytes.len());
    match random.u8(..7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
        1 if at < bytes.len() => bytes[at] = random.u8(..),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        4 => drop(bytes.splice(at..at, WORDS[random.usize(..WORDS.len())].iter().copied())),
        5 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        _ => {
            let Some(other) = seeds.get(random.usize(..seeds.len().max(1))) else {
                return;
            };
            let from = random.usize(..=other.len());
            let to = (from + random.usize(..64)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
    }
}
