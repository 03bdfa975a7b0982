//! The text that a template writes.

use std::ops::Range;

/// The text that a template writes for a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rendered {
    /// The text, with special tokens in their written form.
    pub text: String,
    /// Byte offsets in the text at which the tokenizer's end token is, in order. For templates of tokenizers whose
    /// end token has no written form.
    pub ends: Vec<usize>,
    /// Byte ranges of the text that the template itself marks as answers, with `generation` blocks, in order. Empty if a
    /// block is in a macro or in a `set` block, where its place in the text is not known.
    pub generated: Vec<Range<usize>>,
}

impl Rendered {
    /// A text that contains its end tokens in written form.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// The text after `start`; `None` if this does not begin with it. Marked ranges are not kept.
    pub(crate) fn after(&self, start: &Self) -> Option<Self> {
        let text = self.text.strip_prefix(start.text.as_str())?;
        let ends = self.ends.strip_prefix(&start.ends[..])?;
        let ends = ends.iter().map(|end| end.checked_sub(start.text.len()));
        Some(Self {
            text: text.to_owned(),
            ends: ends.collect::<Option<_>>()?,
            generated: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_follows_the_start() {
        let whole = Rendered {
            text: "abc".into(),
            ends: vec![1, 1, 3],
            ..Rendered::default()
        };
        let start = Rendered {
            text: "a".into(),
            ends: vec![1],
            ..Rendered::default()
        };
        let rest = whole.after(&start).unwrap();
        assert_eq!((rest.text.as_str(), &rest.ends[..]), ("bc", &[0, 2][..]));
        assert_eq!(whole.after(&Rendered::text("b")), None);
        assert_eq!(whole.after(&Rendered::text("ab")), None);
    }
}
