//! Output of texts while they are generated.

use tinker_client::{SampleEvent, SampledSequence};
use tinker_data::{ChatError, Renderer};

use crate::report;
use crate::style::{FAINT, paint};

/// The texts of one request. They are generated side by side and printed one after another: a text is printed when those
/// before it are complete.
#[derive(Debug)]
pub(super) struct TextStream<'a> {
    renderer: &'a Renderer,
    texts: Vec<Text>,
    /// Index of the text that is being printed.
    current: usize,
    has_begun: bool,
}

#[derive(Debug, Clone, Default)]
struct Text {
    tokens: Vec<u32>,
    /// The part that has been printed.
    shown: String,
    is_complete: bool,
}

impl<'a> TextStream<'a> {
    /// Starts with `count` empty texts.
    pub(super) fn new(renderer: &'a Renderer, count: usize) -> Self {
        Self {
            renderer,
            texts: vec![Text::default(); count],
            current: 0,
            has_begun: false,
        }
    }

    /// Prints what an event adds.
    pub(super) fn update(&mut self, event: &SampleEvent) -> anyhow::Result<()> {
        match event {
            SampleEvent::Tokens {
                sequence,
                tokens,
                stop_reason,
                ..
            } => self.add(*sequence, tokens, stop_reason.is_some()),
            SampleEvent::Done(response) => self.complete(&response.sequences),
            _ => {}
        }
        let text = self.next()?;
        if !text.is_empty() {
            report::write(text.as_bytes())?;
        }
        Ok(())
    }

    /// Adds tokens to a text, which may be its last.
    fn add(&mut self, text: usize, tokens: &[u32], is_complete: bool) {
        if let Some(text) = self.texts.get_mut(text) {
            text.tokens.extend_from_slice(tokens);
            text.is_complete = is_complete;
        }
    }

    /// Completes all texts. The result is whole even if the events before it were not.
    fn complete(&mut self, sequences: &[SampledSequence]) {
        for (text, sequence) in self.texts.iter_mut().zip(sequences) {
            text.tokens.clone_from(&sequence.tokens);
            text.is_complete = true;
        }
    }

    /// Returns the text that can be printed now and has not been printed.
    fn next(&mut self) -> Result<String, ChatError> {
        let mut out = String::new();
        let count = self.texts.len();
        while let Some(text) = self.texts.get_mut(self.current) {
            if !self.has_begun && count > 1 {
                let header = format!("--- {} of {count} ---", self.current + 1);
                out += &format!("{}\n", paint(FAINT, header));
            }
            self.has_begun = true;
            out += &text.advance(self.renderer)?;
            if !text.is_complete {
                break;
            }
            out.push('\n');
            self.current += 1;
            self.has_begun = false;
        }
        Ok(out)
    }

    /// Whether the last printed line has no end yet.
    fn is_in_line(&self) -> bool {
        let current = self.texts.get(self.current);
        current.is_some_and(|text| !text.shown.is_empty() && !text.shown.ends_with('\n'))
    }
}

impl Drop for TextStream<'_> {
    /// Ends the last printed line, also after an error or an interrupt.
    fn drop(&mut self) {
        if self.is_in_line() {
            // An error here has been reported already.
            let _unwritten = report::write(b"\n");
        }
    }
}

impl Text {
    /// Returns the part of the text that was not printed before. An incomplete character waits for its other bytes.
    fn advance(&mut self, renderer: &Renderer) -> Result<String, ChatError> {
        let whole = renderer.answer(&self.tokens)?;
        let ready = if self.is_complete {
            whole.as_str()
        } else {
            whole.trim_end_matches('\u{fffd}')
        };
        // A tokenizer may decode earlier tokens differently once more follow: then wait for the complete text.
        let Some(new) = ready.strip_prefix(&self.shown) else {
            return Ok(if self.is_complete {
                format!("\n{ready}")
            } else {
                String::new()
            });
        };
        let new = new.to_owned();
        self.shown.push_str(&new);
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    fn sequences(texts: &[Vec<u32>]) -> Vec<SampledSequence> {
        let sequence = |tokens| serde_json::json!({"stop_reason": "stop", "tokens": tokens});
        let all = texts.iter().map(sequence).collect();
        serde_json::from_value(all).unwrap()
    }

    fn show(texts: &mut TextStream<'_>) -> String {
        anstream::adapter::strip_str(&texts.next().unwrap()).to_string()
    }

    #[test]
    fn a_text_is_printed_as_it_is_generated() {
        let renderer = Renderer::plain();
        let mut texts = TextStream::new(&renderer, 1);
        assert_eq!(show(&mut texts), "");
        texts.add(0, &tokens("ab"), false);
        assert_eq!(show(&mut texts), "ab");
        assert_eq!(show(&mut texts), "");
        texts.add(0, &tokens("c"), false);
        assert_eq!(show(&mut texts), "c");
        assert!(texts.is_in_line());
        texts.add(0, &[256], true);
        assert_eq!(show(&mut texts), "\n");
        texts.complete(&sequences(&[[tokens("abc"), vec![256]].concat()]));
        assert_eq!(show(&mut texts), "");
        assert!(!texts.is_in_line());
    }

    #[test]
    fn a_character_waits_for_all_of_its_bytes() {
        let renderer = Renderer::plain();
        let mut texts = TextStream::new(&renderer, 1);
        let bytes = tokens("aé");
        texts.add(0, &bytes[..2], false);
        assert_eq!(show(&mut texts), "a");
        texts.add(0, &bytes[2..], false);
        assert_eq!(show(&mut texts), "é");
        // One that never gets them becomes the replacement character.
        texts.add(0, &bytes[1..2], false);
        assert_eq!(show(&mut texts), "");
        texts.complete(&sequences(&[[&bytes[..], &bytes[1..2]].concat()]));
        assert_eq!(show(&mut texts), "\u{fffd}\n");
    }

    #[test]
    fn the_result_completes_texts_without_events() {
        let renderer = Renderer::plain();
        let mut texts = TextStream::new(&renderer, 1);
        texts.add(0, &tokens("a"), false);
        texts.complete(&sequences(&[tokens("abc")]));
        assert_eq!(show(&mut texts), "abc\n");
    }

    #[test]
    fn several_texts_are_printed_in_order() {
        let renderer = Renderer::plain();
        let mut texts = TextStream::new(&renderer, 3);
        texts.add(1, &tokens("tw"), false);
        assert_eq!(show(&mut texts), "--- 1 of 3 ---\n");
        texts.add(0, &tokens("on"), false);
        assert_eq!(show(&mut texts), "on");
        texts.add(1, &tokens("o"), true);
        texts.add(0, &tokens("e"), true);
        assert_eq!(show(&mut texts), "e\n--- 2 of 3 ---\ntwo\n--- 3 of 3 ---\n");
        texts.add(2, &tokens("three"), true);
        assert_eq!(show(&mut texts), "three\n");
    }
}
