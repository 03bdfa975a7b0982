//! Every format of rows, what it is read as, and the shapes of its tensors.

#![expect(clippy::print_stdout, reason = "an example")]

use tinker_data::{Dataset, EncodedExample, Example, Renderer};

/// One row of each format.
const ROWS: [(&str, &str); 10] = [
    (
        "prompt and completion",
        r#"{"prompt": "big ->", "completion": " small"}"#,
    ),
    (
        "chat",
        r#"{"messages": [{"role": "user", "content": "big?"}, {"role": "assistant", "content": "small"}]}"#,
    ),
    (
        "ShareGPT",
        r#"{"conversations": [{"from": "human", "value": "big?"}, {"from": "gpt", "value": "small"}]}"#,
    ),
    (
        "Alpaca",
        r#"{"instruction": "Name the opposite.", "input": "big", "output": "small"}"#,
    ),
    (
        "glaive",
        r#"{"system": "SYSTEM: Be brief.", "chat": "USER: big?\n\n\nASSISTANT: small <|endoftext|>"}"#,
    ),
    (
        "question and answer",
        r#"{"question": "big?", "answer": "small"}"#,
    ),
    ("text", r#"{"text": "Big and small."}"#),
    (
        "preference",
        r#"{"prompt": "big ->", "chosen": " small", "rejected": " tiny"}"#,
    ),
    (
        "problem",
        r#"{"prompt": "2 + 2 =", "answer": "4", "level": 1}"#,
    ),
    (
        "tokens",
        r#"{"tokens": [98, 105, 103, 256], "weights": [0, 1, 1, 1]}"#,
    ),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let renderer = Renderer::plain();
    for (name, row) in ROWS {
        let dataset = Dataset::parse("row.jsonl", row.as_bytes())?;
        let [row] = &dataset.rows[..] else {
            return Err("one row".into());
        };
        match &row.example {
            Example::Problem {
                prompt,
                answer,
                metadata,
            } => {
                let answer = answer.as_ref().map(ToString::to_string);
                println!(
                    "{name}: {prompt:?}, answer {answer:?}, {} for the reward",
                    metadata.len()
                );
            }
            _ => {
                for (encoded, spans) in row.spans(&renderer)? {
                    println!("{name}: {}", shapes(&encoded));
                    for span in spans {
                        println!(
                            "  {} {:?}",
                            if span.weight > 0.0 {
                                "learned"
                            } else {
                                "context"
                            },
                            span.text
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

/// Names and shapes of the tensors of a datum.
fn shapes(encoded: &EncodedExample) -> String {
    let inputs = encoded.datum.loss_fn_inputs.iter();
    let inputs: Vec<String> = inputs
        .map(|(name, tensor)| {
            let integers = tensor.as_i64().map(<[i64]>::len);
            let length = integers.or(tensor.as_f32().map(<[f32]>::len));
            format!("{name} [{}]", length.unwrap_or_default())
        })
        .collect();
    let input = encoded.datum.model_input.length().unwrap_or_default();
    format!("model_input [{input}], {}", inputs.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tinker_data::Format;

    use super::*;

    #[test]
    fn every_format_has_a_row() -> Result<(), Box<dyn std::error::Error>> {
        let mut formats = BTreeSet::new();
        for (_, row) in ROWS {
            let dataset = Dataset::parse("row.jsonl", row.as_bytes())?;
            formats.extend(dataset.notes.formats.into_keys());
        }
        assert_eq!(formats, Format::ALL.into());
        main()
    }
}
