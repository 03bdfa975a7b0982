//! A row of data as the model sees it.

use serde::Serialize;
use tinker_data::{Format, LineError, Renderer, Row};

use crate::format::{self, labelled};
use crate::style::{FAINT, GOOD, LABEL, TerminalStyle, paint};

/// Characters that are kept at the start and at the end of a long text.
const HEAD: usize = 200;
const TAIL: usize = 100;

/// A row and the sequences that it is encoded as.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ShownRow {
    file: String,
    line: usize,
    format: Format,
    sequences: Vec<Sequence>,
}

#[derive(Debug, Clone, Serialize)]
struct Sequence {
    tokens: usize,
    learned: usize,
    spans: Vec<Part>,
}

/// Tokens of one weight.
#[derive(Debug, Clone, Serialize)]
struct Part {
    text: String,
    weight: f32,
    tokens: Vec<u32>,
}

impl ShownRow {
    /// Encodes a row.
    pub(crate) fn new(renderer: &Renderer, row: &Row) -> Result<Self, LineError> {
        let mut sequences = Vec::new();
        for (example, spans) in row.spans(renderer)? {
            let parts = spans.into_iter().map(|span| Part {
                text: span.text,
                weight: span.weight,
                tokens: span.tokens,
            });
            sequences.push(Sequence {
                tokens: example.tokens,
                learned: example.learned,
                spans: parts.collect(),
            });
        }
        Ok(Self {
            file: row.path.display().to_string(),
            line: row.line,
            format: row.example.format(),
            sequences,
        })
    }

    /// The same row with long texts cut in their middle, and with its first sequence only.
    pub(crate) fn shortened(mut self) -> Self {
        self.sequences.truncate(1);
        for part in self
            .sequences
            .iter_mut()
            .flat_map(|sequence| &mut sequence.spans)
        {
            let length = part.text.chars().count();
            if length > HEAD + TAIL + 1 {
                let head = part.text.chars().take(HEAD);
                let tail = part.text.chars().skip(length - TAIL);
                part.text = head.chain(['\u{2026}']).chain(tail).collect();
            }
        }
        self
    }

    /// The row for people: learned text is in brackets and coloured. Texts are whole. Sequences of more than `most` tokens
    /// are marked.
    pub(crate) fn to_text(&self, style: TerminalStyle, ids: bool, most: Option<usize>) -> String {
        let mut text = String::new();
        let place = format!("{}:{}", self.file, self.line);
        for (index, sequence) in self.sequences.iter().enumerate() {
            let part = match self.sequences.len() {
                1 => String::new(),
                count => format!(", {} of {count}", index + 1),
            };
            let counts = format!(
                "{}, {} learned",
                format::count(sequence.tokens, "token"),
                format::number(sequence.learned as u64)
            );
            let long = match most {
                Some(most) if sequence.tokens > most => format!(", longer than {most}"),
                _ => String::new(),
            };
            let head = format!("{place}  {}{part}, {counts}{long}", self.format);
            text += &format!("{}\n", labelled(LABEL, "row", &head));
            for line in sequence.to_text(style).lines() {
                text += &format!("    {line}\n");
            }
            if ids {
                text += &format!("{}\n", labelled(LABEL, "ids", &sequence.ids()));
            }
        }
        text
    }
}

impl Sequence {
    fn to_text(&self, style: TerminalStyle) -> String {
        let (open, close) = if style.unicode {
            ("⟦", "⟧")
        } else {
            ("[[", "]]")
        };
        let shown = self.spans.iter().map(|span| {
            let text = printable(&span.text, style);
            if span.weight > 0.0 {
                // Coloured line by line, so that each line can be indented.
                let lines = text.split('\n').map(|line| paint(GOOD, line));
                let text = lines.collect::<Vec<_>>().join("\n");
                let weight = match span.weight {
                    1.0 => String::new(),
                    weight => paint(FAINT, format!("×{weight}")),
                };
                format!("{open}{text}{close}{weight}")
            } else {
                text
            }
        });
        shown.collect()
    }

    /// Ids of the tokens; learned ones have a star.
    fn ids(&self) -> String {
        let ids = self.spans.iter().flat_map(|span| {
            let star = if span.weight > 0.0 { "*" } else { "" };
            span.tokens
                .iter()
                .map(move |token| format!("{token}{star}"))
        });
        ids.collect::<Vec<_>>().join(" ")
    }
}

/// Text without characters that would control the terminal.
fn printable(text: &str, style: TerminalStyle) -> String {
    let replacement = if style.unicode { '\u{fffd}' } else { '?' };
    let show = |c: char| match c {
        '\n' | '\t' => c,
        c if c.is_control() => replacement,
        c => c,
    };
    text.chars().map(show).collect()
}
