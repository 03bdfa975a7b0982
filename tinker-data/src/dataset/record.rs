//! Encoded examples as bytes.

use tinker_types::Datum;

use crate::chat::{EncodedExample, Rule, parts};

/// A datum of tokens and weights: tokens as variable-length numbers, weights as runs.
const PARTS: u8 = 0;
/// Any other datum, as JSON.
const JSON: u8 = 1;

/// Appends an example.
pub(super) fn write(example: &EncodedExample, bytes: &mut Vec<u8>) -> serde_json::Result<()> {
    let Some((tokens, weights)) = parts(&example.datum) else {
        bytes.push(JSON);
        return serde_json::to_writer(bytes, &example.datum);
    };
    bytes.extend([PARTS, example.rule as u8]);
    number(example.merged_seams as u64, bytes);
    number(tokens.len() as u64, bytes);
    for token in tokens {
        number(u64::from(token), bytes);
    }
    for run in weights.chunk_by(|a, b| a.to_bits() == b.to_bits()) {
        number(run.len() as u64, bytes);
        bytes.extend(run.first().unwrap_or(&0.0).to_le_bytes());
    }
    Ok(())
}

/// The example that [`write`] wrote; `None` if the bytes are damaged.
pub(super) fn read(bytes: &[u8]) -> Option<EncodedExample> {
    let (kind, mut rest) = bytes.split_first()?;
    if *kind == JSON {
        let datum: Datum = serde_json::from_slice(rest).ok()?;
        return Some(EncodedExample::given(datum));
    }
    let rule = RULES.get(usize::from(*rest.split_off_first()?))?;
    let merged = take_number(&mut rest)?;
    let length = usize::try_from(take_number(&mut rest)?).ok()?;
    // Each token has at least one byte.
    if *kind != PARTS || length > rest.len() {
        return None;
    }
    let tokens = (0..length).map(|_| u32::try_from(take_number(&mut rest)?).ok());
    let tokens: Vec<u32> = tokens.collect::<Option<_>>()?;
    let mut weights = Vec::with_capacity(length);
    while !rest.is_empty() {
        let run = usize::try_from(take_number(&mut rest)?).ok()?;
        let weight = f32::from_le_bytes(*rest.split_off(..4)?.first_chunk()?);
        if run > length - weights.len() {
            return None;
        }
        weights.resize(weights.len() + run, weight);
    }
    EncodedExample::from_parts(tokens, weights, *rule, usize::try_from(merged).ok()?).ok()
}

/// Rules by the number that stands for them.
const RULES: [Rule; 6] = [
    Rule::Given,
    Rule::AfterPrompt,
    Rule::AfterOpening,
    Rule::AfterChangedPrompt,
    Rule::OneRendering,
    Rule::TemplateBlocks,
];

/// Appends a number, seven bits in each byte, the lowest first.
fn number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tinker_types::ModelInput;

    use super::*;

    fn written(example: &EncodedExample) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(example, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let mut random = fastrand::Rng::with_seed(1);
        for length in 2..60 {
            let token = |_| random.u32(..) >> random.u32(0..32);
            let tokens = (0..length).map(token).collect();
            let weight = |_| [0.0, 1.0, 0.25][random.usize(..3)];
            let weights = (0..length).map(weight).collect();
            let rule = RULES[length % RULES.len()];
            let example = EncodedExample::from_parts(tokens, weights, rule, length).unwrap();
            let bytes = written(&example);
            assert_eq!(read(&bytes), Some(example));
            assert!(
                (0..bytes.len()).all(|end| read(&bytes[..end]).is_none()),
                "cut bytes are no example"
            );
        }
        for (at, rule) in RULES.into_iter().enumerate() {
            assert_eq!(rule as usize, at);
        }
    }

    #[test]
    fn other_data_are_kept_whole() {
        let advantages = Datum::new(ModelInput::from_tokens([1, 2]))
            .with_input("target_tokens", vec![7_i64, 8])
            .with_input("weights", vec![0.1_f32, 1.0])
            .with_input("advantages", vec![-0.3_f32, 1.5e-7]);
        let shifted_otherwise = Datum::new(ModelInput::from_tokens([1, 2]))
            .with_input("target_tokens", vec![7_i64, 8])
            .with_input("weights", vec![0.1_f32, 1.0]);
        for datum in [advantages, shifted_otherwise] {
            let example = EncodedExample::given(datum);
            assert_eq!(read(&written(&example)), Some(example));
        }
    }
}
