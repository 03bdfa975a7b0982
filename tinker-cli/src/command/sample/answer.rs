//! Generated texts and their output.

use serde::Serialize;
use tinker_data::{ChatError, Renderer};
use tinker_types::{SampledSequence, StopReason};

use crate::format;
use crate::report::Printable;
use crate::style::{FAINT, TerminalStyle, paint};

/// Result of the command.
#[derive(Debug, Serialize)]
pub(super) struct Sampled {
    pub(super) model: String,
    pub(super) prompt: String,
    pub(super) prompt_tokens: usize,
    pub(super) samples: Vec<Generated>,
}

/// A generated text.
#[derive(Debug, Serialize)]
pub(super) struct Generated {
    text: String,
    stop_reason: StopReason,
    tokens: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Vec<f32>>,
    /// Text of each token, to print beside its log probability.
    #[serde(skip)]
    pieces: Vec<String>,
}

impl Generated {
    /// Decodes a sequence; `logprobs` keeps its log probabilities.
    pub(super) fn new(
        sequence: &SampledSequence,
        renderer: &Renderer,
        logprobs: bool,
    ) -> Result<Self, ChatError> {
        // A server that stops at texts alone goes on behind the end of the answer.
        let ends = renderer.end_tokens();
        let end = sequence
            .tokens
            .iter()
            .position(|token| ends.contains(token));
        let count = end.map_or(sequence.tokens.len(), |end| end + 1);
        let stop_reason = match end {
            Some(_) => StopReason::Stop,
            None => sequence.stop_reason,
        };
        let tokens = sequence.tokens[..count].to_vec();
        let mut logprobs = sequence.logprobs.clone().filter(|_| logprobs);
        if let Some(logprobs) = &mut logprobs {
            logprobs.truncate(count);
        }
        let pieces = match logprobs {
            Some(_) => tokens
                .iter()
                .map(|token| piece(*token, renderer))
                .collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        Ok(Self {
            text: renderer.answer(&tokens)?,
            stop_reason,
            tokens,
            logprobs,
            pieces,
        })
    }
}

/// Printable form of a token: its text, or its id in parentheses if it has no text.
fn piece(token: u32, renderer: &Renderer) -> Result<String, ChatError> {
    if renderer.end_tokens().contains(&token) {
        return Ok("(end)".to_owned());
    }
    let text = renderer.tokenizer().decode(&[token])?;
    Ok(if text.is_empty() || text.contains('\u{fffd}') {
        format!("({token})")
    } else {
        text
    })
}

impl Printable for Sampled {
    fn to_text(&self, style: TerminalStyle) -> String {
        let mut out = String::new();
        for (index, sample) in self.samples.iter().enumerate() {
            if self.samples.len() > 1 {
                let header = format!("--- {} of {} ---", index + 1, self.samples.len());
                out += &format!("{}\n", paint(FAINT, header));
            }
            out += &format!("{}\n", sample.text);
            if let Some(logprobs) = &sample.logprobs {
                out.push('\n');
                for (piece, logprob) in sample.pieces.iter().zip(logprobs) {
                    let piece = if piece == " " {
                        "' '".to_owned()
                    } else {
                        format::one_line(piece, 24, style.unicode)
                    };
                    out += &format!("{logprob:>10.4}  {piece}\n");
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(texts: &[&str], logprobs: bool) -> Sampled {
        let renderer = Renderer::plain();
        let generated = |text: &&str| {
            let mut tokens: Vec<u32> = text.bytes().map(u32::from).collect();
            tokens.push(256);
            let mut sequence = SampledSequence::new(StopReason::Stop, tokens);
            sequence.logprobs = Some(vec![-0.5; sequence.tokens.len()]);
            Generated::new(&sequence, &renderer, logprobs).unwrap()
        };
        Sampled {
            model: "m".into(),
            prompt: "p".into(),
            prompt_tokens: 1,
            samples: texts.iter().map(generated).collect(),
        }
    }

    fn plain(sampled: &Sampled) -> String {
        let text = sampled.to_text(TerminalStyle {
            unicode: true,
            width: 80,
        });
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn one_text_stands_alone_and_several_are_numbered() {
        assert_eq!(plain(&sampled(&["one"], false)), "one\n");
        let both = plain(&sampled(&["one", "two"], false));
        assert_eq!(both, "--- 1 of 2 ---\none\n--- 2 of 2 ---\ntwo\n");
    }

    #[test]
    fn log_probabilities_stand_beside_their_tokens() {
        let text = plain(&sampled(&["a "], true));
        assert_eq!(
            text,
            "a \n\n   -0.5000  a\n   -0.5000  ' '\n   -0.5000  (end)\n"
        );
    }

    #[test]
    fn tokens_behind_the_end_are_left_out() {
        let mut sequence = SampledSequence::new(StopReason::Length, vec![97, 256, 98]);
        sequence.logprobs = Some(vec![-0.5; 3]);
        let generated = Generated::new(&sequence, &Renderer::plain(), true).unwrap();
        assert_eq!(
            (generated.text.as_str(), &generated.tokens[..]),
            ("a", &[97, 256][..])
        );
        assert_eq!(generated.stop_reason, StopReason::Stop);
        assert_eq!(generated.logprobs.unwrap().len(), 2);
    }

    #[test]
    fn the_json_form_has_tokens_and_the_reason() {
        let json = serde_json::to_value(sampled(&["a"], false)).unwrap();
        assert_eq!(
            json["samples"][0],
            serde_json::json!({"text": "a", "stop_reason": "stop", "tokens": [97, 256]})
        );
        let json = serde_json::to_value(sampled(&["a"], true)).unwrap();
        assert_eq!(
            json["samples"][0]["logprobs"],
            serde_json::json!([-0.5, -0.5])
        );
    }
}
