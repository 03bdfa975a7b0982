//! Texts on the terminal while they are generated.

use anyhow::{Context as _, anyhow};
use tinker_client::{SampleOptions, SamplingClient};
use tinker_data::{ChatError, Renderer};
use tinker_local::{LocalEngine, SampleEvent};
use tinker_types::{ModelInput, SampleRequest};

use crate::look::{FAINT, paint};
use crate::report;

/// Generates texts and shows them on the way. Dropping it cancels them.
pub(super) async fn run(
    engine: &LocalEngine,
    sampler: &SamplingClient,
    input: ModelInput,
    options: SampleOptions,
    renderer: &Renderer,
) -> anyhow::Result<()> {
    // The client has asked this sampler for nothing, so the first number is free.
    let mut request = SampleRequest::new(sampler.sampler_id().clone(), 0, input);
    request.sampling_params = options.params;
    request.num_samples = options.num_samples;
    let mut line = Line(Live::new(renderer, request.num_samples as usize));
    let mut stream = engine.stream(&request)?;
    while let Some(event) = stream.next().await {
        match event {
            SampleEvent::Tokens {
                sequence,
                tokens,
                stop_reason,
                ..
            } => line.0.hear(sequence, &tokens, stop_reason.is_some()),
            SampleEvent::Done(_) => line.0.complete(),
            SampleEvent::Failed { error, .. } => {
                return Err(anyhow!(error)).context("sampling failed");
            }
            _ => continue,
        }
        let shown = line.0.show()?;
        if !shown.is_empty() {
            report::write(shown.as_bytes())?;
        }
    }
    Ok(())
}

/// Ends the line that has been begun, however the showing ends.
struct Line<'a>(Live<'a>);

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if self.0.is_in_line() {
            // On the way out of an error, which is what matters.
            let _unwritten = report::write(b"\n");
        }
    }
}

/// Texts of one request, told piece by piece. They come side by side and are shown one after another: what comes of a
/// later one is shown when those before it are complete.
#[derive(Debug)]
pub(super) struct Live<'a> {
    renderer: &'a Renderer,
    texts: Vec<Text>,
    /// The text that is being shown.
    current: usize,
    has_begun: bool,
}

#[derive(Debug, Clone, Default)]
struct Text {
    tokens: Vec<u32>,
    /// As far as it has been shown.
    shown: String,
    is_complete: bool,
}

impl<'a> Live<'a> {
    /// So many texts, of which nothing is known.
    pub(super) fn new(renderer: &'a Renderer, count: usize) -> Self {
        Self {
            renderer,
            texts: vec![Text::default(); count],
            current: 0,
            has_begun: false,
        }
    }

    /// Takes in more tokens of a text, which may be its last.
    pub(super) fn hear(&mut self, text: usize, tokens: &[u32], is_complete: bool) {
        if let Some(text) = self.texts.get_mut(text) {
            text.tokens.extend_from_slice(tokens);
            text.is_complete = is_complete;
        }
    }

    /// All tokens of all texts are there.
    pub(super) fn complete(&mut self) {
        for text in &mut self.texts {
            text.is_complete = true;
        }
    }

    /// What can be shown now and has not been.
    pub(super) fn show(&mut self) -> Result<String, ChatError> {
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

    /// Whether a line has been begun and not ended.
    pub(super) fn is_in_line(&self) -> bool {
        let current = self.texts.get(self.current);
        current.is_some_and(|text| !text.shown.is_empty() && !text.shown.ends_with('\n'))
    }
}

impl Text {
    /// The part of the text that was not shown before. A character whose bytes are not all there yet waits for them.
    fn advance(&mut self, renderer: &Renderer) -> Result<String, ChatError> {
        let whole = renderer.answer(&self.tokens)?;
        let ready = if self.is_complete {
            whole.as_str()
        } else {
            whole.trim_end_matches('\u{fffd}')
        };
        // A tokenizer may change its mind about what it has said; that is waited out.
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

    fn show(live: &mut Live<'_>) -> String {
        anstream::adapter::strip_str(&live.show().unwrap()).to_string()
    }

    #[test]
    fn a_text_is_shown_as_it_comes() {
        let renderer = Renderer::plain();
        let mut live = Live::new(&renderer, 1);
        assert_eq!(show(&mut live), "");
        live.hear(0, &tokens("ab"), false);
        assert_eq!(show(&mut live), "ab");
        assert_eq!(show(&mut live), "");
        live.hear(0, &tokens("c"), false);
        assert_eq!(show(&mut live), "c");
        assert!(live.is_in_line());
        live.hear(0, &[256], true);
        assert_eq!(show(&mut live), "\n");
        live.complete();
        assert_eq!(show(&mut live), "");
        assert!(!live.is_in_line());
    }

    #[test]
    fn a_character_waits_for_all_of_its_bytes() {
        let renderer = Renderer::plain();
        let mut live = Live::new(&renderer, 1);
        let bytes = tokens("aé");
        live.hear(0, &bytes[..2], false);
        assert_eq!(show(&mut live), "a");
        live.hear(0, &bytes[2..], false);
        assert_eq!(show(&mut live), "é");
        // One that never gets them is shown as what it is.
        live.hear(0, &bytes[1..2], false);
        assert_eq!(show(&mut live), "");
        live.complete();
        assert_eq!(show(&mut live), "\u{fffd}\n");
    }

    #[test]
    fn several_texts_follow_each_other_whatever_the_order_they_come_in() {
        let renderer = Renderer::plain();
        let mut live = Live::new(&renderer, 3);
        live.hear(1, &tokens("tw"), false);
        assert_eq!(show(&mut live), "--- 1 of 3 ---\n");
        live.hear(0, &tokens("on"), false);
        assert_eq!(show(&mut live), "on");
        live.hear(1, &tokens("o"), true);
        live.hear(0, &tokens("e"), true);
        assert_eq!(show(&mut live), "e\n--- 2 of 3 ---\ntwo\n--- 3 of 3 ---\n");
        live.hear(2, &tokens("three"), true);
        assert_eq!(show(&mut live), "three\n");
    }
}
